import type { UnusableVideo } from '../embed/unusable.js';
import type { LibraryVideo } from './library.js';
import type { SharedStretch } from './overlap.js';

/** Two videos, and the stretch of each that is most like one of the other. */
export interface Alike extends SharedStretch {
  readonly a: LibraryVideo;
  readonly b: LibraryVideo;
  readonly similarity: number;
}

export interface CompareOptions {
  /** undefined: chosen on the data. */
  readonly threshold: number | undefined;
  readonly precision: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((done: number, total: number) => void) | undefined;
}

export interface Compared {
  readonly threshold: number;
  readonly expectedPrecision: number | null;
  readonly alike: readonly Alike[];
  /** Videos that could not be compared. */
  readonly unread: readonly UnusableVideo[];
}
