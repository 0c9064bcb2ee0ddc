/** Rows of an earlier result beside new ones: a bench of hours is taken in pieces, and a noisy row again. */
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { VsslError } from '../errors.js';
import { describeMachine, type Machine } from './machine.js';
import { type BenchResult, type BenchTopic, RESULT_FORMAT, RESULT_VERSION } from './result.js';

/** What makes numbers those of one run: the processor, and what runs on it. */
const sameness = ({ cpu, cores, isa, node, version, commit }: Machine) => ({
  ...{ cpu, cores, isa, node, version, commit },
});

/**
 * The result in a file, to which rows will be added; null where there is no file. Throws ERR_VSSL_USAGE for a file that
 * holds something else, or was measured elsewhere, with another commit or another number of pairs.
 */
export async function readEarlierResult(
  path: string,
  { what, pairs }: { readonly what: BenchTopic; readonly pairs: number },
): Promise<BenchResult | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return null;
  const refused = (why: string) =>
    new VsslError('ERR_VSSL_USAGE', `--add: ${path} ${why}; give another --out, or leave --add out`);
  let earlier: Partial<BenchResult>;
  try {
    earlier = JSON.parse(text) ?? {};
  } catch {
    throw refused('is no result of a bench');
  }
  const { format, formatVersion, machine } = earlier;
  if (format !== RESULT_FORMAT || formatVersion !== RESULT_VERSION || !machine || earlier.what !== what)
    throw refused(`is no result of bench ${what}`);
  const here = describeMachine();
  if (!isDeepStrictEqual(sameness(machine), sameness(here)))
    throw refused(
      `was measured on ${machine.cpu} with commit ${machine.commit} and Node ${machine.node}, ` +
        `this is ${here.cpu} with ${here.commit} and ${here.node}`,
    );
  if (earlier.pairs !== pairs) throw refused(`has ${earlier.pairs} pairs a row, not ${pairs}`);
  return earlier as BenchResult;
}

/** New rows in the place of old ones of the same case and threads; in the order of `names`, then of threads. */
export function addRows(earlier: BenchResult, result: BenchResult, names: readonly string[]): BenchResult {
  const key = ({ name, threads }: BenchResult['rows'][number]) => `${threads} ${name}`;
  const rows = new Map([...earlier.rows, ...result.rows].map((row) => [key(row), row]));
  const place = new Map(names.map((name, index) => [name, index]));
  const sorted = [...rows.values()].sort(
    (a, b) =>
      (place.get(a.name) ?? names.length) - (place.get(b.name) ?? names.length) ||
      (a.threads ?? 0) - (b.threads ?? 0),
  );
  return { ...result, threads: Math.max(earlier.threads, result.threads), rows: sorted };
}
