import type { UnusableVideo } from '../embed/unusable.js';
import type { LibraryVideo } from './library.js';

/** Two videos, and the stretch of each that is most like one of the other. */
export interface Alike {
  readonly a: LibraryVideo;
  readonly b: LibraryVideo;
  /** Seconds of each file. */
  readonly first: readonly [start: number, end: number];
  readonly second: readonly [start: number, end: number];
  /** Seconds of the second for one of the first. */
  readonly pace: number;
  readonly similarity: number;
}

export interface Compared {
  readonly threshold: number;
  readonly expectedPrecision: number | null;
  readonly alike: readonly Alike[];
  /** Videos that could not be compared. */
  readonly unread: readonly UnusableVideo[];
}
