/** What the one writer of an index does: commits videos, takes them away, and puts the shards together anew. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfAborted } from '../checks.js';
import { writeError } from '../weights/atomic-write.js';
import { type FolderLock, lockFolder } from '../weights/folder-lock.js';
import { type IndexHeader, readHeader, withNewShard, writeHeader } from './header.js';
import { IndexView, type ShardView } from './index-view.js';
import { encodeLine, keyOf, type Place } from './row-lines.js';
import { Shard } from './shard.js';
import type { NewVideo } from './store.js';
import { bytesOf, gatherRows, rowBytes } from './vectors.js';

/** A shard that has more bytes of vectors gets no more. */
const SHARD_BYTES = 2 ** 26;

const USE = { doing: 'writing to the index', advice: 'use another --db' };

export class IndexWriter {
  readonly #db: string;
  readonly #lock: FolderLock;
  #view: IndexView;
  /** Videos by what tells them apart, in the order of their lines. */
  readonly #places = new Map<string, Place>();

  private constructor(db: string, lock: FolderLock, view: IndexView) {
    this.#db = db;
    this.#lock = lock;
    this.#view = view;
    this.#index();
  }

  /**
   * Takes the folder's lock (ERR_VSSL_LOCKED where another process has it), and clears what a killed writer has left.
   * `header`: of a new index, if there is none yet.
   */
  static async open(
    db: string,
    {
      header,
      before = null,
      repair = false,
    }: { header?: IndexHeader; before?: IndexView | null; repair?: boolean },
  ): Promise<IndexWriter> {
    const lock = await lockFolder(db, USE).catch((error) => {
      throw writeError(db, error);
    });
    try {
      if (header && !(await readHeader(db))) await writeHeader(db, header);
      const view = await IndexView.open(db, before, repair);
      await removeOrphans(db, view.header);
      const writer = new IndexWriter(db, lock, view);
      if (repair) await writer.compact();
      return writer;
    } catch (error) {
      await lock.release();
      throw writeError(db, error);
    }
  }

  get view(): IndexView {
    return this.#view;
  }

  /** What is there of a video: its record and its rows as they are kept. null: nothing. */
  async read(key: string): Promise<NewVideo | null> {
    const place = this.#places.get(key);
    const view = this.#view.shards.find(({ shard }) => shard.number === place?.shard);
    if (!place || !view) return null;
    const { lines } = view.shard;
    const line = lines.lineAt(place.at);
    const rows = await view.shard.read(place.at, place.at + lines.vectorsOf(line));
    return { record: lines.record(line), rows };
  }

  /** Commits videos; one with the key of another takes its place. All of them are on the disk when it returns. */
  async add(videos: readonly NewVideo[]): Promise<void> {
    if (videos.length === 0) return;
    const { shard } = await this.#lastShard();
    let at = shard.lines.vectors;
    const lines = videos.map(({ record, rows }) => {
      const count = rows.length / this.#view.header.dim;
      const key = keyOf(record);
      const line = encodeLine(count, at, this.#forget([key]), record);
      this.#places.set(key, { shard: shard.number, at });
      at += count;
      return line;
    });
    const bytes = Buffer.concat(videos.map(({ rows }) => bytesOf(rows)));
    await this.#append(shard, bytes, lines.join(''));
  }

  /** Takes videos away, by their keys; those that are not there are none. Returns how many there were. */
  async remove(keys: Iterable<string>): Promise<number> {
    const places = this.#forget(keys);
    if (places.length === 0) return 0;
    const { shard } = await this.#lastShard();
    await this.#append(shard, new Uint8Array(0), encodeLine(0, shard.lines.vectors, places, null));
    return places.length;
  }

  /**
   * Writes all that is there into new shards, without what is gone, and puts them in the place of the old ones by one
   * rename. Readers of the old ones go on with what they hold.
   */
  async compact(signal?: AbortSignal): Promise<void> {
    const old = this.#view;
    const first = old.header.next;
    let header: IndexHeader = { ...old.header, shards: [] };
    try {
      let target: Shard | null = null;
      for (const view of old.shards)
        for (const group of groupsOf(view)) {
          throwIfAborted(signal);
          if (!target || isFull(target, header)) {
            await target?.close();
            const added = withNewShard(header);
            header = added.header;
            target = new Shard(this.#db, added.name, header);
            await target.create();
          }
          await copyLines(view, group, target, header);
        }
      await target?.close();
      await writeHeader(this.#db, header);
    } catch (error) {
      for (let n = first; n < header.next; n++) await removeShard(this.#db, String(n).padStart(6, '0'));
      throw writeError(this.#db, error);
    }
    for (const { shard } of old.shards) await shard.close();
    this.#view = await IndexView.open(this.#db);
    this.#index();
    for (const name of old.header.shards) await removeShard(this.#db, name);
  }

  async close(): Promise<void> {
    for (const { shard } of this.#view.shards) await shard.close();
    await this.#lock.release();
  }

  /** Where videos were that are there. */
  #forget(keys: Iterable<string>): Place[] {
    const places: Place[] = [];
    for (const key of keys) {
      const place = this.#places.get(key);
      if (place) places.push(place);
      this.#places.delete(key);
    }
    return places;
  }

  async #append(shard: Shard, vectors: Uint8Array, lines: string): Promise<void> {
    try {
      await shard.append(vectors, lines, this.#view.onGone);
    } catch (error) {
      // some may be committed, and some not: the keys are those of the disk
      this.#index();
      throw writeError(this.#db, error);
    }
  }

  /** The shard that grows; a new one where there is none, or the last is full. */
  async #lastShard(): Promise<ShardView> {
    const last = this.#view.shards.at(-1);
    if (last && !isFull(last.shard, this.#view.header)) return last;
    await last?.shard.close();
    const { header, name } = withNewShard(this.#view.header);
    try {
      await new Shard(this.#db, name, header).create();
      await writeHeader(this.#db, header);
    } catch (error) {
      throw writeError(this.#db, error);
    }
    this.#view = await IndexView.open(this.#db, this.#view);
    return this.#view.shards.at(-1)!;
  }

  #index(): void {
    this.#places.clear();
    for (const { record, place } of this.#view.videos()) this.#places.set(keyOf(record), place);
  }
}

function isFull(shard: Shard, header: IndexHeader): boolean {
  return shard.lines.vectors * rowBytes(header) >= SHARD_BYTES;
}

/** Vectors that are copied at once. */
const GROUP_VECTORS = 10_000;

/** Lines that are there, some at a time. */
function* groupsOf({ shard: { lines }, gone }: ShardView): Generator<number[], void, undefined> {
  let group: number[] = [];
  let vectors = 0;
  for (let line = 0; line < lines.count; line++) {
    if (lines.vectorsOf(line) === 0 || gone.has(line)) continue;
    group.push(line);
    vectors += lines.vectorsOf(line);
    if (vectors < GROUP_VECTORS) continue;
    yield group;
    group = [];
    vectors = 0;
  }
  if (group.length > 0) yield group;
}

async function copyLines(
  { shard }: ShardView,
  group: readonly number[],
  target: Shard,
  header: IndexHeader,
): Promise<void> {
  const { lines } = shard;
  const [first, last] = [group[0]!, group.at(-1)!];
  const from = lines.first(first);
  const all = await shard.read(from, lines.first(last) + lines.vectorsOf(last));
  const wanted: number[] = [];
  const texts: string[] = [];
  for (const line of group) {
    const count = lines.vectorsOf(line);
    texts.push(encodeLine(count, target.lines.vectors + wanted.length, [], lines.record(line)));
    for (let i = 0; i < count; i++) wanted.push(lines.first(line) - from + i);
  }
  const rows = gatherRows(all, wanted, header);
  await target.append(bytesOf(rows), texts.join(''), () => {});
}

/** Shards that no header names: of a compaction, or a new shard, that was killed before it was committed. */
async function removeOrphans(db: string, { shards }: IndexHeader): Promise<void> {
  for (const name of await readdir(db)) {
    const [, shard] = /^(\d{6,})\.(?:vectors|rows)$/.exec(name) ?? [];
    if ((shard !== undefined && !shards.includes(shard)) || name.endsWith('.tmp'))
      await rm(join(db, name), { force: true });
  }
}

async function removeShard(db: string, name: string): Promise<void> {
  for (const kind of ['vectors', 'rows']) await rm(join(db, `${name}.${kind}`), { force: true });
}
