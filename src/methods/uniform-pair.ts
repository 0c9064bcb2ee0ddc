import type { ResolvedConfig } from '../config/schema.js';
import { clockOf, planTrainingClip, spanOf } from '../data/clip-plan.js';
import { drawUniformStarts } from '../data/samplers/starts.js';
import type { ViewContext, ViewPlan } from '../data/views.js';

/** Two clips of a video, view1 and view2, at independent uniform times or of one window, each augmented by itself. */
export function planUniformPair(
  { config, row, facts, rng }: ViewContext<ResolvedConfig>,
  { sameWindow }: { readonly sameWindow: boolean },
): ViewPlan[] {
  const clock = clockOf(row, facts, config.data.clip);
  const starts = drawUniformStarts(spanOf(clock, config.data.clip), 2, sameWindow, rng.fork('time'));
  return starts.map((start, view) => ({
    name: `view${view + 1}`,
    clip: planTrainingClip({ config, row, facts, clock, start, view, rng: rng.fork('augment', view) }),
  }));
}
