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
import type { KnnSettings, LinearSettings } from './protocols.js';

export type Protocol = 'knn' | 'linear' | 'retrieval';

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

export interface RetrievalEvaluationOptions extends CommonEvaluationOptions {
  readonly protocol: 'retrieval';
  /** Of the windows and augmentations of instance retrieval. Default 0. */
  readonly seed?: number;
  /** Also on features that are shifted and scaled by the mean and deviation of the gallery's. */
  readonly standardize?: boolean;
}

export type EvaluateOptions = KnnEvaluationOptions | LinearEvaluationOptions | RetrievalEvaluationOptions;

const commonKeys = (
  'protocol run weights features out train test data folds windows crops baseline baselineSeed floors signal ' +
  'onProgress device threads precision'
).split(' ');
const protocolKeys: Readonly<Record<Protocol, readonly string[]>> = {
  knn: ['k', 'weighting', 'temperature', 'standardize'],
  linear: ['weightDecay', 'maxIterations', 'factors'],
  retrieval: ['seed', 'standardize'],
};

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
  const protocol = checkOneOf('protocol', options?.protocol, ['knn', 'linear', 'retrieval']);
  requireOptions(options, [...commonKeys, ...protocolKeys[protocol], ...more]);
  checkSignal(options.signal);
  if (options.features !== undefined) checkText('features', 'a file of features', options.features);
  const { run, weights, windows = 3, crops = 1, baseline, baselineSeed = 0, floors = false } = options;
  if ((run === undefined) === (weights === undefined))
    throw new VsslError('ERR_VSSL_USAGE', 'expected either run (a run folder) or weights (a weights file)');
  checkCount('windows', windows, 1, LIMITS.windows);
  checkCount('baselineSeed', baselineSeed, 0);
  checkOneOf('crops', crops, [1, 3]);
  if (baseline !== undefined) checkOneOf('baseline', baseline, ['random']);
  checkBoolean('floors', floors);
  return { weights: (run ?? weights)!, settings: { windows, crops, ...ownSettings(options) } };
}

/** What a protocol does differently with other options; without those that change nothing. */
function ownSettings(options: EvaluateOptions): object {
  if (options.protocol === 'linear') return linearSettings(options);
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
