import type { Rng } from '../rng.js';
import { type ClipSpan, countStarts } from './starts.js';

/**
 * Starts of `count` snippets in the order of time, `gap` frames of the video between the last frame of one and the first
 * of the next, the first start uniform over those that leave all of them within the video. In a video too short for
 * that they stand nearer together, and overlap when they must, so that their order is still that of time. One with
 * fewer starts than snippets is looped: they begin one frame after the other, anywhere in it.
 */
export function drawSnippetStarts(span: ClipSpan, count: number, gap: number, rng: Rng): number[] {
  const starts = countStarts(span);
  const wanted = (span.frames - 1) * span.stride + 1 + gap;
  const step = Math.max(1, Math.min(wanted, Math.floor((starts - 1) / (count - 1))));
  const free = starts - (count - 1) * step;
  const first = rng.int(free > 0 ? free : span.length);
  return Array.from({ length: count }, (_, i) => first + i * step);
}
