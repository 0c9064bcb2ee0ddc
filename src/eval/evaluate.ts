import { stat } from 'node:fs/promises';
import { weightsFile } from '../embed/open-encoder.js';
import { packageVersion } from '../native/load.js';
import { writeResultFile } from '../weights/atomic-write.js';
import { readEncoderDescription } from '../weights/encoder-file.js';
import { fileDigest } from '../weights/file-digest.js';
import { type DataOptions, type EvaluationData, loadEvaluationData } from './evaluation-data.js';
import {
  checkEvaluateOptions,
  type EvaluateOptions,
  type KnnEvaluationOptions,
  type LinearEvaluationOptions,
  type LowshotEvaluationOptions,
  type RetrievalEvaluationOptions,
} from './evaluation-options.js';
import { EVALUATION_FORMAT_VERSION, type EvaluationResult } from './evaluation-result.js';
import { FeatureExtractor } from './feature-extractor.js';
import { featuresIdentity, readFeatures } from './features-file.js';
import type { LowshotScore } from './lowshot.js';
import { EVALUATION_PRECISION } from './precision.js';
import type { ClassificationScore } from './protocols.js';
import { evaluationKey, questionKey, resultFile } from './result-file.js';
import { classScores, lowshotScores, type RetrievalScore, retrievalScores, type Scores } from './scores.js';
import { matrixNames } from './staged-features.js';
import { readEvaluation } from './written-evaluation.js';

/** What evaluate gives, whatever the protocol. */
export type AnyEvaluationResult =
  | EvaluationResult<ClassificationScore>
  | EvaluationResult<LowshotScore>
  | EvaluationResult<RetrievalScore>;

/**
 * Evaluates a frozen encoder on labelled videos: k nearest neighbours, linear probe, low-shot, or retrieval. Videos that cannot
 * be used are listed in the result. Throws ERR_VSSL_USAGE and ERR_VSSL_INVALID_ARGUMENT for wrong options,
 * ERR_VSSL_DATA when the data has no labels or no groups, ERR_VSSL_NO_USABLE_VIDEO when nothing is left.
 */
export function evaluate(
  options: KnnEvaluationOptions | LinearEvaluationOptions,
): Promise<EvaluationResult<ClassificationScore>>;
export function evaluate(options: LowshotEvaluationOptions): Promise<EvaluationResult<LowshotScore>>;
export function evaluate(options: RetrievalEvaluationOptions): Promise<EvaluationResult<RetrievalScore>>;
export function evaluate(options: EvaluateOptions): Promise<AnyEvaluationResult>;
export async function evaluate(options: EvaluateOptions): Promise<AnyEvaluationResult> {
  const start = performance.now();
  const { weights, path, settings, precision, data, key, file } = await identify(options);
  const { protocol, baselineSeed = 0 } = options;
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
    const scores = await scoresOf(extractor, options);
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
    return { ...result, file } as AnyEvaluationResult;
  } finally {
    await extractor.close();
  }
}

function scoresOf(
  extractor: FeatureExtractor,
  options: EvaluateOptions,
): Promise<Scores<ClassificationScore | LowshotScore | RetrievalScore>> {
  if (options.protocol === 'retrieval') return retrievalScores(extractor, options);
  if (options.protocol === 'lowshot') return lowshotScores(extractor, options);
  return classScores(extractor, options);
}

/**
 * The result that the run folder has of this very evaluation, written since its weights were; null where there is none.
 * Throws what evaluate throws before it embeds.
 */
export async function findEvaluation(options: EvaluateOptions): Promise<AnyEvaluationResult | null> {
  const { path, key, file } = await identify(options);
  if (file === undefined) return null;
  const [written, trained] = await Promise.all([stat(file).catch(() => null), stat(path)]);
  if (!written || written.mtimeMs < trained.mtimeMs) return null;
  const result = await readEvaluation(file);
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
  const second = options.beside === undefined ? {} : { beside: await describeSecond(options.beside) };
  const more = { baseline, baselineSeed, floors, precision, factors, ...second };
  const key = evaluationKey({ protocol, weights, step, data, settings: { ...settings, ...more } });
  return {
    weights,
    path,
    settings: { ...settings, ...second },
    precision,
    data,
    key,
    file: await resultFile(options, key),
  };
}

/** What tells a second encoder from others: the content of its weights. */
async function describeSecond(weights: string): Promise<string> {
  return fileDigest(await weightsFile(weights));
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
