/** A protocol on every representation: the trained encoder, the untrained one, and the floors of raw pixels. */
import { VsslError } from '../errors.js';
import { type EvaluationData, labelledRows, narrowSplits } from './evaluation-data.js';
import {
  type EvaluateOptions,
  type KnnEvaluationOptions,
  knnSettings,
  type LinearEvaluationOptions,
  type LowshotEvaluationOptions,
  linearSettings,
  lowshotSettings,
  type Protocol,
  type RetrievalEvaluationOptions,
  retrievalSettings,
} from './evaluation-options.js';
import { probeFactor, readFactors } from './factors.js';
import type { FeatureExtractor, Representations } from './feature-extractor.js';
import { type FeatureMatrix, selectRows } from './feature-matrix.js';
import { type FloorName, floorNames } from './floors.js';
import { runAugmentation } from './instance-windows.js';
import { type LowshotScore, scoreLowshot } from './lowshot.js';
import {
  type ClassificationScore,
  type LabelledRows,
  type RecallScore,
  scoreInstanceRetrieval,
  scoreKnn,
  scoreLabelRetrieval,
  scoreLinear,
} from './protocols.js';
import type { Interval } from './resampling.js';
import { recallRanks } from './retrieval.js';
import { besideFeatures } from './side-by-side.js';
import type { Stage } from './staged-features.js';

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
  /** Of each of them, whole groups drawn anew where there are enough. */
  readonly intervals: {
    readonly trained: Interval;
    readonly random?: Interval;
    readonly floors?: Readonly<Record<FloorName, Interval>>;
  };
}

/** Which videos the outcomes of a score are of, in their order. */
export interface TestedVideos {
  /** Name of each video inside its manifest, the same on any machine. */
  readonly ids: readonly string[];
  readonly groups: readonly (string | null)[];
  /** Class number of each: a place in `data.labels`; -1: no label. */
  readonly classes: readonly number[];
}

/** The videos behind the scores: those that have to be classified (retrieved by label), and those found again. */
export interface Tested {
  readonly label?: TestedVideos;
  readonly instance?: TestedVideos;
}

/** The scores of every representation under one protocol. */
export interface Scores<S> {
  readonly trained: S;
  readonly random?: S;
  readonly floors?: Readonly<Record<FloorName, S>>;
  readonly used: number;
  readonly tested: Tested;
  readonly factors?: readonly FactorScore[];
}

/** Numbers of the rows that a protocol embeds in each stage. Throws what labelledRows throws. */
export function rowsOfStages(
  data: EvaluationData,
  protocol: Protocol,
): Readonly<Partial<Record<Stage, readonly number[]>>> {
  if (protocol !== 'retrieval') return { features: labelledRows(data) };
  const { splits, labels, rows } = data;
  const instances = splits.length === 1 ? splits[0]!.test : rows.map((_, row) => row);
  return splits.length > 0 && labels.length > 0 ? { instances, features: labelledRows(data) } : { instances };
}

/** kNN or linear probe over all splits. */
export async function classScores(
  extractor: FeatureExtractor,
  options: KnnEvaluationOptions | LinearEvaluationOptions,
): Promise<Scores<ClassificationScore>> {
  const rows = rowsOfStages(extractor.data, options.protocol).features!;
  warnOfUnlabelled(extractor, rows);
  const { kept, of } = await representations(extractor, rows, options);
  const labelled = labelledSplits(extractor, kept);
  const { signal } = options;
  const score = (features: FeatureMatrix) =>
    options.protocol === 'knn'
      ? scoreKnn(features, labelled, knnSettings(options), signal)
      : scoreLinear(extractor.engine, features, labelled, linearSettings(options), signal);
  const factors =
    options.protocol === 'linear' && options.factors
      ? await factorScores(extractor, kept, of, options.factors, signal)
      : undefined;
  const tested = { label: testedVideos(extractor.data, testedRows(labelled, kept)) };
  return { ...(await scoreEach(of, score)), used: kept.length, tested, factors };
}

/** The windows' features; with a second encoder those of both, side by side. */
async function representations(
  extractor: FeatureExtractor,
  rows: readonly number[],
  options: EvaluateOptions,
): Promise<{ kept: readonly number[]; of: Representations }> {
  const { kept, of } = await extractor.windowFeatures(rows);
  if (options.beside === undefined) return { kept, of };
  const first = { kept, trained: of.trained };
  const both = await besideFeatures(options.beside, extractor.data, options, first);
  return { kept: both.kept, of: { trained: both.trained } };
}

/** Rows of the data that the splits test, in the order in which the protocols score them. */
function testedRows({ splits }: LabelledRows, kept: readonly number[]): number[] {
  return splits.flatMap(({ test }) => test.map((place) => kept[place]!));
}

function testedVideos({ rows, classes }: EvaluationData, of: readonly number[]): TestedVideos {
  return {
    ids: of.map((row) => rows[row]!.id),
    groups: of.map((row) => rows[row]!.group ?? null),
    classes: of.map((row) => classes[row]!),
  };
}

/** A few labels a class, over all splits. */
export async function lowshotScores(
  extractor: FeatureExtractor,
  options: LowshotEvaluationOptions,
): Promise<Scores<LowshotScore>> {
  const rows = rowsOfStages(extractor.data, options.protocol).features!;
  warnOfUnlabelled(extractor, rows);
  const { kept, of } = await representations(extractor, rows, options);
  const labelled = labelledSplits(extractor, kept);
  const settings = lowshotSettings(options);
  warnOfFewVideos(extractor, labelled, Math.max(...settings.shots));
  const score = (features: FeatureMatrix) =>
    scoreLowshot(extractor.engine, features, labelled, settings, options.signal);
  const tested = { label: testedVideos(extractor.data, testedRows(labelled, kept)) };
  return { ...(await scoreEach(of, score)), used: kept.length, tested };
}

function warnOfFewVideos({ warnings }: FeatureExtractor, rows: LabelledRows, shots: number): void {
  for (const { name, train } of rows.splits) {
    const counts = new Map<number, number>();
    for (const row of train) counts.set(rows.classes[row]!, (counts.get(rows.classes[row]!) ?? 0) + 1);
    const few = [...counts].filter(([, count]) => count < shots).map(([label]) => rows.labels[label]);
    if (few.length > 0)
      warnings.push(
        `of '${name}', ${few.length} labels have fewer than ${shots} training videos (${few.slice(0, 3).join(', ')}): all that there are are drawn`,
      );
  }
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
    const probes = await scoreEach(of, (features) =>
      probeFactor(
        selectRows(features, places),
        factor,
        rows.map((row) => row.group),
        signal,
      ),
    );
    const [values, intervals] = [
      eachOf(probes, (probe) => probe.value),
      eachOf(probes, (probe) => probe.interval),
    ];
    table.push({ name, kind, count: factor.rows.length, size, chance, ...values, intervals });
  }
  return table;
}

export async function retrievalScores(
  extractor: FeatureExtractor,
  options: RetrievalEvaluationOptions,
): Promise<Scores<RetrievalScore>> {
  const { signal } = options;
  const { data } = extractor;
  const augment = await runAugmentation(options.run);
  const { instances, features: rows } = rowsOfStages(data, 'retrieval');
  const { seed, standardize } = retrievalSettings(options);
  const settings = { ranks: recallRanks, standardize };
  const pairs = await extractor.pairFeatures(instances!, augment, seed);
  const groups = pairs.rows.map((row) => data.rows[row]!.group);
  const instance = await scoreEach(pairs.query, (query, pick) =>
    scoreInstanceRetrieval(query, pick(pairs.gallery), groups, settings, signal),
  );
  let label: Representation<RecallScore> | undefined;
  let used = pairs.query.trained.rows;
  let tested: Tested = { instance: testedVideos(data, pairs.rows) };
  if (rows) {
    warnOfUnlabelled(extractor, rows);
    const { kept, of } = await extractor.windowFeatures(rows);
    const labelled = labelledSplits(extractor, kept);
    label = await scoreEach(of, (features) => scoreLabelRetrieval(features, labelled, settings, signal));
    used = kept.length;
    tested = { label: testedVideos(data, testedRows(labelled, kept)), ...tested };
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
    tested,
  };
}

/** A score of each representation. */
type Representation<S> = Pick<Scores<S>, 'trained' | 'random' | 'floors'>;

/** Applies a protocol to each representation; `pick` finds the same one in another set. */
async function scoreEach<S>(
  of: Representations,
  score: (features: FeatureMatrix, pick: (other: Representations) => FeatureMatrix) => Promise<S>,
): Promise<Representation<S>> {
  const trained = await score(of.trained, (other) => other.trained);
  const random = of.random && (await score(of.random, (other) => other.random!));
  if (!of.floors) return { trained, random };
  const floors: Partial<Record<FloorName, S>> = {};
  for (const name of floorNames) floors[name] = await score(of.floors[name], (other) => other.floors![name]);
  return { trained, random, floors: floors as Record<FloorName, S> };
}

/** A part of each score. */
function eachOf<S, P>({ trained, random, floors }: Representation<S>, pick: (score: S) => P) {
  return {
    trained: pick(trained),
    ...(random !== undefined && { random: pick(random) }),
    ...(floors && { floors: byFloor((name) => pick(floors[name])) }),
  };
}

function byFloor<S>(make: (name: FloorName) => S): Record<FloorName, S> {
  return Object.fromEntries(floorNames.map((name) => [name, make(name)])) as Record<FloorName, S>;
}

function warnOfUnlabelled({ data, warnings }: FeatureExtractor, labelled: readonly number[]): void {
  const without = data.rows.length - labelled.length;
  if (without > 0) warnings.push(`${without} videos without a label were left out`);
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
