import { CLIP_LIMITS } from './clip-limits.js';

/** Pixels that the short side keeps for each pixel of the clip: a crop of a third of the area still has its size. */
const MARGIN = 1.75;

/**
 * Whole factor by which a decoded picture is shrunk before it is cropped and cached: the largest that leaves at least
 * 1.75 clip sizes on the short side; at least 1, at most what a clip plan may ask for. A given factor is used as it is.
 */
export function chooseShrink(shrink: 'auto' | number, width: number, height: number, size: number): number {
  if (shrink !== 'auto') return shrink;
  const largest = Math.floor(Math.min(width, height) / (MARGIN * size));
  return Math.min(CLIP_LIMITS.shrink, Math.max(1, largest));
}
