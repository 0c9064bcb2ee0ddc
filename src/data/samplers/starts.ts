import type { Rng } from '../rng.js';
import { drawGap, type GapLaw } from './gap.js';

/** What the samplers must know of a video and of the clips to cut from it, in frames of the video's clock. */
export interface ClipSpan {
  /** L: frames of the video. */
  readonly length: number;
  /** n: frames of a clip. */
  readonly frames: number;
  /** s: frames of the video from one frame of the clip to the next. */
  readonly stride: number;
}

/** How many starts leave the whole clip within the video; 0 when the video is shorter than the clip. */
export function countStarts({ length, frames, stride }: ClipSpan): number {
  return Math.max(0, length - (frames - 1) * stride);
}

/**
 * Starts of CVRL's two clips: a gap t from P(t), the earlier start uniform in [0, tMax - t), and a coin that says which
 * of the two views is the earlier one. A video shorter than a clip has two independent starts anywhere in it, and the
 * clips run round its end (methods: section 1.2).
 */
export function drawPairStarts(span: ClipSpan, law: GapLaw, rng: Rng): [number, number] {
  const starts = countStarts(span);
  const swap = rng.fork('swap').bool(0.5);
  let a: number;
  let b: number;
  if (starts === 0) {
    const place = rng.fork('start');
    a = place.int(span.length);
    b = law.kind === 'same' ? a : place.int(span.length);
  } else {
    const gap = drawGap(law, starts, rng.fork('gap'));
    a = rng.fork('start').int(starts - gap);
    b = a + gap;
  }
  return swap ? [b, a] : [a, b];
}

/** How far apart two clips may begin, in frames of the video's clock. */
export interface ShiftRange {
  readonly least: number;
  readonly most: number;
}

/**
 * Starts of two clips that begin at least `least` and at most `most` frames apart, the distance uniform over what the
 * video allows and a coin for which comes first (MoDist). A video too short for `least` has its clips as far apart as it
 * allows; one shorter than a clip is looped, and its clips begin half a video apart.
 */
export function drawShiftedStarts(span: ClipSpan, range: ShiftRange, rng: Rng): [number, number] {
  const starts = countStarts(span);
  const swap = rng.fork('swap').bool(0.5);
  const place = rng.fork('start');
  let a: number;
  let b: number;
  if (starts === 0) {
    a = place.int(span.length);
    b = (a + (span.length >> 1)) % span.length;
  } else {
    const farthest = starts - 1;
    const least = Math.min(range.least, farthest);
    const most = Math.max(least, Math.min(range.most, farthest));
    const shift = least + rng.fork('shift').int(most - least + 1);
    a = place.int(starts - shift);
    b = a + shift;
  }
  return swap ? [b, a] : [a, b];
}

/** `count` independent starts, uniform over the video; `same`: one start for all. */
export function drawUniformStarts(span: ClipSpan, count: number, same: boolean, rng: Rng): number[] {
  const starts = countStarts(span) || span.length;
  const first = rng.int(starts);
  return Array.from({ length: count }, (_, i) => (i === 0 || same ? first : rng.int(starts)));
}

/**
 * Starts of two clips, one in [0, counts[0]) and one in [0, counts[1]): every pair that lies at most `most` frames apart
 * is as likely as every other.
 */
export function drawStartsWithin(
  counts: readonly [number, number],
  most: number,
  rng: Rng,
): [number, number] {
  const [a, b] = counts;
  const lowest = -Math.min(most, a - 1);
  const highest = Math.min(most, b - 1);
  const before = pairsUpTo(a, b, lowest - 1);
  const left = Math.floor(rng.next() * (pairsUpTo(a, b, highest) - before));
  // The first gap that has more pairs up to it than are left of it.
  let low = lowest;
  let high = highest;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (pairsUpTo(a, b, middle) - before > left) high = middle;
    else low = middle + 1;
  }
  const first = Math.max(0, -low) + (left - (pairsUpTo(a, b, low - 1) - before));
  return [first, first + low];
}

/** Pairs of a start in [0, a) and one in [0, b) that lies at most `gap` frames after the first, from a - 1 before it on. */
function pairsUpTo(a: number, b: number, gap: number): number {
  // At gap g there are min(u, a, b, a + b - u) of them with u = g + a: they rise by one, stay, and fall by one.
  const u = Math.min(Math.max(0, gap + a), a + b - 1);
  const least = Math.min(a, b);
  const rising = Math.min(u, least);
  const level = Math.max(0, Math.min(u, Math.max(a, b)) - least);
  const falling = Math.max(0, u - Math.max(a, b));
  return (rising * (rising + 1)) / 2 + level * least + falling * least - (falling * (falling + 1)) / 2;
}

/**
 * Starts of `count` evaluation windows, evenly spread from the first to the last place where a clip fits; a single one
 * is in the middle. A video shorter than a clip has only its beginning.
 */
export function spreadStarts(span: ClipSpan, count: number): number[] {
  const last = Math.max(0, countStarts(span) - 1);
  if (count === 1) return [Math.floor(last / 2)];
  return Array.from({ length: count }, (_, i) => Math.round((i * last) / (count - 1)));
}
