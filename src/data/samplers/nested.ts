import type { Rng } from '../rng.js';
import { type ClipSpan, countStarts } from './starts.js';

/** Where a clip begins and how far apart its frames are, in frames of the video's clock. */
export interface Placed {
  readonly start: number;
  readonly stride: number;
}

/**
 * A long clip with a short one inside it, both of the same number of frames: the long one uniform over the video, the
 * short one uniform over the places within the long one. `span.stride` is the short one's; the long one's is `factor`
 * times that, or as much of it as the video allows. A video that is shorter than the short clip is looped, and both are
 * the same window of it.
 */
export function drawNested(span: ClipSpan, factor: number, rng: Rng): { long: Placed; short: Placed } {
  const { length, frames, stride } = span;
  const steps = Math.max(1, frames - 1);
  const wide = Math.max(stride, Math.min(Math.round(factor * stride), Math.floor((length - 1) / steps)));
  const starts = countStarts({ length, frames, stride: wide });
  const start = rng.fork('long').int(starts || length);
  const room = (frames - 1) * (wide - stride);
  return {
    long: { start, stride: wide },
    short: { start: start + rng.fork('short').int(room + 1), stride },
  };
}
