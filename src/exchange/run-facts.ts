/** What a run folder tells about its weights, for the card. A run of another version may tell less. */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readJson } from '../config/json.js';
import { isRecord } from '../config/raw.js';
import { isPipe } from '../data/manifest.js';

export interface RunResult {
  readonly protocol: string;
  /** Names of the sets, without their folders: those are of one machine. */
  readonly data: string;
  readonly measure: string;
  readonly step: number;
  readonly trained: string;
  readonly random: string;
  readonly floor: string;
}

export interface RunFacts {
  /** Of the configuration, as they are shown. */
  readonly settings: readonly (readonly [key: string, value: string])[];
  readonly results: readonly RunResult[];
}

type Json = Readonly<Record<string, unknown>>;

/** Null where there is no configuration of a run of this method. */
export async function readRunFacts(run: string, method: string): Promise<RunFacts | null> {
  const config = await readJson(join(run, 'config.json'));
  if (!isRecord(config) || config.method !== method) return null;
  const names = (await readdir(run).catch(() => [])).filter((name) => /^eval-.*\.json$/.test(name)).sort();
  const results = await Promise.all(names.map((name) => readJson(join(run, name))));
  return {
    settings: settingsOf(config),
    results: results.filter(isRecord).flatMap(resultOf),
  };
}

function settingsOf(config: Json): [string, string][] {
  const method = String(config.method);
  const at = (path: string) =>
    path.split('.').reduce<unknown>((value, key) => (value as Json | null | undefined)?.[key], config);
  const data = at('data.path');
  const shown = [
    'train.batch',
    'train.epochs',
    'train.steps',
    'train.optimizer',
    'train.seed',
    'train.precision',
  ];
  return [
    ['method', method],
    ...(typeof data === 'string' ? [['data.path', nameOf(data)] as [string, string]] : []),
    ...['data.clip', 'data.input', ...shown, method]
      .filter((key) => at(key) !== undefined && at(key) !== null)
      .map((key): [string, string] => [key, cell(JSON.stringify(at(key)))]),
    ...versionsOf(at('run.versions')),
  ];
}

function versionsOf(versions: unknown): [string, string][] {
  if (typeof versions !== 'object' || versions === null) return [];
  return [
    [
      'versions',
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
  ];
}

/** The score of a protocol, as `eval` writes it. */
function resultOf(result: Json): RunResult[] {
  const { protocol, trained, random, floors, encoder, data } = result as Record<string, Json | undefined>;
  if (typeof protocol !== 'string' || !trained) return [];
  const [measure, of] = SCORES[protocol as string] ?? SCORES.knn!;
  const score = of(trained);
  if (score === undefined) return [];
  const best = Object.values(floors ?? {}).flatMap((floor) => of(floor as Json) ?? []);
  return [
    {
      ...{ protocol, measure, data: cell(dataOf(data)), step: Number(encoder?.step) },
      trained: percent(score),
      random: percent(random && of(random)),
      floor: percent(best.length > 0 ? Math.max(...best) : undefined),
    },
  ];
}

type Score = (score: Json) => number | undefined;

const recall: Score = (score) => {
  const { recall } = (score.label ?? score.instance ?? {}) as { readonly recall?: Json };
  return typeof recall?.['1'] === 'number' ? recall['1'] : undefined;
};

const SCORES: Readonly<Record<string, readonly [string, Score]>> = {
  knn: ['accuracy', ({ accuracy }) => (typeof accuracy === 'number' ? accuracy : undefined)],
  retrieval: ['recall at 1', recall],
};

function dataOf(data: Json | undefined): string {
  const parts = (['train', 'test', 'data'] as const).flatMap((key) => {
    const path = data?.[key];
    return typeof path === 'string' ? [key === 'data' ? nameOf(path) : `${key}: ${nameOf(path)}`] : [];
  });
  const folds = data?.folds === undefined ? [] : [`folds by ${String(data.folds)}`];
  return [...parts, ...folds].join(', ');
}

/** A set without the folder that it lies in. */
function nameOf(path: string): string {
  // a command may say where things lie, and how to get there
  if (isPipe(path)) return 'tar shards that a command prints';
  const query = path.indexOf('?');
  const end = query < 0 ? path.length : query;
  return path.startsWith('synthetic:') ? path : basename(path.slice(0, end)) + path.slice(end);
}

/** Text that stays in its cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
}

function percent(value: number | undefined): string {
  return value === undefined ? '' : (100 * value).toFixed(1);
}
