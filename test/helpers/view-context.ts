import type { ResolvedConfig } from '#src/config/schema.js';
import { clipFormatOf } from '#src/data/clip-plan.js';
import type { ClipPlan } from '#src/data/plan.js';
import type { SamplePlan, ViewContext } from '#src/data/views.js';
import { getMethod } from '#src/methods/registry.js';

type Sample = Pick<ViewContext, 'row' | 'facts' | 'rng'>;

/** What the configuration's method plans of a sample at the beginning of a run without labels. */
export function planSample(config: ResolvedConfig, sample: Sample): SamplePlan {
  const context: ViewContext = {
    ...sample,
    format: clipFormatOf(config),
    augment: config.data.augment,
    labels: [],
    progress: { step: 0, totalSteps: 1, epoch: 0 },
    stream: 'train',
  };
  return getMethod(config.method).planViews(context, config);
}

/** The clips of that plan. */
export function planClips(config: ResolvedConfig, sample: Sample): { name: string; clip: ClipPlan }[] {
  return planSample(config, sample).views.map(({ name, clip }) => ({ name, clip: clip! }));
}
