/** What an evaluation embeds, or a share of it, into a file: jobs that know nothing of each other do a share each. */
import { extname } from 'node:path';
import { parseShard, rowsOfShard, type Shard } from '../data/shard.js';
import type { ExtractedFeatures } from '../embed/extract-features.js';
import { weightsFile } from '../embed/open-encoder.js';
import type { UnusableVideo } from '../embed/unusable.js';
import { invalidArgument, VsslError } from '../errors.js';
import { checkOutFile } from '../weights/atomic-write.js';
import { loadEvaluationData } from './evaluation-data.js';
import { checkEvaluateOptions, type EvaluateOptions, retrievalSettings } from './evaluation-options.js';
import { FeatureExtractor } from './feature-extractor.js';
import { featuresIdentity, writeFeatures } from './features-file.js';
import { runAugmentation } from './instance-windows.js';
import { rowsOfStages } from './scores.js';
import { matrixNames, type Stage, type StagedFeatures } from './staged-features.js';

/** Those of the evaluation; what it does with features changes nothing here. */
export type EmbedForEvaluationOptions = EvaluateOptions & {
  /** This part of the videos alone, '0/8' to '7/8': `mergeEmbeddings` makes one file of all parts. Default: all. */
  readonly shard?: string;
  /** A `.safetensors` file; `features` of an evaluation when it is whole. */
  readonly out: string;
};

export interface EmbedForEvaluationResult {
  readonly out: string;
  /** Vectors in the file, of each representation. */
  readonly count: number;
  readonly failures: readonly UnusableVideo[];
  readonly warnings: readonly string[];
  readonly seconds: number;
}

/**
 * Embeds what `evaluate` of the same options would, with `baseline` and `floors` too, and writes it into `out`. Throws
 * what evaluate throws, but for a share of which no video can be used; ERR_VSSL_WRITE.
 */
export async function embedForEvaluation(
  options: EmbedForEvaluationOptions,
): Promise<EmbedForEvaluationResult> {
  const start = performance.now();
  const { weights } = checkEvaluateOptions(options, ['shard']);
  const { out, protocol, run } = options;
  const shard = parseShard(options.shard ?? '0/1');
  await checkOutFile(out);
  if (extname(out).toLowerCase() !== '.safetensors')
    throw invalidArgument('out', 'a file name that ends in .safetensors', out);
  if (options.features !== undefined)
    throw new VsslError('ERR_VSSL_USAGE', 'features are embedded already: leave out shard, or features');
  const data = await loadEvaluationData(options);
  const rows = rowsOfStages(data, protocol);
  const path = await weightsFile(weights);
  const identity = await featuresIdentity(path, data, options);
  const augment = protocol === 'retrieval' ? await runAugmentation(run) : null;
  const seed = options.protocol === 'retrieval' ? retrievalSettings(options).seed : 0;
  const extractor = await FeatureExtractor.open(path, data, options);
  try {
    const staged: Partial<Record<Stage, ExtractedFeatures>> = {};
    if (rows.instances && augment)
      staged.instances = await shareOf(shard, rows.instances, 2, (own) =>
        extractor.extractPairs(own, augment, seed),
      );
    if (rows.features)
      staged.features = await shareOf(shard, rows.features, 1, (own) => extractor.extractWindows(own));
    await writeFeatures(out, shard, identity, staged, matrixNames(options));
    const { failures, warnings } = extractor;
    const seconds = (performance.now() - start) / 1000;
    return { out, count: countOf(staged), failures, warnings, seconds };
  } finally {
    await extractor.close();
  }
}

/** Items of the shard's rows, `each` of every row, numbered as among those of all rows. */
async function shareOf(
  shard: Shard,
  rows: readonly number[],
  each: number,
  extract: (rows: readonly number[]) => Promise<ExtractedFeatures>,
): Promise<ExtractedFeatures> {
  const places = rowsOfShard([...rows.keys()], shard);
  const first = (places[0] ?? 0) * each;
  const { features, kept, damaged, failures } = await extract(places.map((place) => rows[place]!));
  const renumbered = <T extends { readonly index: number }>(items: readonly T[]) =>
    items.map((item) => ({ ...item, index: item.index + first }));
  return {
    features,
    kept: kept.map((item) => item + first),
    damaged: renumbered(damaged),
    failures: renumbered(failures),
  };
}

function countOf(staged: StagedFeatures): number {
  return Object.values(staged).reduce((sum, { kept }) => sum + kept.length, 0);
}
