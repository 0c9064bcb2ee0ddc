import { plainAugment } from '../data/augment/draw-augment.js';
import type { ClipPlan } from '../data/plan.js';

/** Whole pictures of a source at a size, as they are: the plan of a clip that lacks its times. */
export function plainClip(
  source: ClipPlan['source'],
  { height, width }: { readonly height: number; readonly width: number },
  shrink = 1,
): Omit<ClipPlan, 'times'> {
  return {
    ...{ source, modality: 'rgb', height, width, shrink, input: 'rgb' },
    augment: [plainAugment([0, 0, 1, 1])],
    mean: [0, 0, 0],
    std: [1, 1, 1],
  };
}
