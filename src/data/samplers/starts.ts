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
 * A video with room for one start alone, or none, cannot give clips that differ: it is run round its end, and a clip may
 * begin at any of its frames. That is the rule of all samplers of several clips; `places` counts the starts by it.
 */
export function placesFor(span: ClipSpan): { readonly places: number; readonly isLooped: boolean } {
  const starts = countStarts(span);
  return starts > 1 ? { places: starts, isLooped: false } : { places: span.length, isLooped: true };
}

/** In a looped video no two clips begin at one frame, unless it has no other: the second begins a frame later. */
export function differingStart(first: number, second: number, { length }: ClipSpan): number {
  return first === second ? (second + 1) % length : second;
}

/**
 * Starts of CVRL's two clips: a gap t from P(t), the earlier start uniform in [0, tMax - t), and a coin that says which
 * of the two views is the earlier one. A video without room for two starts has two anywhere in it, and the clips run
 * round its end (methods: section 1.2).
 */
export function drawPairStarts(span: ClipSpan, law: GapLaw, rng: Rng): [number, number] {
  const { places, isLooped } = placesFor(span);
  const swap = rng.fork('swap').bool(0.5);
  let a: number;
  let b: number;
  if (law.kind === 'same') {
    a = b = rng.fork('start').int(countStarts(span) || span.length);
  } else if (isLooped) {
    const place = rng.fork('start');
    a = place.int(places);
    b = differingStart(a, place.int(places), span);
  } else {
    const gap = drawGap(law, places, rng.fork('gap'));
    a = rng.fork('start').int(places - gap);
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
 * video allows and a coin for which comes first (MoDist). A video too short for `least` has a distance from the upper half
 * of those that fit; one without room for two starts is looped, and its clips begin half a video apart.
 */
export function drawShiftedStarts(span: ClipSpan, range: ShiftRange, rng: Rng): [number, number] {
  const { places, isLooped } = placesFor(span);
  const swap = rng.fork('swap').bool(0.5);
  const place = rng.fork('start');
  let a: number;
  let b: number;
  if (isLooped) {
    a = place.int(places);
    b = (a + (places >> 1)) % places;
  } else {
    const farthest = places - 1;
    const least = range.least <= farthest ? range.least : Math.ceil(farthest / 2);
    const most = range.least <= farthest ? Math.min(range.most, farthest) : farthest;
    const shift = least + rng.fork('shift').int(most - least + 1);
    a = place.int(places - shift);
    b = a + shift;
  }
  return swap ? [b, a] : [a, b];
}

/**
 * `count` independent starts, uniform over the video; `same`: one start for all. Looped, the later ones differ from the
 * first.
 */
export function drawUniformStarts(span: ClipSpan, count: number, same: boolean, rng: Rng): number[] {
  const { places, isLooped } = same
    ? { places: countStarts(span) || span.length, isLooped: false }
    : placesFor(span);
  const first = rng.int(places);
  return Array.from({ length: count }, (_, i) => {
    if (i === 0 || same) return first;
    const start = rng.int(places);
    return isLooped ? differingStart(first, start, span) : start;
  });
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
