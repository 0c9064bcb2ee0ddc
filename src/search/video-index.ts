import { mkdir, readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  checkBoolean,
  checkCount,
  checkOneOf,
  checkOptions,
  checkSignal,
  checkText,
  throwIfAborted,
} from '../checks.js';
import { invalidArgument, VsslError } from '../errors.js';
import { writeError } from '../weights/atomic-write.js';
import { type DuplicateOptions, type Duplicates, findDuplicates } from './duplicates.js';
import { type IndexHeader, indexError, readHeader } from './header.js';
import { checkFilter, checkQuery, checkSame, newVideo } from './index-checks.js';
import type {
  IndexEntry,
  IndexedVideo,
  IndexStats,
  IndexWindow,
  OpenIndexOptions,
  SearchHit,
  SearchOptions,
  VideoName,
} from './index-options.js';
import { IndexView } from './index-view.js';
import { IndexWriter } from './index-writer.js';
import { keyOf } from './row-lines.js';
import { type FoundScene, searchScenes } from './scenes.js';
import { type Found, searchView } from './search-view.js';

/**
 * Vectors of videos in a folder, and an exact search over them. Any number of processes may read it beside one that
 * writes: they see whole videos, and what is committed as soon as it is. Calls may be made at once; the event loop stays
 * free. What add and remove have committed survives the end of the process at any moment.
 */
export class VideoIndex {
  readonly #db: string;
  #view: IndexView;
  #writer: IndexWriter | null;
  /** Calls that look at the folder, or change it, one after the other. */
  #turns: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(db: string, view: IndexView, writer: IndexWriter | null) {
    this.#db = db;
    this.#view = view;
    this.#writer = writer;
  }

  /**
   * Opens an index, or makes one. Throws ERR_VSSL_INDEX when there is none, or a damaged one; ERR_VSSL_INDEX_MISMATCH
   * for that of another encoder or other windows; ERR_VSSL_LOCKED when it has to be made or repaired and another process
   * writes to it; ERR_VSSL_WRITE.
   */
  static async open(db: string, options: OpenIndexOptions = {}): Promise<VideoIndex> {
    checkText('db', 'a folder', db);
    checkOptions(options, ['encoder', 'create', 'type', 'settings', 'repair', 'signal']);
    const { encoder, create = true, type = 'fp16', settings, repair = false, signal } = options;
    checkOneOf('type', type, ['fp16', 'fp32']);
    checkBoolean('create', create);
    checkBoolean('repair', repair);
    checkSignal(signal);
    if (encoder !== undefined) {
      checkText('encoder.digest', 'a digest', encoder.digest);
      checkCount('encoder.dim', encoder.dim, 1, 2 ** 20);
    }
    const folder = resolve(db);
    const header = await readHeader(folder);
    if (!header && encoder && create) {
      await makeFolder(folder);
      const { digest, dim } = encoder;
      const fresh: IndexHeader = {
        ...{ dim, type, encoder: digest, settings: settings ?? null, shards: [], next: 1 },
      };
      const writer = await IndexWriter.open(folder, { header: fresh });
      // another process may have been faster
      checkSame(folder, writer.view.header, options);
      return new VideoIndex(folder, writer.view, writer);
    }
    if (header) checkSame(folder, header, options);
    if (!repair) return new VideoIndex(folder, await IndexView.open(folder), null);
    const writer = await IndexWriter.open(folder, { repair });
    return new VideoIndex(folder, writer.view, writer);
  }

  /**
   * Commits videos, each as a whole; one with the path (and part) of another takes its place. Throws
   * ERR_VSSL_INVALID_ARGUMENT for what is no vector of the index's length, ERR_VSSL_LOCKED when another process writes,
   * and ERR_VSSL_WRITE; videos before that one may be committed.
   */
  async add(
    entries: IndexEntry | readonly IndexEntry[],
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    checkOptions(options, ['signal']);
    const signal = checkSignal(options.signal);
    const { header } = this.#view;
    const all = Array.isArray(entries) ? (entries as readonly IndexEntry[]) : [entries as IndexEntry];
    const videos = all.map((entry) => newVideo(entry, header));
    await this.#write(async (writer) => {
      throwIfAborted(signal);
      await writer.add(videos);
    });
  }

  /** Takes videos away: a path is all parts of that file. Returns how many there were. */
  async remove(
    videos: string | VideoName | readonly (string | VideoName)[],
    options: { signal?: AbortSignal } = {},
  ): Promise<number> {
    checkOptions(options, ['signal']);
    const signal = checkSignal(options.signal);
    const names = Array.isArray(videos) ? (videos as readonly (string | VideoName)[]) : [videos as VideoName];
    const paths = new Set(names.filter((name) => typeof name === 'string'));
    const keys = new Set(names.flatMap((name) => (typeof name === 'string' ? [] : [keyOf(name)])));
    return this.#write(async (writer) => {
      throwIfAborted(signal);
      if (paths.size > 0)
        for (const { record } of writer.view.videos()) if (paths.has(record.path)) keys.add(keyOf(record));
      return writer.remove(keys);
    });
  }

  /**
   * The vectors of a video under another name, to the bit: the file was moved, or copied. The old name stays. Returns
   * whether there was one.
   */
  async copy(from: string | VideoName, to: Omit<IndexEntry, 'windows'>): Promise<boolean> {
    checkText('to.path', 'a path', to.path);
    const key = keyOf(typeof from === 'string' ? { path: from } : from);
    return this.#write(async (writer) => {
      const video = await writer.read(key);
      if (!video) return false;
      await writer.add([{ record: { ...to, times: video.record.times }, rows: video.rows }]);
      return true;
    });
  }

  /**
   * The windows nearest to a vector, best first; of equal ones the one that was committed first. Exact. Of several windows
   * with their times, a scene, the places in videos where it is found as a whole: what follows must follow there as well;
   * the similarity is the mean over its windows. Throws ERR_VSSL_INVALID_ARGUMENT and ERR_VSSL_INDEX.
   */
  async search(
    query: Float32Array | readonly IndexWindow[],
    options: SearchOptions = {},
  ): Promise<SearchHit[]> {
    checkOptions(options, ['top', 'perVideo', 'filter', 'signal']);
    const { top = 10, perVideo = false } = options;
    checkCount('top', top);
    checkBoolean('perVideo', perVideo);
    const signal = checkSignal(options.signal);
    const filter = options.filter === undefined ? null : checkFilter(options.filter);
    this.#check();
    const wanted = checkQuery(query, this.#view.header.dim);
    const how = { top, perVideo, filter, signal };
    for (let attempt = 1; ; attempt++) {
      const view = await this.#refresh();
      try {
        if ('offsets' in wanted) return (await searchScenes(view, wanted, how)).map(sceneHit);
        return (await searchView(view, wanted.vectors, how)).map(windowHit);
      } catch (error) {
        // a compaction has taken the place of shards that were not in memory yet
        const { code, path } = error as NodeJS.ErrnoException;
        if (code !== 'ENOENT') throw error;
        if (attempt === 10)
          throw indexError(this.#db, `${path} is missing; put it back, or make the index again`);
      }
    }
  }

  /**
   * Videos that show the same, all of it or a part of it, whatever their size, encoding or (nearly) pace, and where. Every
   * window is compared with every other. Throws ERR_VSSL_INVALID_ARGUMENT, ERR_VSSL_INDEX and the signal's reason.
   */
  async duplicates(options: DuplicateOptions = {}): Promise<Duplicates> {
    checkOptions(options, ['threshold', 'precision', 'signal']);
    for (const name of ['threshold', 'precision'] as const) {
      const value = options[name];
      if (value !== undefined && !(value > 0 && value <= 1))
        throw invalidArgument(name, 'a number above 0, to 1', value);
    }
    checkSignal(options.signal);
    return await findDuplicates(await this.#refresh(), options);
  }

  /** Videos that are there, in the order in which they were committed. */
  async *videos(): AsyncGenerator<IndexedVideo, void, undefined> {
    const view = await this.#refresh();
    for (const { record } of view.videos()) yield record;
  }

  async stats(): Promise<IndexStats> {
    const view = await this.#refresh();
    const { dim, type, encoder, settings, shards } = view.header;
    const { videos, vectors, gone } = view.counts();
    return { videos, windows: vectors, gone, dim, type, encoder, settings, shards: shards.length };
  }

  /** Frees the room of what is gone, by writing the rest anew. Throws like add, and the signal's reason. */
  async compact(options: { signal?: AbortSignal } = {}): Promise<void> {
    checkOptions(options, ['signal']);
    const signal = checkSignal(options.signal);
    await this.#write((writer) => writer.compact(signal));
  }

  /** Waits for what is being written, and lets another process write. Any number of times. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#inTurn(async () => {
      await this.#writer?.close();
      this.#writer = null;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #check(): void {
    if (this.#closed) throw new VsslError('ERR_VSSL_DISPOSED', 'this index was closed: open it again');
  }

  /** The first call that writes takes the lock, which is held until close(). */
  #write<T>(work: (writer: IndexWriter) => Promise<T>): Promise<T> {
    this.#check();
    return this.#inTurn(async () => {
      this.#writer ??= await IndexWriter.open(this.#db, { before: this.#view });
      try {
        return await work(this.#writer);
      } finally {
        this.#view = this.#writer.view;
      }
    });
  }

  async #refresh(): Promise<IndexView> {
    this.#check();
    return this.#inTurn(async () => {
      // whoever writes knows what there is
      this.#view = this.#writer?.view ?? (await this.#view.refreshed());
      return this.#view;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turns.then(work);
    this.#turns = turn.catch(() => {});
    return turn;
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw writeError(folder, error);
  }
  const others = (await readdir(folder)).filter((name) => !/^(lock|\d{6,}\.)|\.tmp$/.test(name));
  if (others.length > 0)
    throw indexError(
      folder,
      `the folder holds other files (${others.slice(0, 3).join(', ')}) and no index; name an empty or a new one`,
    );
}

function windowHit({ view, line, window, score }: Found): SearchHit {
  const record = view.shard.lines.record(line);
  const [start, end] = record.times.slice(2 * window, 2 * window + 2);
  return hitOf(record, score, start, end);
}

function sceneHit({ view, line, start, end, score }: FoundScene): SearchHit {
  return hitOf(view.shard.lines.record(line), score, start, end);
}

function hitOf(
  { path, label, group, extra }: IndexedVideo,
  similarity: number,
  start: number | undefined,
  end: number | undefined,
): SearchHit {
  return {
    path,
    ...(start !== undefined && end !== undefined && { start, end }),
    similarity,
    ...(label !== undefined && { label }),
    ...(group !== undefined && { group }),
    ...(extra !== undefined && { extra }),
  };
}
