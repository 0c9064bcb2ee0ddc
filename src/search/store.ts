/**
 * What an index needs of whatever keeps its vectors: the folder of shards (flat-store.ts), or a table of LanceDB
 * (lance-store.ts). Everything else is the same over both: what is found follows from what is here alone.
 */
import type { VsslError } from '../errors.js';
import type { IndexHeader } from './header.js';
import type { VideoRecord } from './row-lines.js';
import type { VectorRows } from './vectors.js';

/** Columns and globs of which one has to match: `{ label: ['walk*'], path: ['*.mp4'] }`. */
export type RowFilter = Readonly<Record<string, readonly string[]>>;

/** Tells a video of a view from its others. */
export type VideoId = number | bigint;

/** A window that was found. */
export interface Found {
  readonly video: VideoId;
  /** Number of the window within the video. */
  readonly window: number;
  readonly score: number;
}

/** A video that is there. */
export interface StoredVideo {
  readonly id: VideoId;
  readonly record: VideoRecord;
}

/** A video to commit, or as it is kept: its rows of numbers as they are on the disk. */
export interface NewVideo {
  readonly record: VideoRecord;
  readonly rows: VectorRows;
}

/** Rows that may be found. */
export interface SearchedRows {
  readonly count: number;
  /**
   * The best for each of several queries, which are read together: best first, and of equal ones the one that was committed
   * first. Queries have length 1, one after the other.
   */
  nearest(queries: Float32Array, top: number, signal: AbortSignal | undefined): Promise<Found[][]>;
}

/** What an index holds at one moment. A search keeps the view that it began with, whatever is written meanwhile. */
export interface StoreView {
  readonly header: IndexHeader;
  /** Numbers of videos and vectors, of vectors that only take room, and of files that hold them. */
  counts(): Promise<{ videos: number; vectors: number; gone: number; shards: number }>;
  /** In the order in which they were committed. */
  videos(): AsyncIterable<StoredVideo>;
  /** All rows, or those whose videos pass a filter. */
  rows(filter: RowFilter | null): Promise<SearchedRows>;
  /** What is said of videos, in the order of their ids; those that are there. */
  records(ids: readonly VideoId[]): Promise<Map<VideoId, VideoRecord>>;
  /** Videos with their vectors, in the order of the ids. */
  read(ids: readonly VideoId[]): AsyncIterable<StoredVideo & NewVideo>;
}

/** Calls come one after the other; what views do goes on beside them. */
export interface IndexStore {
  readonly header: IndexHeader;
  /** As it is now, with what others have committed. */
  view(): Promise<StoreView>;
  /** Commits videos; one with the key of another takes its place. All of them are committed when it returns. */
  add(videos: readonly NewVideo[]): Promise<void>;
  /** Takes away all videos of some paths, and those of some keys. Returns how many there were. */
  remove(paths: ReadonlySet<string>, keys: ReadonlySet<string>): Promise<number>;
  /** What is there of a video. null: nothing. */
  read(key: string): Promise<NewVideo | null>;
  /** Frees the room of what is gone. */
  compact(signal: AbortSignal | undefined): Promise<void>;
  close(): Promise<void>;
  /** Of an error in a view's work: what to say if newer views do not help; null: a newer one is no help. */
  outdated(error: unknown, view: StoreView): Promise<VsslError | null>;
}
