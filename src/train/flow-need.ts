/** Whether a run has to compute optical flow: found out before anything is indexed or trained. */
import type { ResolvedConfig } from '../config/schema.js';
import type { Modality } from '../data/plan.js';
import { Rng } from '../data/rng.js';
import type { VideoRow } from '../data/rows.js';
import { type Indexer, readFacts } from '../embed/video-facts.js';
import { getMethod } from '../methods/registry.js';

const FLOW: readonly Modality[] = ['flow', 'flow-edges'];

/**
 * Whether the clips that the configuration plans of these videos are of flow that no file holds. The first video of
 * which clips can be planned answers for all.
 */
export async function needsFlow(
  config: ResolvedConfig,
  rows: readonly VideoRow[],
  indexer: Indexer,
): Promise<boolean> {
  const { planViews } = getMethod(config.method);
  for (const row of rows) {
    try {
      const facts = await readFacts(indexer, row);
      const views = planViews({ config, row, facts, rng: new Rng(config.train.seed, 'flow need'), epoch: 0 });
      return views.some(({ clip }) => FLOW.includes(clip.modality) && clip.flow === undefined);
    } catch {
      // training says what is wrong with it
    }
  }
  return false;
}
