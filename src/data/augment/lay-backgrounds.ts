import type { BackgroundPlan, ClipPlan } from '../plan.js';
import type { SamplePlan, ViewPlan } from '../views.js';
import type { AugmentOptions, FameOptions } from './options.js';

/**
 * The samples of a batch with backgrounds: under a clip lies the clip that the sample before it has as the same view,
 * under the first sample's that of the last. An epoch's order is random, so this is a random other video; and its
 * pictures are decoded for the batch anyway. Clips that have a background keep it: those that were loaded before a
 * neighbour was replaced.
 */
export function layBackgrounds(
  samples: readonly SamplePlan[],
  { background, fame }: AugmentOptions,
): readonly SamplePlan[] {
  if (background === 'own' || samples.length < 2) return samples;
  return samples.map((sample, i) => {
    const before = samples.at(i - 1) as SamplePlan;
    const pictures = sample.views.filter(({ clip }) => clip?.modality === 'rgb');
    const laid = fame.views === 'first' ? pictures.slice(0, 1) : pictures;
    return {
      ...sample,
      views: sample.views.map((view) => (laid.includes(view) ? layUnder(view, before, fame) : view)),
    };
  });
}

function layUnder(view: ViewPlan, { views }: SamplePlan, fame: FameOptions): ViewPlan {
  const other = views.find(({ name }) => name === view.name)?.clip;
  if (!view.clip || view.clip.background || !other) return view;
  return { name: view.name, clip: { ...view.clip, background: backgroundOf(other, fame) } };
}

function backgroundOf({ source, times, shrink, augment }: ClipPlan, fame: FameOptions): BackgroundPlan {
  const { crop, flip } = augment[0]!;
  return { source, times, shrink, crop, flip, share: fame.share, mask: fame.mask };
}
