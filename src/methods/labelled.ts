/** What methods that learn labels share: a clip of a video, and the class of its label beside it. */
import { whole } from '../config/fields.js';
import { clockOf, planTrainingClip, spanOf } from '../data/clip-plan.js';
import { drawUniformStarts } from '../data/samplers/starts.js';
import type { SamplePlan, ViewContext } from '../data/views.js';
import { configError, VsslError } from '../errors.js';

/** How many labels there are. */
export const classCount = whole(2, 65536).default(2).describe('Labels of the data: as many as there are');

/**
 * One augmented clip at a uniform time, and the place of the label among those of the data, sorted. `method`: whose option
 * `classes` it is. Throws ERR_VSSL_CONFIG when the data has another number of labels, ERR_VSSL_DATA for a video without.
 */
export function planLabelled(context: ViewContext, method: string, classes: number): SamplePlan {
  const { row, facts, format, rng, labels } = context;
  if (labels.length !== classes)
    throw configError(
      `${method}.classes`,
      `expected ${labels.length}, the number of labels of the data, but got ${classes}`,
    );
  const label = row.label === undefined ? -1 : labels.indexOf(row.label);
  if (label < 0)
    throw new VsslError(
      'ERR_VSSL_DATA',
      `${row.path} has no label, and ${method} learns labels: label it, or narrow the data to videos that have one (PATH?label=*)`,
      { details: { path: row.path } },
    );
  const clock = clockOf(row, facts, format);
  const [start] = drawUniformStarts(spanOf(clock, format), 1, false, rng.fork('time'));
  const clip = planTrainingClip({ ...context, clock, start: start!, view: 0, rng: rng.fork('augment', 0) });
  return {
    views: [{ name: 'clip', clip }],
    side: [{ name: 'label', dtype: 'int64', shape: [], values: [label] }],
  };
}
