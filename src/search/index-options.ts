/** What VideoIndex takes and gives. */
import type { IndexSettings, StoreName, VectorType } from './header.js';
import type { VideoRecord } from './row-lines.js';

/** Whose vectors an index holds. */
export interface EncoderOfIndex {
  /** As VideoEncoder.digest() gives it; or any text that names what made the vectors. */
  readonly digest: string;
  readonly dim: number;
}

export interface OpenIndexOptions {
  /**
   * The encoder whose vectors the index holds. Makes the index when there is none; refuses that of another encoder with
   * ERR_VSSL_INDEX_MISMATCH. Without it the index has to be there.
   */
  readonly encoder?: EncoderOfIndex;
  /** false: the index has to be there, whatever the encoder; for programs that only search. Default true. */
  readonly create?: boolean;
  /** How vectors are kept in a new index. Default fp16. */
  readonly type?: VectorType;
  /** How videos are cut into windows; other settings than those of the index are refused. */
  readonly settings?: IndexSettings;
  /**
   * What keeps the vectors of a new index. `flat` (default): files of this package. `lancedb`: a table of LanceDB, for more
   * vectors than there is memory and for several writers; needs the packages @lancedb/lancedb and apache-arrow.
   */
  readonly store?: StoreName;
  /** Keeps the whole rows of a damaged index, and leaves out what is damaged. */
  readonly repair?: boolean;
  readonly signal?: AbortSignal;
}

/** A video for an index: its vectors, of any length, in the order of time. */
export interface IndexEntry extends Omit<VideoRecord, 'times'> {
  readonly windows: readonly IndexWindow[];
}

/** A video of an index: the file, or a part of it that is a video of its own. */
export type VideoName = Pick<VideoRecord, 'path' | 'part'>;

/** A vector, and what of the video it is of; both absent: all of it. */
export interface IndexWindow {
  readonly start?: number;
  readonly end?: number;
  readonly vector: Float32Array;
}

export interface SearchOptions {
  /** Windows, or videos, at most. Default 10. */
  readonly top?: number;
  /** The best window of each video alone. Default: all windows. */
  readonly perVideo?: boolean;
  /** Only videos in which every named column (path, label, group, a further one) matches its glob, or one of several. */
  readonly filter?: Readonly<Record<string, string | readonly string[]>>;
  readonly signal?: AbortSignal;
}

/** A window that is like the query. */
export interface SearchHit {
  readonly path: string;
  /** Seconds of the file; absent: all of it. */
  readonly start?: number;
  readonly end?: number;
  /** Cosine, from -1 to 1. */
  readonly similarity: number;
  readonly label?: string;
  readonly group?: string;
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** A video of an index, and the times of its windows: start, end, start, end... */
export type IndexedVideo = VideoRecord;

export interface IndexStats {
  readonly videos: number;
  /** Vectors of these. */
  readonly windows: number;
  /** Vectors of videos that are gone or were replaced; `compact` frees their room. */
  readonly gone: number;
  readonly dim: number;
  readonly type: VectorType;
  readonly encoder: string;
  readonly settings: IndexSettings | null;
  readonly store: StoreName;
  /** Files of vectors; of a table of LanceDB its fragments. */
  readonly shards: number;
}
