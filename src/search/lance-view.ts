/** One version of the table of an index in LanceDB. Nothing of it is held: vectors are read as they are compared. */
import { throwIfAborted } from '../checks.js';
import type { IndexHeader } from './header.js';
import type { LanceTable } from './lance-package.js';
import { among, damagedTable, idsOf, integersOf, readBatches, textOf, vectorsOf } from './lance-rows.js';
import type { VideoRecord } from './row-lines.js';
import { passesFilter } from './search-view.js';
import type { Found, NewVideo, RowFilter, SearchedRows, StoredVideo, StoreView, VideoId } from './store.js';
import { topRows } from './top-k.js';
import { gatherRows, newRows, type VectorRows } from './vectors.js';

/** A version, and what was learned of it. */
export interface LanceVersion {
  readonly db: string;
  readonly header: IndexHeader;
  readonly version: number;
  /** At that version, whatever is written. */
  readonly table: LanceTable;
  readonly videos: number;
  readonly vectors: number;
  readonly replaced: ReadonlyMap<bigint, number>;
}

/** Videos are asked for by name up to so many; of more, all rows are looked at. */
const MOST_NAMED = 1000;
/** Vectors of videos that are read at once. */
const READ_VECTORS = 16_384;

export class LanceView implements StoreView {
  readonly #of: LanceVersion;

  constructor(of: LanceVersion) {
    this.#of = of;
  }

  get header(): IndexHeader {
    return this.#of.header;
  }

  get version(): number {
    return this.#of.version;
  }

  /** Videos in whose place others are, that are not taken out of the table yet: with their numbers of vectors. */
  get replaced(): ReadonlyMap<bigint, number> {
    return this.#of.replaced;
  }

  async counts() {
    const { videos, vectors, replaced, table } = this.#of;
    const gone = [...replaced.values()].reduce((sum, windows) => sum + windows, 0);
    const { fragmentStats } = await table.stats().catch((error) => {
      throw damagedTable(this.#of.db, error);
    });
    return { videos, vectors, gone, shards: fragmentStats.numFragments };
  }

  async *videos(): AsyncGenerator<StoredVideo, void, undefined> {
    yield* this.#records('window = 0');
  }

  async rows(filter: RowFilter | null): Promise<SearchedRows> {
    const { vectors } = this.#of;
    if (!filter) return new LanceRows(this, vectors, null);
    const chosen = new Set<bigint>();
    let count = 0;
    for await (const { id, record } of this.#records('window = 0'))
      if (passesFilter(record, filter)) {
        chosen.add(id);
        count += windowsOf(record);
      }
    return new LanceRows(this, count, chosen);
  }

  async records(ids: readonly VideoId[]): Promise<Map<VideoId, VideoRecord>> {
    const records = new Map<VideoId, VideoRecord>();
    for (let from = 0; from < ids.length; from += MOST_NAMED)
      for await (const { id, record } of this.#records(
        `window = 0 AND ${among(ids.slice(from, from + MOST_NAMED))}`,
      ))
        records.set(id, record);
    return records;
  }

  async *read(ids: readonly VideoId[]): AsyncGenerator<StoredVideo & NewVideo, void, undefined> {
    const records = await this.records(ids);
    let group: VideoId[] = [];
    let vectors = 0;
    for (const [i, id] of ids.entries()) {
      group.push(id);
      vectors += windowsOf(records.get(id)!);
      if (vectors < READ_VECTORS && i < ids.length - 1) continue;
      const rows = await this.#vectors(group, records);
      for (const one of group) yield { id: one, record: records.get(one)!, rows: rows.get(one)! };
      group = [];
      vectors = 0;
    }
  }

  /** Vectors of videos, each of them in the order of its windows. */
  async #vectors(
    ids: readonly VideoId[],
    records: ReadonlyMap<VideoId, VideoRecord>,
  ): Promise<Map<VideoId, VectorRows>> {
    const { dim, type } = this.header;
    const all = new Map(ids.map((id) => [id, newRows(type, windowsOf(records.get(id)!), dim)]));
    let missing = [...all.values()].reduce((sum, rows) => sum + rows.length / dim, 0);
    for await (const batch of this.batches(['video', 'window', 'vector'], among(ids))) {
      const [videos, windows, vectors] = [idsOf(batch), integersOf(batch, 'window'), vectorsOf(batch, dim)];
      for (const [row, window] of windows.entries())
        all.get(videos[row]!)!.set(vectors.subarray(row * dim, (row + 1) * dim), window * dim);
      missing -= windows.length;
    }
    if (missing !== 0) throw damagedTable(this.#of.db, `${missing} vectors are missing`);
    return all;
  }

  async *#records(where: string): AsyncGenerator<{ id: bigint; record: VideoRecord }, void, undefined> {
    const { replaced } = this.#of;
    for await (const batch of this.batches(['video', 'record'], where))
      for (const [row, id] of idsOf(batch).entries())
        if (!replaced.has(id)) yield { id, record: JSON.parse(textOf(batch, 'record', row)) };
  }

  /** Of this version. */
  batches(columns: readonly string[], where: string | null = null) {
    return readBatches(this.#of.db, this.#of.table, columns, where);
  }
}

class LanceRows implements SearchedRows {
  readonly count: number;
  readonly #view: LanceView;
  /** null: all. */
  readonly #chosen: ReadonlySet<bigint> | null;

  constructor(view: LanceView, count: number, chosen: ReadonlySet<bigint> | null) {
    this.#view = view;
    this.count = count;
    this.#chosen = chosen;
  }

  /** Reads all rows once, and compares them with the same arithmetic as the other store: a score is the same to the bit. */
  async nearest(queries: Float32Array, top: number, signal: AbortSignal | undefined): Promise<Found[][]> {
    const { dim, type } = this.#view.header;
    const best = Array.from({ length: queries.length / dim }, (): BestFound => new BestFound(top));
    const chosen = this.#chosen;
    if (chosen?.size === 0) return best.map(({ found }) => found);
    const where = chosen && chosen.size <= MOST_NAMED ? among([...chosen]) : null;
    for await (const batch of this.#view.batches(['video', 'window', 'vector'], where)) {
      throwIfAborted(signal);
      const [videos, windows] = [idsOf(batch), integersOf(batch, 'window')];
      const wanted = this.#wanted(videos, windows);
      const all = vectorsOf(batch, dim);
      const rows = wanted ? gatherRows(all, wanted, { dim, type }) : all;
      const k = Math.min(top, rows.length / dim);
      if (k === 0) continue;
      const { indices, scores } = await topRows(queries, rows, { dim, type, k, signal });
      for (const [q, one] of best.entries())
        one.take(scores.subarray(q * k, (q + 1) * k), (i) => {
          const index = indices[q * k + i]!;
          const row = wanted ? wanted[index]! : index;
          return { video: videos[row]!, window: windows[row]! };
        });
    }
    return best.map(({ found }) => found);
  }

  /** Rows that count, in the order in which they were committed. null: all are, and stand in it. */
  #wanted(videos: BigInt64Array, windows: Int32Array): number[] | null {
    const { replaced } = this.#view;
    const chosen = this.#chosen;
    const ordered = isOrdered(videos, windows);
    if (ordered && !chosen && replaced.size === 0) return null;
    let [last, passes] = [-1n, false];
    const wanted: number[] = [];
    for (const [row, video] of videos.entries()) {
      if (video !== last) {
        last = video;
        passes = chosen ? chosen.has(video) : !replaced.has(video);
      }
      if (passes) wanted.push(row);
    }
    if (!ordered) wanted.sort((a, b) => compare(videos[a]!, videos[b]!) || windows[a]! - windows[b]!);
    return wanted;
  }
}

/** A window, and its video as the table tells it. */
interface Place {
  readonly video: bigint;
  readonly window: number;
}

/** The best of what was looked at so far. */
class BestFound {
  readonly #most: number;
  found: (Place & { readonly score: number })[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  /** Scores best first. Of equal ones the first that was committed comes first, in whatever order they are read. */
  take(scores: Float32Array, placeOf: (i: number) => Place): void {
    const bar = this.found.length < this.#most ? Number.NEGATIVE_INFINITY : this.found.at(-1)!.score;
    const before = this.found.length;
    for (let i = 0; i < scores.length && scores[i]! >= bar; i++)
      this.found.push({ ...placeOf(i), score: scores[i]! });
    if (this.found.length === before) return;
    this.found.sort((a, b) => b.score - a.score || compare(a.video, b.video) || a.window - b.window);
    this.found.length = Math.min(this.found.length, this.#most);
  }
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isOrdered(videos: BigInt64Array, windows: Int32Array): boolean {
  for (let i = 1; i < videos.length; i++) {
    const [before, video] = [videos[i - 1]!, videos[i]!];
    if (video < before || (video === before && windows[i]! <= windows[i - 1]!)) return false;
  }
  return true;
}

export function windowsOf({ times }: VideoRecord): number {
  return times.length === 0 ? 1 : times.length / 2;
}
