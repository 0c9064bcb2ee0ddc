/** What an evaluation embeds, by stages: jobs can each embed a share of it (features-file.ts). */
import type { ExtractedFeatures } from '../embed/extract-features.js';
import { VsslError } from '../errors.js';

/** The windows of videos, and both clips of instance retrieval: item 2i is the gallery clip of row i, 2i + 1 its query. */
export const STAGES = ['features', 'instances'] as const;
export type Stage = (typeof STAGES)[number];

/** Of each stage that an evaluation has; items are numbered as in the whole evaluation. */
export type StagedFeatures = Readonly<Partial<Record<Stage, ExtractedFeatures>>>;

/** What the matrices of a stage are of, in their order. */
export function matrixNames(beside: {
  readonly baseline?: 'random' | undefined;
  readonly floors?: boolean | undefined;
}): readonly string[] {
  return ['trained', ...(beside.baseline ? ['random'] : []), ...(beside.floors ? ['pixels'] : [])];
}

/** A stage of `items` items. Throws ERR_VSSL_USAGE where not all of them are there. */
export function wholeStage(staged: StagedFeatures, stage: Stage, items: number): ExtractedFeatures {
  const found = staged[stage];
  const count = found ? found.kept.length + found.failures.length : 0;
  if (found && count === items && (found.kept.at(-1) ?? 0) < items) return found;
  throw new VsslError(
    'ERR_VSSL_USAGE',
    `the file of features has ${count} ${stage} where this evaluation has ${items}: embed again with its options`,
  );
}
