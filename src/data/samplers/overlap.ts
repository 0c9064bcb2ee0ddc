import type { CropBox } from '../augment/random-crop.js';
import type { Rng } from '../rng.js';
import { type ClipSpan, countStarts } from './starts.js';

/** Frames between the starts of two clips that share `rate` of their time, which is frames times stride. */
export function shiftOf(rate: number, { frames, stride }: Pick<ClipSpan, 'frames' | 'stride'>): number {
  return Math.round((1 - rate) * frames * stride);
}

/**
 * Starts of two clips that share one of `rates` of their time, and which of them (its place in the list). The rate is
 * uniform over those that the video is long enough for, a coin says which clip comes first. Null where it is too short
 * for every rate.
 */
export function drawTimeOverlap(
  span: ClipSpan,
  rates: readonly number[],
  rng: Rng,
): { readonly starts: readonly [number, number]; readonly place: number } | null {
  const starts = countStarts(span);
  const fitting = rates.flatMap((rate, place) => (shiftOf(rate, span) < starts ? [place] : []));
  if (fitting.length === 0) return null;
  const place = fitting[rng.fork('rate').int(fitting.length)]!;
  const shift = shiftOf(rates[place]!, span);
  const first = rng.fork('start').int(starts - shift);
  const later = rng.fork('swap').bool(0.5);
  return { starts: later ? [first + shift, first] : [first, first + shift], place };
}

/**
 * Two boxes of the size of `box` (fractions of the picture), of which the second is shifted along a diagonal so that they
 * share `rate` of their area: by 1 - sqrt(rate) of each side, towards one of four corners. Both together lie anywhere in
 * the picture; where they do not fit in, the boxes are made smaller, in their shape.
 */
export function drawSpaceOverlap(box: CropBox, rate: number, rng: Rng): readonly [CropBox, CropBox] {
  const shift = 1 - Math.sqrt(rate);
  const [width, height] = [box[2] - box[0], box[3] - box[1]];
  const shrink = Math.min(1, 1 / (width * (1 + shift)), 1 / (height * (1 + shift)));
  const place = (side: number, name: string): readonly [number, number, number] => {
    const size = side * shrink;
    const free = Math.max(0, 1 - size * (1 + shift));
    const start = free * rng.fork(name).next();
    const other = start + shift * size;
    return rng.fork(name, 'corner').bool(0.5) ? [start, other, size] : [other, start, size];
  };
  const [x0, x1, w] = place(width, 'x');
  const [y0, y1, h] = place(height, 'y');
  const boxAt = (x: number, y: number): CropBox => [x, y, Math.min(1, x + w), Math.min(1, y + h)];
  return [boxAt(x0, y0), boxAt(x1, y1)];
}
