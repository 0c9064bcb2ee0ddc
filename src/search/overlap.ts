/**
 * Where two videos show the same: the stretch of one that is most like a stretch of the other, in the same order, at the
 * same pace or nearly so.
 */

import { RichestRun } from './richest-run.js';

/** The windows of a video: when each begins and ends, in seconds, in order. */
export interface Timeline {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** What two videos have in common. */
export interface SharedStretch {
  /** Seconds of each file. */
  readonly first: readonly [start: number, end: number];
  readonly second: readonly [start: number, end: number];
  /** Seconds of the second video for one of the first. */
  readonly pace: number;
}

export interface Overlap extends SharedStretch {
  /** Mean cosine over the windows of the stretch. */
  readonly similarity: number;
  /** Windows of the first video. */
  readonly windows: number;
}

/** Paces that are tried: films are sped up by 4 % for television, and cameras drop frames. */
const PACES = [1, 0.96, 1.04, 0.92, 1.08];

/**
 * The stretch with the largest sum of (likeness - bar) over its windows; where no window is above the bar, the one that
 * comes nearest. `scores`: likeness of each window of the first video to each of the second, (first, second).
 */
export function bestOverlap(a: Timeline, b: Timeline, scores: Float32Array, bar: number): Overlap {
  let best: Overlap | null = null;
  let most = Number.NEGATIVE_INFINITY;
  const path = new Int32Array(a.starts.length);
  const gaps: Gaps = [gap(a.starts), gap(b.starts)];
  for (const pace of PACES) {
    // at another pace a short stretch is the same windows once more
    if (pace !== 1 && (a.starts.length < 4 || b.starts.length < 4)) continue;
    for (const shift of shiftsOf(a, b, pace, gaps)) {
      windowsBeside(path, a, b, pace, shift, gaps);
      const { from, to, sum } = richestRun(path, scores, b.starts.length, bar);
      // the plain pace is listed first, and another one has to be better
      if (from < 0 || sum <= most + 1e-9) continue;
      most = sum;
      best = overlapOf(a, b, path, scores, from, to, pace);
    }
  }
  return best!;
}

/** Seconds from one window to the next, of each video. */
type Gaps = readonly [number, number];

/** Each place at which a window of one begins with a window of the other. */
function shiftsOf(a: Timeline, b: Timeline, pace: number, gaps: Gaps): Iterable<number> {
  const seen = new Map<number, number>();
  const step = Math.min(...gaps) / 2;
  for (const start of b.starts) {
    for (const own of [a.starts[0]!, a.starts.at(-1)!]) {
      const shift = start - pace * own;
      seen.set(Math.round(shift / step), shift);
    }
  }
  for (const own of a.starts)
    for (const start of [b.starts[0]!, b.starts.at(-1)!]) {
      const shift = start - pace * own;
      const key = Math.round(shift / step);
      if (!seen.has(key)) seen.set(key, shift);
    }
  return seen.values();
}

/** Of each window of the first video the one of the second that lies beside it; -1: none does. Written to `path`. */
function windowsBeside(
  path: Int32Array,
  a: Timeline,
  { starts }: Timeline,
  pace: number,
  shift: number,
  gaps: Gaps,
): void {
  const near = Math.max(...gaps) / 2 + 1e-3;
  let place = 0;
  for (let i = 0; i < path.length; i++) {
    const time = pace * a.starts[i]! + shift;
    let off = Math.abs(starts[place]! - time);
    for (let next = place + 1; next < starts.length; next++) {
      const nextOff = Math.abs(starts[next]! - time);
      if (nextOff > off) break;
      [place, off] = [next, nextOff];
    }
    path[i] = off <= near ? place : -1;
  }
}

/** The run of windows [from, to] whose likeness is above the bar by the most in all. */
function richestRun(path: Int32Array, scores: Float32Array, count: number, bar: number) {
  const run = new RichestRun(0, Number.NEGATIVE_INFINITY);
  for (let i = 0; i < path.length; i++) {
    const j = path[i]!;
    if (j < 0) run.restart(i + 1);
    else run.add(i, scores[i * count + j]! - bar);
  }
  return run;
}

function overlapOf(
  a: Timeline,
  b: Timeline,
  path: Int32Array,
  scores: Float32Array,
  from: number,
  to: number,
  pace: number,
): Overlap {
  let sum = 0;
  for (let i = from; i <= to; i++) sum += scores[i * b.starts.length + path[i]!]!;
  return {
    similarity: sum / (to - from + 1),
    windows: to - from + 1,
    first: [a.starts[from]!, a.ends[to]!],
    second: [b.starts[path[from]!]!, b.ends[path[to]!]!],
    pace,
  };
}

/** Seconds from one window to the next; of a single window as long as it is. */
function gap(starts: readonly number[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 1; i < starts.length; i++) least = Math.min(least, starts[i]! - starts[i - 1]!);
  return Number.isFinite(least) ? Math.max(least, 1e-3) : 1;
}
