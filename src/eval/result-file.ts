/** Where the result of an evaluation goes, so that none takes the place of another. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { VideoRow } from '../data/rows.js';
import { VsslError } from '../errors.js';
import { checkOutFile } from '../weights/atomic-write.js';
import type { EvaluationData } from './evaluation-data.js';

/** What makes two evaluations the same one. */
export interface EvaluationIdentity {
  readonly protocol: string;
  /** Run folder or weights file, and the training steps behind the weights. */
  readonly weights: string;
  readonly step: number;
  readonly data: EvaluationData;
  /** All that changes numbers: of the protocol, the features, and what stands beside them. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What makes the videos of an evaluation those that they are. */
export function describeRows(rows: readonly VideoRow[]): unknown[] {
  return rows.map(({ id, path, label, group, start, end, extra }) => [
    ...[id, path, label, group, start, end],
    extra,
  ]);
}

/**
 * Ten letters and digits that stand for what is asked of an encoder: the same ones for two results mean the same
 * protocol, videos, labels, splits and settings, whatever the weights and wherever the videos lie.
 */
export function questionKey({
  protocol,
  data,
  settings,
}: Pick<EvaluationIdentity, 'protocol' | 'data' | 'settings'>): string {
  const rows = data.rows.map(({ id, label, group, start, end, extra }) => [
    ...[id, label, group, start, end],
    extra,
  ]);
  const sorted = Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
  return digest([protocol, rows, data.splits, sorted]);
}

/** Ten letters and digits that stand for an evaluation: its protocol, weights, videos, labels, splits and settings. */
export function evaluationKey({ protocol, weights, step, data, settings }: EvaluationIdentity): string {
  const rows = describeRows(data.rows);
  const sorted = Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
  const all = [protocol, resolve(weights), step, rows, data.splits, sorted];
  return digest(all);
}

function digest(all: unknown): string {
  return createHash('sha256').update(JSON.stringify(all)).digest('hex').slice(0, 10);
}

/**
 * The file for a result: `out`, or one in the run folder that is named by protocol and key; undefined without both.
 * Throws ERR_VSSL_USAGE when `out` cannot become a file, or holds anything but an earlier result of the same evaluation.
 */
export async function resultFile(
  { out, run, protocol }: { readonly out?: string; readonly run?: string; readonly protocol: string },
  key: string,
): Promise<string | undefined> {
  if (out === undefined) return run === undefined ? undefined : join(run, `eval-${protocol}-${key}.json`);
  await checkOutFile(out);
  const before = await readFile(out, 'utf8').catch(() => '');
  if (before === '' || keyIn(before) === key) return out;
  throw new VsslError(
    'ERR_VSSL_USAGE',
    `${out} holds ${keyIn(before) === undefined ? 'something else' : 'the result of another evaluation'}, which would be lost: give another name for out, or remove it first`,
    { details: { out } },
  );
}

function keyIn(text: string): string | undefined {
  try {
    const key = (JSON.parse(text) as { key?: unknown } | null)?.key;
    return typeof key === 'string' ? key : undefined;
  } catch {
    return undefined;
  }
}
