import type { Blend } from '../plan.js';
import type { Rng } from '../rng.js';
import type { AugmentOptions } from './options.js';

/**
 * What a training clip gets along time: a frame of its own in all its frames, so that the background says less of the
 * video (Wang et al., "Removing the Background by Adding the Background", CVPR 2021), and a part of its mean over time taken
 * away. undefined where neither is drawn.
 */
export function drawBlend(
  { still, meanRemoval }: AugmentOptions,
  frames: number,
  rng: Rng,
): Blend | undefined {
  const weight = drawPart(still?.p, still?.weight, rng.fork('still'));
  const mean = drawPart(meanRemoval?.p, meanRemoval?.factor, rng.fork('mean removal'));
  if (weight === 0 && mean === 0) return undefined;
  return { still: weight, frame: rng.fork('still frame').int(frames), mean };
}

function drawPart(p = 0, range: readonly [number, number] = [0, 0], rng: Rng): number {
  return rng.bool(p) ? rng.uniform(range[0], range[1]) : 0;
}
