/** The rows behind what callers name as their data: a specification, or paths that come one by one. */
import { basename, resolve } from 'node:path';
import { loadManifest } from '../data/manifest.js';
import { bareRow, type VideoRow } from '../data/rows.js';
import { rowsOfShard, type Shard } from '../data/shard.js';
import { invalidArgument } from '../errors.js';
import { videoRow } from './video-facts.js';

export interface FoundRows {
  readonly rows: Iterable<VideoRow> | AsyncIterable<VideoRow>;
  /** Infinity while they are still to come. */
  readonly total: number;
  readonly warnings: readonly string[];
}

/** Throws what loadManifest throws, and ERR_VSSL_INVALID_ARGUMENT for what is no data. */
export async function findRows(
  data: string | Iterable<string> | AsyncIterable<string>,
  shard: Shard | null,
  signal?: AbortSignal,
): Promise<FoundRows> {
  if (typeof data !== 'string') {
    const comes =
      typeof data === 'object' && data !== null && (Symbol.iterator in data || Symbol.asyncIterator in data);
    if (!comes) throw invalidArgument('data', 'a path, or an iterable of paths', data);
    return { rows: rowsOfPaths(data), total: Number.POSITIVE_INFINITY, warnings: [] };
  }
  const manifest = await loadManifest(data, { signal });
  const rows = shard ? rowsOfShard(manifest.rows, shard) : manifest.rows;
  return { rows, total: rows.length, warnings: manifest.warnings };
}

/** A row for each path, each path once. One that cannot be used is found out when it is opened. */
async function* rowsOfPaths(
  paths: Iterable<string> | AsyncIterable<string>,
): AsyncGenerator<VideoRow, void, undefined> {
  const seen = new Set<string>();
  for await (const path of paths) {
    const whole = resolve(path);
    if (path === '' || seen.has(whole)) continue;
    seen.add(whole);
    const plain = () => bareRow(basename(whole), whole, { kind: 'file', path: whole });
    yield { ...(await videoRow(path).catch(plain)), id: whole };
  }
}
