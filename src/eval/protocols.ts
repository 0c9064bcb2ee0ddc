/** The protocols, on features that are there already: what they return is what a results file holds. */
import type { EngineAddon } from '../native/bindings.js';
import { type FeatureMatrix, selectRows } from './feature-matrix.js';
import type { Fold } from './folds.js';
import { classifyKnn } from './knn.js';
import { fitLinearProbe } from './linear.js';
import { type Classification, meanAndSpread, scoreClassification } from './metrics.js';
import { type RetrievalResult, retrieveByLabel, retrieveInstance } from './retrieval.js';

/** Rows that a protocol works on: features' row i has class classes[i] and group groups[i]. */
export interface LabelledRows {
  readonly classes: Int32Array;
  readonly labels: readonly string[];
  /** Of each class, see EvaluationData. */
  readonly merged?: readonly string[] | null;
  readonly groups: readonly (string | undefined)[];
  readonly splits: readonly Fold[];
}

export interface FoldScore {
  readonly name: string;
  readonly train: number;
  readonly test: number;
  readonly accuracy: number;
  /** Chosen L2 penalty of the linear probe. */
  readonly weightDecay?: number;
}

/** Every test video once, over all folds. */
export interface ClassificationScore extends Classification {
  readonly folds: readonly FoldScore[];
  /** Standard deviation of the folds' accuracies; 0 for one fold. */
  readonly foldSpread: number;
  /** With a column `merged` in the data. */
  readonly merged?: MergedScore;
  /** Class number of each tested video, in the order of the result's `tested.label`. */
  readonly predictions: readonly number[];
}

/** The same predictions when classes that an augmentation merges count as one: what is left of the confusion. */
export interface MergedScore {
  /** Different merged classes. */
  readonly classes: number;
  readonly correct: number;
  readonly accuracy: number;
  readonly interval: readonly [number, number];
  /** Accuracy of guessing among the classes as they were. */
  readonly chance: number;
}

export interface RecallScore extends Omit<RetrievalResult, 'ranks' | 'gallery'> {
  /** Videos in the gallery (the mean over folds). */
  readonly gallery: number;
  /** Place of the first match of each query, 0 when it has none, in the order of the result's `tested`. */
  readonly ranks: readonly number[];
}

export interface KnnSettings {
  readonly k: number;
  readonly weighting: 'majority' | 'softmax';
  readonly temperature: number;
}

export interface LinearSettings {
  readonly weightDecay: number | 'select';
  readonly maxIterations: number;
}

export function scoreKnn(
  features: FeatureMatrix,
  rows: LabelledRows,
  settings: KnnSettings,
  signal?: AbortSignal,
): Promise<ClassificationScore> {
  return scoreFolds(features, rows, async (train, labels, test) => {
    const { predictions } = await classifyKnn(train, labels, test, { ...settings, signal });
    return { predictions };
  });
}

export function scoreLinear(
  engine: Pick<EngineAddon, 'fitLinear'>,
  features: FeatureMatrix,
  rows: LabelledRows,
  settings: LinearSettings,
  signal?: AbortSignal,
): Promise<ClassificationScore> {
  return scoreFolds(features, rows, async (train, labels, test, groups) => {
    const options = { ...settings, groups, signal };
    return fitLinearProbe(engine, train, labels, test, rows.labels.length, options);
  });
}

type Classify = (
  train: FeatureMatrix,
  labels: Int32Array,
  test: FeatureMatrix,
  groups: readonly (string | undefined)[],
) => Promise<{ readonly predictions: Int32Array; readonly weightDecay?: number }>;

async function scoreFolds(
  features: FeatureMatrix,
  rows: LabelledRows,
  classify: Classify,
): Promise<ClassificationScore> {
  const truth: number[] = [];
  const predicted: number[] = [];
  const clusters: (string | undefined)[] = [];
  const folds: FoldScore[] = [];
  for (const { name, train, test } of rows.splits) {
    const labels = Int32Array.from(train, (row) => rows.classes[row]!);
    const groups = train.map((row) => rows.groups[row]);
    const result = await classify(selectRows(features, train), labels, selectRows(features, test), groups);
    const hits = test.filter((row, i) => rows.classes[row] === result.predictions[i]).length;
    test.forEach((row, i) => {
      truth.push(rows.classes[row]!);
      predicted.push(result.predictions[i]!);
      clusters.push(rows.groups[row]);
    });
    folds.push({
      name,
      train: train.length,
      test: test.length,
      accuracy: hits / test.length,
      ...(result.weightDecay === undefined ? {} : { weightDecay: result.weightDecay }),
    });
  }
  const score = scoreClassification(truth, predicted, rows.labels, clusters);
  return {
    ...score,
    folds,
    foldSpread: meanAndSpread(folds.map((fold) => fold.accuracy)).std,
    ...(rows.merged ? { merged: scoreMerged(truth, predicted, rows.merged, clusters) } : {}),
    predictions: predicted,
  };
}

/** `merged[c]`: merged name of class c. */
export function scoreMerged(
  truth: readonly number[],
  predicted: readonly number[],
  merged: readonly string[],
  clusters?: readonly (string | undefined)[],
): MergedScore {
  const names = [...new Set(merged)];
  const number = merged.map((name) => names.indexOf(name));
  const map = (classes: readonly number[]) => classes.map((c) => number[c]!);
  const { correct, accuracy, interval } = scoreClassification(map(truth), map(predicted), names, clusters);
  const sizes = names.map((name) => merged.filter((other) => other === name).length);
  const chance = truth.reduce((sum, c) => sum + sizes[number[c]!]! / merged.length / truth.length, 0);
  return { classes: names.length, correct, accuracy, interval, chance };
}

/** Label retrieval: the test rows of each fold query its training rows; every query counts alike. */
export async function scoreLabelRetrieval(
  features: FeatureMatrix,
  rows: LabelledRows,
  ranks: readonly number[],
  signal?: AbortSignal,
): Promise<RecallScore> {
  const pick = (of: readonly number[]) => Int32Array.from(of, (row) => rows.classes[row]!);
  const results: RetrievalResult[] = [];
  for (const { train, test } of rows.splits)
    results.push(
      await retrieveByLabel(
        selectRows(features, test),
        pick(test),
        selectRows(features, train),
        pick(train),
        {
          ranks,
          signal,
        },
      ),
    );
  return poolRecall(results);
}

/** Instance retrieval: row i of `query` has to find row i of `gallery`. */
export async function scoreInstanceRetrieval(
  query: FeatureMatrix,
  gallery: FeatureMatrix,
  ranks: readonly number[],
  signal?: AbortSignal,
): Promise<RecallScore> {
  return poolRecall([await retrieveInstance(query, gallery, { ranks, signal })]);
}

/** Mean over the queries of all folds; of the ks that every fold's gallery reaches. */
function poolRecall(results: readonly RetrievalResult[]): RecallScore {
  const queries = results.reduce((sum, r) => sum + r.queries, 0);
  const share = (pick: (r: RetrievalResult) => number) =>
    results.reduce((sum, r) => sum + (pick(r) * r.queries) / Math.max(1, queries), 0);
  const ks = Object.keys(results[0]?.recall ?? {})
    .map(Number)
    .filter((k) => results.every((r) => r.recall[k] !== undefined));
  const ranks = results.flatMap((r) => Array.from(r.ranks));
  const found = ranks.filter((rank) => rank > 0).sort((a, b) => a - b);
  const middle = found.length >> 1;
  const medianRank = found.length % 2 ? found[middle]! : (found[middle - 1]! + found[middle]!) / 2;
  return {
    queries,
    gallery: share((r) => r.gallery),
    recall: Object.fromEntries(ks.map((k) => [k, share((r) => r.recall[k]!)])),
    chance: Object.fromEntries(ks.map((k) => [k, share((r) => r.chance[k]!)])),
    medianRank: found.length === 0 ? null : medianRank,
    unmatched: results.reduce((sum, r) => sum + r.unmatched, 0),
    ranks,
  };
}
