/** The store that needs nothing: shards in a folder, in memory while they are searched. One process writes at a time. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { VsslError } from '../errors.js';
import { type IndexHeader, indexError } from './header.js';
import { IndexView, type ShardView } from './index-view.js';
import { IndexWriter } from './index-writer.js';
import type { HeldRows } from './resident.js';
import { keyOf, type VideoRecord } from './row-lines.js';
import { passesFilter } from './search-view.js';
import type {
  Found,
  IndexStore,
  NewVideo,
  RowFilter,
  SearchedRows,
  StoredVideo,
  StoreView,
  VideoId,
} from './store.js';
import { topRows } from './top-k.js';

export class FlatStore implements IndexStore {
  readonly #db: string;
  #view: IndexView;
  #writer: IndexWriter | null;

  private constructor(db: string, view: IndexView, writer: IndexWriter | null) {
    this.#db = db;
    this.#view = view;
    this.#writer = writer;
  }

  /** `header`: of a new index, if there is none yet. Throws as VideoIndex.open does. */
  static async open(
    db: string,
    { header, repair = false }: { header?: IndexHeader; repair?: boolean } = {},
  ): Promise<FlatStore> {
    if (!header && !repair) return new FlatStore(db, await IndexView.open(db), null);
    const writer = await IndexWriter.open(db, { ...(header && { header }), repair });
    return new FlatStore(db, writer.view, writer);
  }

  get header(): IndexHeader {
    return this.#view.header;
  }

  async view(): Promise<StoreView> {
    // whoever writes knows what there is
    this.#view = this.#writer?.view ?? (await this.#view.refreshed());
    return new FlatView(this.#view);
  }

  add(videos: readonly NewVideo[]): Promise<void> {
    return this.#write((writer) => writer.add(videos));
  }

  remove(paths: ReadonlySet<string>, keys: ReadonlySet<string>): Promise<number> {
    return this.#write(async (writer) => {
      const all = new Set(keys);
      if (paths.size > 0)
        for (const { record } of writer.view.videos()) if (paths.has(record.path)) all.add(keyOf(record));
      return writer.remove(all);
    });
  }

  read(key: string): Promise<NewVideo | null> {
    return this.#write((writer) => writer.read(key));
  }

  compact(signal: AbortSignal | undefined): Promise<void> {
    return this.#write((writer) => writer.compact(signal));
  }

  async close(): Promise<void> {
    await this.#writer?.close();
    this.#writer = null;
  }

  /** A compaction has taken the place of shards that were not in memory yet. */
  async outdated(error: unknown): Promise<VsslError | null> {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') return null;
    return indexError(this.#db, `${path} is missing; put it back, or make the index again`);
  }

  /** The first call that writes takes the lock, which is held until close(). */
  async #write<T>(work: (writer: IndexWriter) => Promise<T>): Promise<T> {
    this.#writer ??= await IndexWriter.open(this.#db, { before: this.#view });
    try {
      return await work(this.#writer);
    } finally {
      this.#view = this.#writer.view;
    }
  }
}

/** Lines of a shard at most: an id is the number of the shard and that of the line. */
const MOST_LINES = 2 ** 32;

class FlatView implements StoreView {
  readonly #view: IndexView;

  constructor(view: IndexView) {
    this.#view = view;
  }

  get header(): IndexHeader {
    return this.#view.header;
  }

  async counts() {
    return { ...this.#view.counts(), shards: this.#view.shards.length };
  }

  async *videos(): AsyncGenerator<StoredVideo, void, undefined> {
    for (const { view, line, record } of this.#view.videos()) yield { id: idOf(view, line), record };
  }

  async rows(filter: RowFilter | null): Promise<SearchedRows> {
    const shards: SearchedShard[] = [];
    for (const view of this.#view.shards) {
      const held = await this.#view.held(view);
      shards.push({ view, held: filter ? await narrowed(this.header, view, held, filter) : held });
    }
    return new FlatRows(
      this.header,
      shards.filter(({ held }) => held.count > 0),
    );
  }

  async records(ids: readonly VideoId[]): Promise<Map<VideoId, VideoRecord>> {
    return new Map(
      ids.map((id) => {
        const { view, line } = this.#find(id);
        return [id, view.shard.lines.record(line)];
      }),
    );
  }

  async *read(ids: readonly VideoId[]): AsyncGenerator<StoredVideo & NewVideo, void, undefined> {
    const { dim } = this.header;
    for (const id of ids) {
      const { view, line } = this.#find(id);
      const { lines } = view.shard;
      const held = await this.#view.held(view);
      const first = held.rowOf(lines.first(line)) * dim;
      const rows = held.rows.subarray(first, first + lines.vectorsOf(line) * dim);
      yield { id, record: lines.record(line), rows };
    }
  }

  #find(id: VideoId): { view: ShardView; line: number } {
    const number = Math.floor(Number(id) / MOST_LINES);
    const view = this.#view.shards.find(({ shard }) => shard.number === number)!;
    return { view, line: Number(id) % MOST_LINES };
  }
}

function idOf({ shard }: ShardView, line: number): VideoId {
  return shard.number * MOST_LINES + line;
}

interface SearchedShard {
  readonly view: ShardView;
  readonly held: HeldRows;
}

class FlatRows implements SearchedRows {
  readonly count: number;
  readonly #header: IndexHeader;
  readonly #shards: readonly SearchedShard[];

  constructor(header: IndexHeader, shards: readonly SearchedShard[]) {
    this.#header = header;
    this.#shards = shards;
    this.count = shards.reduce((sum, { held }) => sum + held.count, 0);
  }

  async nearest(queries: Float32Array, top: number, signal: AbortSignal | undefined): Promise<Found[][]> {
    const { dim, type } = this.#header;
    const all = Array.from({ length: queries.length / dim }, (): Found[] => []);
    for (const { view, held } of this.#shards) {
      const k = Math.min(top, held.count);
      const { indices, scores } = await topRows(queries, held.rows, { dim, type, k, signal });
      const { lines } = view.shard;
      for (const [at, row] of indices.entries()) {
        const vector = held.vectorOf(row);
        const line = lines.lineOf(vector);
        const window = vector - lines.first(line);
        all[Math.floor(at / k)]!.push({ video: idOf(view, line), window, score: scores[at]! });
      }
    }
    // a stable sort: shards come in their order, and rows of a shard in theirs
    return all.map((found) => found.sort((a, b) => b.score - a.score).slice(0, top));
  }
}

/** Lines are parsed this many at a time, some milliseconds; others have their turn in between. */
const FILTERED_A_TURN = 2_000;

/** Copies of the rows whose videos pass the filter. */
async function narrowed(
  header: IndexHeader,
  { shard, gone }: ShardView,
  held: HeldRows,
  filter: RowFilter,
): Promise<HeldRows> {
  const { lines } = shard;
  const rows: number[] = [];
  for (let line = 0; line < lines.count; line++) {
    if (line % FILTERED_A_TURN === FILTERED_A_TURN - 1) await nextTurn();
    const count = lines.vectorsOf(line);
    if (count === 0 || gone.has(line) || !passesFilter(lines.record(line), filter)) continue;
    // a video that was committed since is not among the rows
    const first = held.rowOf(lines.first(line));
    for (let row = first; row < Math.min(first + count, held.count); row++) rows.push(row);
  }
  return held.some(rows, header);
}
