/** Whether a run has to compute optical flow: found out before anything is indexed or trained. */
import type { ResolvedConfig } from '../config/schema.js';
import { clipFormatOf } from '../data/clip-plan.js';
import type { Modality } from '../data/plan.js';
import { Rng } from '../data/rng.js';
import { type GetFacts, listLabels, type VideoRow } from '../data/rows.js';
import { getMethod } from '../methods/registry.js';

const FLOW: readonly Modality[] = ['flow', 'flow-edges'];

/**
 * Whether the clips that the configuration plans of these videos are of flow that no file holds. The first video of
 * which clips can be planned answers for all.
 */
export async function needsFlow(
  config: ResolvedConfig,
  rows: readonly VideoRow[],
  getFacts: GetFacts,
): Promise<boolean> {
  const { planViews } = getMethod(config.method);
  const shared = {
    format: clipFormatOf(config),
    augment: config.data.augment,
    labels: listLabels(rows),
    progress: { step: 0, totalSteps: 1, epoch: 0 },
    stream: 'train',
  };
  for (const row of rows) {
    try {
      const rng = new Rng(config.train.seed, 'flow need');
      const { views } = planViews({ ...shared, row, facts: await getFacts(row), rng }, config);
      return views.some(({ clip }) => clip && FLOW.includes(clip.modality) && clip.flow === undefined);
    } catch {
      // training says what is wrong with it
    }
  }
  return false;
}
