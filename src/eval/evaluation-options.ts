/** What an evaluation may be asked, its defaults, and the checks that come before any work. */
import {
  checkBoolean,
  checkCount,
  checkOneOf,
  checkSignal,
  checkText,
  LIMITS,
  requireOptions,
} from '../checks.js';
import { invalidArgument, VsslError } from '../errors.js';
import type { DataOptions } from './evaluation-data.js';
import type { ExtractorOptions } from './feature-extractor.js';
import type { LowshotSettings } from './lowshot.js';
import type { KnnSettings, LinearSettings } from './protocols.js';

export const PROTOCOLS = ['knn', 'linear', 'lowshot', 'retrieval'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export interface CommonEvaluationOptions extends DataOptions, ExtractorOptions {
  /**
   * Run folder: its weights are evaluated, its augmentation is used, and the result is written into it, as
   * `eval-PROTOCOL-KEY.json`, unless `out` says otherwise. KEY stands for the videos, labels, splits and settings, so
   * that no evaluation takes the place of another; the same one again replaces its own.
   */
  readonly run?: string;
  /** File for the result. One that holds anything but the same evaluation's earlier result is refused. */
  readonly out?: string;
  /** Weights file, instead of a run folder. */
  readonly weights?: string;
  /**
   * Run folder or weights file of a second encoder, whose features stand beside the first one's, each shifted and scaled by
   * the mean and deviation of the training videos'. Not for retrieval, nor with `features`, `baseline`, `floors` or `factors`.
   */
  readonly beside?: string;
  /** A file of `embedForEvaluation`, or of `mergeEmbeddings` where shares were embedded: nothing is embedded then. */
  readonly features?: string;
}

export interface KnnEvaluationOptions extends CommonEvaluationOptions {
  readonly protocol: 'knn';
  /** Neighbours. Default 5. */
  readonly k?: number;
  readonly weighting?: 'majority' | 'softmax';
  /** Of `softmax` votes. Default 0.07. */
  readonly temperature?: number;
  /** Also on features that are shifted and scaled by the mean and deviation of the training videos'. */
  readonly standardize?: boolean;
}

export interface LinearEvaluationOptions extends CommonEvaluationOptions {
  readonly protocol: 'linear';
  /** L2 penalty; `select` (default): by validation inside the training videos. */
  readonly weightDecay?: number | 'select';
  /** Default 200. */
  readonly maxIterations?: number;
  /** Also probes what else the features tell of the test videos: columns of the data, or true for all; see factors.ts. */
  readonly factors?: true | readonly string[];
}

export interface LowshotEvaluationOptions extends CommonEvaluationOptions {
  readonly protocol: 'lowshot';
  /** Labelled videos of a class. Default 1, 5 and 10. */
  readonly shots?: readonly number[];
  /** Times that they are drawn. Default 10. */
  readonly draws?: number;
  /** Of the draws. Default 0. */
  readonly seed?: number;
  /** L2 penalty. Default 0.1. */
  readonly weightDecay?: number;
}

export interface RetrievalEvaluationOptions extends CommonEvaluationOptions {
  readonly protocol: 'retrieval';
  /** Of the windows and augmentations of instance retrieval. Default 0. */
  readonly seed?: number;
  /** Also on features that are shifted and scaled by the mean and deviation of the gallery's. */
  readonly standardize?: boolean;
}

export type EvaluateOptions =
  | KnnEvaluationOptions
  | LinearEvaluationOptions
  | LowshotEvaluationOptions
  | RetrievalEvaluationOptions;

const commonKeys = (
  'protocol run weights beside features out train test data folds windows crops frames pool baseline baselineSeed floors signal ' +
  'onProgress device threads precision'
).split(' ');
const protocolKeys: Readonly<Record<Protocol, readonly string[]>> = {
  knn: ['k', 'weighting', 'temperature', 'standardize'],
  linear: ['weightDecay', 'maxIterations', 'factors'],
  lowshot: ['shots', 'draws', 'seed', 'weightDecay'],
  retrieval: ['seed', 'standardize'],
};

/** Each is a fit of its own, and a row of numbers in the result. */
const MOST_DRAWS = 1000;

/**
 * The weights that are evaluated, and the settings that a result tells. `more`: options of the call beside those of an
 * evaluation. Throws what evaluate throws for wrong options.
 */
export function checkEvaluateOptions(
  options: EvaluateOptions,
  more: readonly string[] = [],
): {
  readonly weights: string;
  readonly settings: Readonly<Record<string, unknown>>;
} {
  const protocol = checkOneOf('protocol', options?.protocol, PROTOCOLS);
  requireOptions(options, [...commonKeys, ...protocolKeys[protocol], ...more]);
  checkSignal(options.signal);
  if (options.features !== undefined) checkText('features', 'a file of features', options.features);
  const { run, weights, windows = 3, crops = 1, baseline, baselineSeed = 0, floors = false } = options;
  if ((run === undefined) === (weights === undefined))
    throw new VsslError('ERR_VSSL_USAGE', 'expected either run (a run folder) or weights (a weights file)');
  checkCount('windows', windows, 1, LIMITS.windows);
  checkCount('baselineSeed', baselineSeed, 0);
  checkOneOf('crops', crops, [1, 3]);
  checkBeside(options);
  const { frames, pool } = options;
  if (frames !== undefined) checkCount('frames', frames, 1, LIMITS.frames);
  if (pool !== undefined) checkPool(pool);
  if (baseline !== undefined) checkOneOf('baseline', baseline, ['random']);
  checkBoolean('floors', floors);
  const clips = { ...(frames !== undefined && { frames }), ...(pool !== undefined && { pool }) };
  return { weights: (run ?? weights)!, settings: { windows, crops, ...clips, ...ownSettings(options) } };
}

function checkBeside(options: EvaluateOptions): void {
  if (options.beside === undefined) return;
  checkText('beside', 'a run folder or a weights file', options.beside);
  const { protocol, features, baseline, floors } = options;
  const factors = options.protocol === 'linear' ? options.factors : undefined;
  const { shard } = options as { shard?: unknown };
  const other = Object.entries({ features, baseline, floors: floors || undefined, factors, shard }).find(
    ([, value]) => value !== undefined,
  );
  if (protocol === 'retrieval' || other)
    throw new VsslError(
      'ERR_VSSL_USAGE',
      `beside is for knn, linear and lowshot, without features, shards, baseline, floors and factors; leave out ${other ? other[0] : 'beside'}`,
    );
}

function checkPool(pool: unknown): void {
  if (!Array.isArray(pool) || pool.length !== 3)
    throw invalidArgument('pool', 'cells of time, height and width, such as [1, 2, 2]', pool);
  for (const cells of pool) checkCount('pool', cells);
}

/** What a protocol does differently with other options; without those that change nothing. */
function ownSettings(options: EvaluateOptions): object {
  if (options.protocol === 'linear') return linearSettings(options);
  if (options.protocol === 'lowshot') return lowshotSettings(options);
  if (options.protocol === 'retrieval') return retrievalSettings(options);
  const { temperature, ...votes } = knnSettings(options);
  return votes.weighting === 'softmax' ? { ...votes, temperature } : votes;
}

export function knnSettings(options: KnnEvaluationOptions): KnnSettings {
  const { k = 5, weighting = 'majority', temperature = 0.07, standardize } = options;
  return { k: checkCount('k', k), weighting, temperature, ...alsoStandardized(standardize) };
}

export function linearSettings(options: LinearEvaluationOptions): LinearSettings {
  const { weightDecay = 'select', maxIterations = 200, factors } = options;
  const isList = Array.isArray(factors) && factors.length > 0 && factors.every((f) => typeof f === 'string');
  if (factors !== undefined && factors !== true && !isList)
    throw invalidArgument('factors', 'true or a list of columns', factors);
  return { weightDecay, maxIterations: checkCount('maxIterations', maxIterations) };
}

export function lowshotSettings(options: LowshotEvaluationOptions): LowshotSettings {
  const { shots = [1, 5, 10], draws = 10, seed = 0, weightDecay = 0.1 } = options;
  if (!Array.isArray(shots) || shots.length === 0)
    throw invalidArgument('shots', 'a list of numbers such as [1, 5, 10]', shots);
  for (const count of shots) checkCount('shots', count);
  checkCount('draws', draws, 1, MOST_DRAWS);
  checkCount('seed', seed, 0);
  if (!(Number.isFinite(weightDecay) && weightDecay >= 0))
    throw invalidArgument('weightDecay', 'a number from 0', weightDecay);
  return { shots, draws, seed, weightDecay };
}

export function retrievalSettings({ seed = 0, standardize }: RetrievalEvaluationOptions): {
  readonly seed: number;
  readonly standardize?: boolean;
} {
  return { seed: checkCount('seed', seed, 0), ...alsoStandardized(standardize) };
}

/** Told only where it is asked for, so that results without it keep their key. */
function alsoStandardized(standardize = false): { readonly standardize?: true } {
  return checkBoolean('standardize', standardize) ? { standardize: true } : {};
}
