import type { ResolvedConfig } from '../config/schema.js';
import { clockOf, planTrainingClip, spanOf } from '../data/clip-plan.js';
import { drawUniformStarts } from '../data/samplers/starts.js';
import type { SamplePlan, ViewContext } from '../data/views.js';
import { clipReach } from './method.js';
import { type OwnNegatives, planOwnNegative } from './own-negatives.js';

/** What two clips need: as much as one of them, and a frame more where their windows may not be the same. */
export function leastPair(config: ResolvedConfig, { sameWindow }: { readonly sameWindow: boolean }) {
  return { frames: clipReach(config) + (sameWindow ? 0 : 1) };
}

/** Two clips of a video, view1 and view2, at independent uniform times or of one window, each augmented by itself. */
export function planUniformPair(
  context: ViewContext,
  {
    sameWindow,
    ownNegatives = 'none',
  }: { readonly sameWindow: boolean; readonly ownNegatives?: OwnNegatives },
): SamplePlan {
  const { row, facts, format, rng } = context;
  const clock = clockOf(row, facts, format);
  const starts = drawUniformStarts(spanOf(clock, format), 2, sameWindow, rng.fork('time'));
  const views = starts.map((start, view) => ({
    name: `view${view + 1}`,
    clip: planTrainingClip({ ...context, clock, start, view, rng: rng.fork('augment', view) }),
  }));
  return { views: [...views, ...planOwnNegative(context, ownNegatives, starts[0]!)] };
}
