/** From a vector to the nearest windows of an index: exact, whatever the filter. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { matchesGlob } from '../data/glob.js';
import type { IndexView, ShardView } from './index-view.js';
import type { HeldRows } from './resident.js';
import type { VideoRecord } from './row-lines.js';
import { topRows } from './top-k.js';

/** Columns and globs of which one has to match: `{ label: ['walk*'], path: ['*.mp4'] }`. */
export type RowFilter = Readonly<Record<string, readonly string[]>>;

export interface ViewSearch {
  readonly top: number;
  /** The best window of each video alone. */
  readonly perVideo: boolean;
  readonly filter: RowFilter | null;
  readonly signal: AbortSignal | undefined;
}

/** A window that was found. */
export interface Found {
  readonly view: ShardView;
  /** Line of its video, and number of the window within it. */
  readonly line: number;
  readonly window: number;
  readonly score: number;
}

/** Best first; of equal ones the one that was committed first. */
export async function searchView(
  view: IndexView,
  query: Float32Array,
  options: ViewSearch,
): Promise<Found[]> {
  const { top, perVideo } = options;
  const shards = await rowsToSearch(view, options);
  const total = shards.reduce((sum, { held }) => sum + held.count, 0);
  if (!perVideo) return await bestOf(view, shards, query, top, options);
  // the best windows may all be of one video: more of them, until there are enough videos, or no more windows
  for (let k = 4 * top; ; k *= 4) {
    const found = await bestOf(view, shards, query, k, options);
    const videos = firstOfEach(found);
    if (videos.length >= top || k >= total) return videos.slice(0, top);
  }
}

export interface SearchedShard {
  readonly view: ShardView;
  readonly held: HeldRows;
}

/** Rows of each shard that may be found. */
export async function rowsToSearch(view: IndexView, { filter }: ViewSearch): Promise<SearchedShard[]> {
  const shards: SearchedShard[] = [];
  for (const one of view.shards) {
    const held = await view.held(one);
    shards.push({ view: one, held: filter ? await narrowed(view, one, held, filter) : held });
  }
  return shards.filter(({ held }) => held.count > 0);
}

/** Lines are parsed this many at a time, some milliseconds; others have their turn in between. */
const FILTERED_A_TURN = 2_000;

/** Copies of the rows whose videos pass the filter. */
async function narrowed(
  { header }: IndexView,
  { shard, gone }: ShardView,
  held: HeldRows,
  filter: RowFilter,
): Promise<HeldRows> {
  const { lines } = shard;
  const passes = new Uint8Array(lines.vectors);
  for (let line = 0; line < lines.count; line++) {
    if (line % FILTERED_A_TURN === FILTERED_A_TURN - 1) await nextTurn();
    const count = lines.vectorsOf(line);
    if (count === 0 || gone.has(line) || !passesFilter(lines.record(line), filter)) continue;
    passes.fill(1, lines.first(line), lines.first(line) + count);
  }
  const rows = Array.from({ length: held.count }, (_, row) => row).filter(
    (row) => passes[held.vectorOf(row)],
  );
  return held.some(rows, header);
}

/** Whether every column of the filter matches one of its globs; what a video does not say matches none. */
export function passesFilter(record: VideoRecord, filter: RowFilter): boolean {
  return Object.entries(filter).every(([column, globs]) => {
    const { path, label, group, extra } = record;
    const value = { path, label, group }[column] ?? extra?.[column];
    return value !== undefined && value !== null && globs.some((glob) => matchesGlob(String(value), glob));
  });
}

async function bestOf(
  view: IndexView,
  shards: readonly SearchedShard[],
  query: Float32Array,
  top: number,
  options: ViewSearch,
): Promise<Found[]> {
  const [found] = await bestOfEach(view, shards, query, top, options);
  return found!;
}

/** The best windows for each of several queries, which are read together. */
export async function bestOfEach(
  { header: { dim, type } }: IndexView,
  shards: readonly SearchedShard[],
  queries: Float32Array,
  top: number,
  { signal }: ViewSearch,
): Promise<Found[][]> {
  const all = Array.from({ length: queries.length / dim }, (): Found[] => []);
  for (const { view, held } of shards) {
    const k = Math.min(top, held.count);
    const { indices, scores } = await topRows(queries, held.rows, { dim, type, k, signal });
    const { lines } = view.shard;
    for (const [at, row] of indices.entries()) {
      const vector = held.vectorOf(row);
      const line = lines.lineOf(vector);
      all[Math.floor(at / k)]!.push({ view, line, window: vector - lines.first(line), score: scores[at]! });
    }
  }
  // a stable sort: shards come in their order, and rows of a shard in theirs
  return all.map((found) => found.sort((a, b) => b.score - a.score).slice(0, top));
}

/** The first of each video. */
function firstOfEach(found: readonly Found[]): Found[] {
  const seen = new Map<ShardView, Set<number>>();
  return found.filter(({ view, line }) => {
    const lines = seen.get(view) ?? new Set();
    seen.set(view, lines);
    if (lines.has(line)) return false;
    lines.add(line);
    return true;
  });
}
