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
import { type DuplicateOptions, type Duplicates, findDuplicates } from './duplicates.js';
import { STORES } from './header.js';
import { checkFilter, checkQuery, newVideo } from './index-checks.js';
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
import { openStore } from './open-store.js';
import { keyOf } from './row-lines.js';
import { type FoundScene, searchScenes } from './scenes.js';
import { searchView } from './search-view.js';
import type { Found, IndexStore, StoreView } from './store.js';

/**
 * Vectors of videos in a folder, and an exact search over them. Any number of processes may read it beside one that
 * writes: they see whole videos, and what is committed as soon as it is. Calls may be made at once; the event loop stays
 * free. What add and remove have committed survives the end of the process at any moment.
 */
export class VideoIndex {
  readonly #store: IndexStore;
  /** Calls that look at the store, or change it, one after the other. */
  #turns: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(store: IndexStore) {
    this.#store = store;
  }

  /**
   * Opens an index, or makes one. Throws ERR_VSSL_INDEX when there is none, or a damaged one; ERR_VSSL_INDEX_MISMATCH
   * for that of another encoder, other windows or another store; ERR_VSSL_LOCKED when it has to be made or repaired and
   * another process writes to it; ERR_VSSL_ENVIRONMENT when the packages of its store are missing; ERR_VSSL_WRITE.
   */
  static async open(db: string, options: OpenIndexOptions = {}): Promise<VideoIndex> {
    checkText('db', 'a folder', db);
    checkOptions(options, ['encoder', 'create', 'type', 'settings', 'store', 'repair', 'signal']);
    const { encoder, create, type, store, repair, signal } = options;
    if (create !== undefined) checkBoolean('create', create);
    if (type !== undefined) checkOneOf('type', type, ['fp16', 'fp32']);
    if (store !== undefined) checkOneOf('store', store, STORES);
    if (repair !== undefined) checkBoolean('repair', repair);
    checkSignal(signal);
    if (encoder !== undefined) {
      checkText('encoder.digest', 'a digest', encoder.digest);
      checkCount('encoder.dim', encoder.dim, 1, 2 ** 20);
    }
    const opened = await openStore(resolve(db), options);
    return new VideoIndex(opened);
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
    const all = Array.isArray(entries) ? (entries as readonly IndexEntry[]) : [entries as IndexEntry];
    const videos = all.map((entry) => newVideo(entry, this.#store.header));
    await this.#inTurn(async () => {
      throwIfAborted(signal);
      await this.#store.add(videos);
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
    return this.#inTurn(() => {
      throwIfAborted(signal);
      return this.#store.remove(paths, keys);
    });
  }

  /**
   * The vectors of a video under another name, to the bit: the file was moved, or copied. The old name stays. Returns
   * whether there was one.
   */
  async copy(from: string | VideoName, to: Omit<IndexEntry, 'windows'>): Promise<boolean> {
    checkText('to.path', 'a path', to.path);
    const key = keyOf(typeof from === 'string' ? { path: from } : from);
    return this.#inTurn(async () => {
      const video = await this.#store.read(key);
      if (!video) return false;
      await this.#store.add([{ record: { ...to, times: video.record.times }, rows: video.rows }]);
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
    const wanted = checkQuery(query, this.#store.header.dim);
    const how = { top, perVideo, filter, signal };
    return this.#read(async (view) => {
      if ('offsets' in wanted) return (await searchScenes(view, wanted, how)).map(sceneHit);
      return windowHits(view, await searchView(view, wanted.vectors, how));
    });
  }

  /**
   * Videos that show the same, all of it or a part of it, whatever their size, encoding, crop or (nearly) pace, and where.
   * Every window is compared with every other, and then the pictures of what is near. Throws ERR_VSSL_INVALID_ARGUMENT,
   * ERR_VSSL_INDEX, ERR_VSSL_NO_USABLE_VIDEO where no file can be read, and the signal's reason.
   */
  async duplicates(options: DuplicateOptions = {}): Promise<Duplicates> {
    checkOptions(options, ['compare', 'threshold', 'precision', 'signal', 'onProgress']);
    if (options.compare !== undefined) checkOneOf('compare', options.compare, ['pictures', 'vectors']);
    for (const name of ['threshold', 'precision'] as const) {
      const value = options[name];
      if (value !== undefined && !(value > 0 && value <= 1))
        throw invalidArgument(name, 'a number above 0, to 1', value);
    }
    checkSignal(options.signal);
    return this.#read((view) => findDuplicates(view, options));
  }

  /** Videos that are there, in the order in which they were committed. */
  async *videos(): AsyncGenerator<IndexedVideo, void, undefined> {
    const view = await this.#inTurn(() => this.#store.view());
    for await (const { record } of view.videos()) yield record;
  }

  async stats(): Promise<IndexStats> {
    const { dim, type, encoder, settings, store } = this.#store.header;
    const { vectors, ...counts } = await this.#read((view) => view.counts());
    return { ...counts, windows: vectors, dim, type, encoder, settings, store };
  }

  /** Frees the room of what is gone, by writing the rest anew. Throws like add, and the signal's reason. */
  async compact(options: { signal?: AbortSignal } = {}): Promise<void> {
    checkOptions(options, ['signal']);
    const signal = checkSignal(options.signal);
    await this.#inTurn(() => this.#store.compact(signal));
  }

  /** Waits for what is being written, and lets another process write. Any number of times. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#afterTurns(() => this.#store.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Work over the newest view; again when what it reads was put together anew meanwhile. */
  async #read<T>(work: (view: StoreView) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const view = await this.#inTurn(() => this.#store.view());
      try {
        return await work(view);
      } catch (error) {
        const damage = await this.#store.outdated(error, view);
        if (!damage) throw error;
        if (attempt === 10) throw damage;
      }
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new VsslError('ERR_VSSL_DISPOSED', 'this index was closed: open it again');
    return this.#afterTurns(work);
  }

  #afterTurns<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turns.then(work);
    this.#turns = turn.catch(() => {});
    return turn;
  }
}

async function windowHits(view: StoreView, found: readonly Found[]): Promise<SearchHit[]> {
  const records = await view.records([...new Set(found.map(({ video }) => video))]);
  return found.map(({ video, window, score }) => {
    const record = records.get(video)!;
    const [start, end] = record.times.slice(2 * window, 2 * window + 2);
    return hitOf(record, score, start, end);
  });
}

function sceneHit({ video, start, end, score }: FoundScene): SearchHit {
  return hitOf(video.record, score, start, end);
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
