import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkCount, checkSignal, LIMITS, requireOptions } from '../checks.js';
import type { ClipFormat } from '../data/clip-plan.js';
import { weightsFile } from '../embed/encoder-options.js';
import { invalidArgument, VsslError } from '../errors.js';
import { packageVersion } from '../native/load.js';
import { writeResultFile } from '../weights/atomic-write.js';
import { readEncoderDescription } from '../weights/encoder-file.js';
import { type DataOptions, labelledRows, loadEvaluationData, narrowSplits } from './evaluation-data.js';
import { probeFactor, readFactors } from './factors.js';
import { type ExtractorOptions, FeatureExtractor, type Representations } from './feature-extractor.js';
import { type FeatureMatrix, selectRows } from './feature-matrix.js';
import { type FloorName, floorNames } from './floors.js';
import { type Augmentation, defaultAugmentation } from './instance-windows.js';
import {
  type ClassificationScore,
  type LabelledRows,
  type RecallScore,
  scoreInstanceRetrieval,
  scoreKnn,
  scoreLabelRetrieval,
  scoreLinear,
} from './protocols.js';
import { evaluationKey, resultFile } from './result-file.js';
import { recallRanks } from './retrieval.js';

/** Version of the results that are written. */
export const EVALUATION_FORMAT_VERSION = 1;

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
}

export interface KnnEvaluationOptions extends CommonEvaluationOptions {
  readonly protocol: 'knn';
  /** Neighbours. Default 5. */
  readonly k?: number;
  readonly weighting?: 'majority' | 'softmax';
  /** Of `softmax` votes. Default 0.07. */
  readonly temperature?: number;
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
}

export type EvaluateOptions = KnnEvaluationOptions | LinearEvaluationOptions | RetrievalEvaluationOptions;

/** R@k by label (absent without labels or without two sets) and by instance. */
export interface RetrievalScore {
  readonly label?: RecallScore;
  readonly instance: RecallScore;
}

/** One line of the factor table: accuracies of a category, R^2 of numbers. */
export interface FactorScore {
  readonly name: string;
  readonly kind: 'category' | 'number';
  /** Videos with a value. */
  readonly count: number;
  /** Different categories, or numbers in a value. */
  readonly size: number;
  readonly chance: number;
  readonly trained: number;
  readonly random?: number;
  readonly floors?: Readonly<Record<FloorName, number>>;
}

export interface EvaluationResult<Score> {
  readonly formatVersion: typeof EVALUATION_FORMAT_VERSION;
  readonly packageVersion: string;
  readonly protocol: Protocol;
  /** Stands for protocol, weights, videos, labels, splits and settings: two results of one key answer one question. */
  readonly key: string;
  readonly encoder: {
    readonly weights: string;
    readonly method: string;
    readonly step: number;
    readonly arch: string;
    readonly width: number;
    readonly dim: number;
    readonly clip: ClipFormat['clip'];
    readonly input: string;
  };
  readonly data: DataOptions & {
    readonly videos: number;
    readonly used: number;
    readonly labels: readonly string[];
  };
  readonly settings: Readonly<Record<string, unknown>>;
  readonly trained: Score;
  readonly random?: Score & { readonly seed: number };
  readonly floors?: Readonly<Record<FloorName, Score>>;
  /** With `factors`. */
  readonly factors?: readonly FactorScore[];
  readonly failures: readonly { readonly path: string; readonly code: string; readonly reason: string }[];
  readonly warnings: readonly string[];
  readonly seconds: number;
  /** Where the result was written, with `run` or `out`. */
  readonly file?: string;
}

const commonKeys = (
  'protocol run weights out train test data folds windows crops baseline baselineSeed floors signal onProgress device ' +
  'threads precision'
).split(' ');
const protocolKeys: Readonly<Record<Protocol, readonly string[]>> = {
  knn: ['k', 'weighting', 'temperature'],
  linear: ['weightDecay', 'maxIterations', 'factors'],
  retrieval: ['seed'],
};

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
  const { weights, settings } = checkEvaluateOptions(options);
  const { baseline, baselineSeed = 0, floors: withFloors = false, precision = 'fp32' } = options;
  const data = await loadEvaluationData(options);
  const path = await weightsFile(weights);
  const { step } = await readEncoderDescription(path);
  const beside = { baseline, baselineSeed, floors: withFloors, precision, factors: factorsOf(options) };
  const key = evaluationKey({
    protocol: options.protocol,
    ...{ weights, step, data, settings: { ...settings, ...beside } },
  });
  const file = await resultFile(options, key);
  const extractor = await FeatureExtractor.open(path, data, options);
  try {
    const { description } = extractor.encoder;
    const scores =
      options.protocol === 'retrieval'
        ? await retrievalScores(extractor, options)
        : await classScores(extractor, options);
    const { trained, random, floors, factors } = scores;
    const result = {
      formatVersion: EVALUATION_FORMAT_VERSION,
      packageVersion,
      protocol: options.protocol,
      key,
      encoder: {
        weights: options.run ?? options.weights!,
        method: description.method,
        step: description.step,
        arch: description.model.arch,
        width: description.model.width,
        dim: extractor.encoder.dim,
        clip: description.clip,
        input: description.input,
      },
      data: {
        train: options.train,
        test: options.test,
        data: options.data,
        folds: options.folds,
        videos: data.rows.length,
        used: scores.used,
        labels: data.labels,
      },
      settings,
      trained,
      ...(random ? { random: { seed: options.baselineSeed ?? 0, ...random } } : {}),
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

/** The scores of every representation under one protocol. */
interface Scores<S> {
  readonly trained: S;
  readonly random?: S;
  readonly floors?: Readonly<Record<FloorName, S>>;
  readonly used: number;
  readonly factors?: readonly FactorScore[];
}

async function classScores(
  extractor: FeatureExtractor,
  options: KnnEvaluationOptions | LinearEvaluationOptions,
): Promise<Scores<ClassificationScore>> {
  const rows = rowsToScore(extractor);
  const { kept, of } = await extractor.windowFeatures(rows);
  const labelled = labelledSplits(extractor, kept);
  const { signal } = options;
  const score = (features: FeatureMatrix) => {
    if (options.protocol === 'knn') {
      const { k = 5, weighting = 'majority', temperature = 0.07 } = options;
      return scoreKnn(features, labelled, { k, weighting, temperature }, signal);
    }
    const { weightDecay = 'select', maxIterations = 200 } = options;
    return scoreLinear(extractor.engine, features, labelled, { weightDecay, maxIterations }, signal);
  };
  const factors =
    options.protocol === 'linear' && options.factors
      ? await factorScores(extractor, kept, of, options.factors, signal)
      : undefined;
  return { ...(await scoreEach(of, score)), used: kept.length, factors };
}

/** Probes of the columns of the tested videos, on each representation. */
async function factorScores(
  { data, warnings }: FeatureExtractor,
  kept: readonly number[],
  of: Representations,
  names: true | readonly string[],
  signal?: AbortSignal,
): Promise<FactorScore[]> {
  const tested = new Set(data.splits.flatMap(({ test }) => test));
  const places = kept.flatMap((row, place) => (tested.has(row) ? [place] : []));
  const rows = places.map((place) => data.rows[kept[place]!]!);
  const read = readFactors(rows, names === true ? undefined : names);
  warnings.push(...read.warnings);
  const table: FactorScore[] = [];
  for (const factor of read.factors) {
    const { name, kind, size, chance } = factor;
    const scores = await scoreEach(of, (features) =>
      probeFactor(selectRows(features, places), factor, signal),
    );
    table.push({ name, kind, count: factor.rows.length, size, chance, ...scores });
  }
  return table;
}

async function retrievalScores(
  extractor: FeatureExtractor,
  options: RetrievalEvaluationOptions,
): Promise<Scores<RetrievalScore>> {
  const { seed = 0, signal } = options;
  const { data } = extractor;
  const augment = await runAugmentation(options.run);
  const asked = data.splits.length === 1 ? data.splits[0]!.test : data.rows.map((_, row) => row);
  const pairs = await extractor.pairFeatures(asked, augment, seed);
  const instance = await scoreEach(pairs.query, (query, pick) =>
    scoreInstanceRetrieval(query, pick(pairs.gallery), recallRanks, signal),
  );
  let label: Omit<Scores<RecallScore>, 'used'> | undefined;
  let used = pairs.query.trained.rows;
  if (data.splits.length > 0 && data.labels.length > 0) {
    const { kept, of } = await extractor.windowFeatures(rowsToScore(extractor));
    const labelled = labelledSplits(extractor, kept);
    label = await scoreEach(of, (features) => scoreLabelRetrieval(features, labelled, recallRanks, signal));
    used = kept.length;
  }
  const join = (byLabel: RecallScore | undefined, byInstance: RecallScore): RetrievalScore => ({
    ...(byLabel ? { label: byLabel } : {}),
    instance: byInstance,
  });
  const { floors } = instance;
  return {
    trained: join(label?.trained, instance.trained),
    random: instance.random && join(label?.random, instance.random),
    floors: floors && byFloor((name) => join(label?.floors?.[name], floors[name])),
    used,
  };
}

/** Applies a protocol to each representation; `pick` finds the same one in another set. */
async function scoreEach<S>(
  of: Representations,
  score: (features: FeatureMatrix, pick: (other: Representations) => FeatureMatrix) => Promise<S>,
): Promise<Omit<Scores<S>, 'used'>> {
  const trained = await score(of.trained, (other) => other.trained);
  const random = of.random && (await score(of.random, (other) => other.random!));
  if (!of.floors) return { trained, random };
  const floors: Partial<Record<FloorName, S>> = {};
  for (const name of floorNames) floors[name] = await score(of.floors[name], (other) => other.floors![name]);
  return { trained, random, floors: floors as Record<FloorName, S> };
}

function byFloor<S>(make: (name: FloorName) => S): Record<FloorName, S> {
  return Object.fromEntries(floorNames.map((name) => [name, make(name)])) as Record<FloorName, S>;
}

/** The rows with a label, and a warning of the others. */
function rowsToScore({ data, warnings }: FeatureExtractor): number[] {
  const rows = labelledRows(data);
  const without = data.rows.length - rows.length;
  if (without > 0) warnings.push(`${without} videos without a label were left out`);
  return rows;
}

function labelledSplits({ data, warnings }: FeatureExtractor, kept: readonly number[]): LabelledRows {
  const splits = narrowSplits(data.splits, kept);
  if (splits.length === 0)
    throw new VsslError(
      'ERR_VSSL_NO_USABLE_VIDEO',
      'no split has both training and test videos that can be used',
    );
  const classes = Int32Array.from(kept, (row) => data.classes[row]!);
  for (const { name, train, test } of splits) {
    const known = new Set(train.map((row) => classes[row]));
    const unknown = test.filter((row) => !known.has(classes[row])).length;
    if (unknown > 0)
      warnings.push(`${unknown} test videos of '${name}' have a label that no training video has`);
  }
  return {
    classes,
    labels: data.labels,
    merged: data.merged,
    groups: kept.map((row) => data.rows[row]!.group),
    splits,
  };
}

/** The augmentation a run was trained with; the default one for a weights file alone. */
async function runAugmentation(run: string | undefined): Promise<Augmentation> {
  if (run === undefined) return defaultAugmentation();
  const path = join(run, 'config.json');
  try {
    const config = JSON.parse(await readFile(path, 'utf8')) as { data?: { augment?: Augmentation } };
    return { ...defaultAugmentation(), ...config.data?.augment };
  } catch (error) {
    throw new VsslError(
      'ERR_VSSL_FILE',
      `${path} cannot be read, it says which augmentation was used: give --weights instead`,
      {
        details: { path },
        cause: error,
      },
    );
  }
}

function checkEvaluateOptions(options: EvaluateOptions): {
  weights: string;
  settings: Record<string, unknown>;
} {
  const protocol = options?.protocol;
  if (protocol !== 'knn' && protocol !== 'linear' && protocol !== 'retrieval')
    throw invalidArgument('protocol', "'knn', 'linear' or 'retrieval'", protocol);
  requireOptions(options, [...commonKeys, ...protocolKeys[protocol]]);
  checkSignal(options.signal);
  const { run, weights, windows = 3, crops = 1, baseline, baselineSeed = 0, floors = false } = options;
  if ((run === undefined) === (weights === undefined))
    throw new VsslError('ERR_VSSL_USAGE', 'expected either run (a run folder) or weights (a weights file)');
  if (options.protocol === 'linear') checkFactors(options.factors);
  checkCount('windows', windows, 1, LIMITS.windows);
  checkCount('baselineSeed', baselineSeed, 0);
  if (crops !== 1 && crops !== 3) throw invalidArgument('crops', '1 or 3', crops);
  if (baseline !== undefined && baseline !== 'random')
    throw invalidArgument('baseline', "'random'", baseline);
  if (typeof floors !== 'boolean') throw invalidArgument('floors', 'true or false', floors);
  const own: Record<string, unknown> =
    protocol === 'knn'
      ? { k: checkCount('k', options.k ?? 5), weighting: options.weighting ?? 'majority' }
      : protocol === 'linear'
        ? {
            weightDecay: options.weightDecay ?? 'select',
            maxIterations: checkCount('maxIterations', options.maxIterations ?? 200),
          }
        : { seed: checkCount('seed', options.seed ?? 0, 0) };
  if (own.weighting === 'softmax') own.temperature = (options as KnnEvaluationOptions).temperature ?? 0.07;
  return { weights: (run ?? weights)!, settings: { windows, crops, ...own } };
}

function factorsOf(options: EvaluateOptions): unknown {
  return options.protocol === 'linear' ? options.factors : undefined;
}

function checkFactors(factors: unknown): void {
  const isList = Array.isArray(factors) && factors.length > 0 && factors.every((f) => typeof f === 'string');
  if (factors !== undefined && factors !== true && !isList)
    throw invalidArgument('factors', 'true or a list of columns', factors);
}
