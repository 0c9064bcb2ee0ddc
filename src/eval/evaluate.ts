import { readFile, stat } from 'node:fs/promises';
import { weightsFile } from '../embed/open-encoder.js';
import type { UnusableVideo } from '../embed/unusable.js';
import { packageVersion } from '../native/load.js';
import { writeResultFile } from '../weights/atomic-write.js';
import { type EncoderDescription, readEncoderDescription } from '../weights/encoder-file.js';
import { type DataOptions, type EvaluationData, loadEvaluationData } from './evaluation-data.js';
import {
  checkEvaluateOptions,
  type EvaluateOptions,
  type KnnEvaluationOptions,
  type LinearEvaluationOptions,
  type Protocol,
  type RetrievalEvaluationOptions,
} from './evaluation-options.js';
import { FeatureExtractor } from './feature-extractor.js';
import { featuresIdentity, readFeatures } from './features-file.js';
import type { FloorName } from './floors.js';
import { EVALUATION_PRECISION } from './precision.js';
import type { ClassificationScore } from './protocols.js';
import { evaluationKey, questionKey, resultFile } from './result-file.js';
import {
  classScores,
  type FactorScore,
  type RetrievalScore,
  retrievalScores,
  type Tested,
} from './scores.js';
import { matrixNames } from './staged-features.js';

/** Version of the results that are written. */
export const EVALUATION_FORMAT_VERSION = 1;

export interface EvaluationResult<Score> {
  readonly formatVersion: typeof EVALUATION_FORMAT_VERSION;
  readonly packageVersion: string;
  readonly protocol: Protocol;
  /** Stands for protocol, weights, videos, labels, splits and settings: two results of one key answer one question. */
  readonly key: string;
  /** The same without the weights: results of one question can be compared video by video. */
  readonly question: string;
  readonly encoder: {
    readonly weights: string;
    readonly method: string;
    readonly step: number;
    readonly arch: string;
    readonly width: number;
    readonly dim: number;
    readonly clip: EncoderDescription['clip'];
    readonly input: string;
  };
  readonly data: DataOptions & {
    readonly videos: number;
    readonly used: number;
    readonly labels: readonly string[];
  };
  readonly settings: Readonly<Record<string, unknown>>;
  /** The videos that the outcomes (`predictions`, `ranks`) of the scores are of, in their order. */
  readonly tested: Tested;
  readonly trained: Score;
  readonly random?: Score & { readonly seed: number };
  readonly floors?: Readonly<Record<FloorName, Score>>;
  /** With `factors`. */
  readonly factors?: readonly FactorScore[];
  readonly failures: readonly UnusableVideo[];
  readonly warnings: readonly string[];
  readonly seconds: number;
  /** Where the result was written, with `run` or `out`. */
  readonly file?: string;
}

/**
 * Evaluates a frozen encoder on labelled videos: k nearest neighbours, linear probe, or retrieval. Videos that cannot
 * be used are listed in the result. Throws ERR_VSSL_USAGE and ERR_VSSL_INVALID_ARGUMENT for wrong options,
 * ERR_VSSL_DATA when the data has no labels or no groups, ERR_VSSL_NO_USABLE_VIDEO when nothing is left.
 */
export function evaluate(
  options: KnnEvaluationOptions | LinearEvaluationOptions,
): Promise<EvaluationResult<ClassificationScore>>;
export function evaluate(options: RetrievalEvaluationOptions): Promise<EvaluationResult<RetrievalScore>>;
export function evaluate(
  options: EvaluateOptions,
): Promise<EvaluationResult<ClassificationScore> | EvaluationResult<RetrievalScore>>;
export async function evaluate(
  options: EvaluateOptions,
): Promise<EvaluationResult<ClassificationScore> | EvaluationResult<RetrievalScore>> {
  const start = performance.now();
  const { protocol, baselineSeed = 0 } = options;
  const { weights, path, settings, precision, data, key, file } = await identify(options);
  const saved =
    options.features === undefined
      ? null
      : await readFeatures(
          options.features,
          await featuresIdentity(path, data, options),
          matrixNames(options),
        );
  const extractor = await FeatureExtractor.open(path, data, options, saved);
  try {
    const scores =
      options.protocol === 'retrieval'
        ? await retrievalScores(extractor, options)
        : await classScores(extractor, options);
    const { trained, random, floors, factors, used, tested } = scores;
    const result = {
      formatVersion: EVALUATION_FORMAT_VERSION,
      packageVersion,
      protocol,
      key,
      question: questionKey({ protocol, data, settings: { ...settings, precision } }),
      encoder: describeEncoder(weights, extractor),
      data: describeData(options, data, used),
      settings,
      tested,
      trained,
      ...(random ? { random: { seed: baselineSeed, ...random } } : {}),
      ...(floors ? { floors } : {}),
      ...(factors ? { factors } : {}),
      failures: extractor.failures,
      warnings: extractor.warnings,
      seconds: (performance.now() - start) / 1000,
    };
    if (file !== undefined) await writeResultFile(file, `${JSON.stringify(result, null, 2)}\n`);
    return { ...result, file } as EvaluationResult<ClassificationScore> | EvaluationResult<RetrievalScore>;
  } finally {
    await extractor.close();
  }
}

/**
 * The result that the run folder has of this very evaluation, written since its weights were; null where there is none.
 * Throws what evaluate throws before it embeds.
 */
export async function findEvaluation(
  options: EvaluateOptions,
): Promise<EvaluationResult<ClassificationScore> | EvaluationResult<RetrievalScore> | null> {
  const { path, key, file } = await identify(options);
  if (file === undefined) return null;
  const [written, trained] = await Promise.all([stat(file).catch(() => null), stat(path)]);
  if (!written || written.mtimeMs < trained.mtimeMs) return null;
  const result = await readFile(file, 'utf8').then(JSON.parse, () => null);
  const isSame = result?.key === key && result.packageVersion === packageVersion && result.tested;
  return isSame ? { ...result, file } : null;
}

/** What is evaluated, and where its result goes. */
async function identify(options: EvaluateOptions) {
  const { weights, settings } = checkEvaluateOptions(options);
  const { protocol, baseline, baselineSeed = 0, floors = false, precision = EVALUATION_PRECISION } = options;
  const data = await loadEvaluationData(options);
  const path = await weightsFile(weights);
  const { step } = await readEncoderDescription(path);
  const factors = options.protocol === 'linear' ? options.factors : undefined;
  const beside = { baseline, baselineSeed, floors, precision, factors };
  const key = evaluationKey({ protocol, weights, step, data, settings: { ...settings, ...beside } });
  return { weights, path, settings, precision, data, key, file: await resultFile(options, key) };
}

function describeEncoder(
  weights: string,
  { encoder }: FeatureExtractor,
): EvaluationResult<unknown>['encoder'] {
  const { method, step, model, clip, input } = encoder.description;
  return { weights, method, step, arch: model.arch, width: model.width, dim: encoder.dim, clip, input };
}

function describeData(
  { train, test, data, folds }: DataOptions,
  { rows, labels }: EvaluationData,
  used: number,
): EvaluationResult<unknown>['data'] {
  return { train, test, data, folds, videos: rows.length, used, labels };
}
