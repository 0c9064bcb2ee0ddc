import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parse, parseDocument } from 'yaml';
import { configError, VsslError } from '../errors.js';
import { isRecord, nestRaw, type RawConfig } from './raw.js';

/** Reads a YAML or JSON configuration. Syntax errors and duplicate keys are ERR_VSSL_CONFIG with line and column. */
export function readConfigFile(path: string): RawConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const reason =
      (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(cause);
    throw new VsslError('ERR_VSSL_CONFIG', `cannot read the configuration ${path}: ${reason}`, {
      details: { path },
      cause,
    });
  }
  const config = parseConfigText(text, basename(path));
  // A run's own config.json can be given again: what it ran with and on is a record, not a setting.
  if ('formatVersion' in config && isRecord(config.run)) {
    const { run: _, ...settings } = config;
    return settings;
  }
  return config;
}

/** Keys are names: keys that are maps themselves, nested, would be written out again and again, for minutes. */
const YAML = { stringKeys: true, logLevel: 'error' } as const;

/** Parses YAML, of which JSON is a part. `origin` names the text in messages. */
export function parseConfigText(text: string, origin: string): RawConfig {
  const document = orConfigError(origin, () =>
    parseDocument(text.replace(/^\uFEFF/, ''), { ...YAML, uniqueKeys: true, prettyErrors: true }),
  );
  // A warning (an unknown tag, an ambiguous alias) means a value that is not what its writer meant.
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem) {
    const duplicate = problem.code === 'DUPLICATE_KEY';
    const key = duplicate ? keyAt(text.replace(/^\uFEFF/, ''), problem.pos[0]) : undefined;
    const where = problem.linePos
      ? ` at line ${problem.linePos[0].line}, column ${problem.linePos[0].col}`
      : '';
    throw new VsslError(
      'ERR_VSSL_CONFIG',
      duplicate
        ? `config key '${key}' stands twice in ${origin}${where}; keep one of the two`
        : `${origin} is not valid YAML or JSON${where}: ${firstLine(problem.message)}`,
      { details: duplicate ? { key, origin } : { origin } },
    );
  }
  const value: unknown = orConfigError(origin, () => document.toJS({ maxAliasCount: 100 }));
  if (value === null || value === undefined) return {};
  if (!isRecord(value)) {
    throw new VsslError(
      'ERR_VSSL_CONFIG',
      `${origin} must hold keys and values ('method: cvrl'), not a list or a word`,
      {
        details: { origin },
      },
    );
  }
  return value;
}

/** What the YAML library throws instead of reporting it: an alias without its anchor, nesting beyond the stack. */
function orConfigError<T>(origin: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const { name, message } = cause as Error;
    const reason = name === 'RangeError' ? 'it is nested too deeply' : firstLine(message);
    throw new VsslError('ERR_VSSL_CONFIG', `${origin} is not valid YAML or JSON: ${reason}`, {
      details: { origin },
      cause,
    });
  }
}

/** `a.b=c`: the value is read by YAML's rules, so that numbers, true, null, [1, 2] and {a: 1} have their types. */
export function parseSetting(setting: string): RawConfig {
  const equals = setting.indexOf('=');
  const key = setting.slice(0, equals).trim();
  if (equals < 1 || key === '' || key.split('.').some((part) => part === '')) {
    throw new VsslError(
      'ERR_VSSL_CONFIG',
      `expected --set key=value such as --set train.batch=32 but got '${setting}'`,
      {
        details: { setting },
      },
    );
  }
  let value: unknown;
  try {
    value = parse(setting.slice(equals + 1), YAML);
  } catch (cause) {
    throw configError(key, `'${setting.slice(equals + 1)}' is not a value: ${firstLine(String(cause))}`);
  }
  return nestRaw(key.split('.'), value);
}

/**
 * `a.b=c,d`: a key and the values that it takes in turn, read by YAML's rules, so that `[1, 2]` is one value. Throws
 * ERR_VSSL_CONFIG.
 */
export function parseChoices(text: string): readonly [key: string, values: readonly unknown[]] {
  const equals = text.indexOf('=');
  const key = text.slice(0, equals).trim();
  const list = text.slice(equals + 1);
  if (equals < 1 || key === '' || list.trim() === '')
    throw new VsslError(
      'ERR_VSSL_CONFIG',
      `expected --grid key=value,value such as --grid train.optimizer.lr=1e-3,3e-3 but got '${text}'`,
      { details: { setting: text } },
    );
  try {
    return [key, parse(`[${list}]`, YAML) as unknown[]];
  } catch (cause) {
    throw configError(key, `'${list}' is not a list of values: ${firstLine(String(cause))}`);
  }
}

function keyAt(text: string, position: number): string {
  const match = /^\s*["']?([^"':{}[\],\s]+)/.exec(text.slice(position));
  return match?.[1] ?? '?';
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
}
