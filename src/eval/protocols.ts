/** The protocols, on features that are there already: what they return is what a results file holds. */
import type { EngineAddon } from '../native/bindings.js';
import { type FeatureMatrix, joinRows, selectRows } from './feature-matrix.js';
import type { Fold } from './folds.js';
import { classifyKnn } from './knn.js';
import { fitLinearProbe, standardize } from './linear.js';
import {
  type Classification,
  meanAndSpread,
  type Ranked,
  rankScores,
  scoreClassification,
} from './metrics.js';
import { type ClusterScore, scoreClusters } from './nmi.js';
import { bootstrapMean, type Clusters, type Interval } from './resampling.js';
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
  /** With `standardize`: the same of features that are shifted and scaled by those of the training videos. */
  readonly standardized?: ClassificationScore;
}

/** The same predictions when classes that an augmentation merges count as one: what is left of the confusion. */
export interface MergedScore {
  /** Different merged classes. */
  readonly classes: number;
  readonly correct: number;
  readonly accuracy: number;
  readonly interval: Interval;
  /** Accuracy of guessing among the classes as they were. */
  readonly chance: number;
}

export interface RecallScore extends Omit<RetrievalResult, 'ranks' | 'gallery' | 'precisionAtR'> {
  /** Videos in the gallery (the mean over folds). */
  readonly gallery: number;
  /** Of each recall. */
  readonly intervals: Readonly<Record<number, Interval>>;
  /** By label; see map-at-r.ts. */
  readonly mapAtR?: { readonly value: number; readonly interval: Interval; readonly chance: number };
  /** By label: what clusters of the tested videos tell of their labels; see nmi.ts. */
  readonly clusters?: ClusterScore;
  /** With `standardize`: the same of features that are shifted and scaled by those of the gallery. */
  readonly standardized?: RecallScore;
}

export interface KnnSettings {
  readonly k: number;
  readonly weighting: 'majority' | 'softmax';
  readonly temperature: number;
  /** Also on standardised features. */
  readonly standardize?: boolean;
}

export interface LinearSettings {
  readonly weightDecay: number | 'select';
  readonly maxIterations: number;
}

export async function scoreKnn(
  features: FeatureMatrix,
  rows: LabelledRows,
  { standardize: both = false, ...settings }: KnnSettings,
  signal?: AbortSignal,
): Promise<ClassificationScore> {
  const score = (prepare: Prepare) =>
    scoreFolds(features, rows, async (train, labels, test) => {
      const [a, b] = prepare(train, test);
      const { ranked } = await classifyKnn(a, labels, b, { ...settings, signal });
      return { ranked };
    });
  const raw = await score(asTheyAre);
  return both ? { ...raw, standardized: await score(standardize) } : raw;
}

/** What is done to features before they are compared; the first are those that may be learnt from. */
type Prepare = (train: FeatureMatrix, test: FeatureMatrix) => [FeatureMatrix, FeatureMatrix];

const asTheyAre: Prepare = (train, test) => [train, test];

export function scoreLinear(
  engine: Pick<EngineAddon, 'fitLinear'>,
  features: FeatureMatrix,
  rows: LabelledRows,
  settings: LinearSettings,
  signal?: AbortSignal,
): Promise<ClassificationScore> {
  const classes = rows.labels.length;
  return scoreFolds(features, rows, async (train, labels, test, groups) => {
    const options = { ...settings, groups, signal };
    const { scores, weightDecay } = await fitLinearProbe(engine, train, labels, test, classes, options);
    return { ranked: rankScores(scores, test.rows, classes), weightDecay };
  });
}

type Classify = (
  train: FeatureMatrix,
  labels: Int32Array,
  test: FeatureMatrix,
  groups: Clusters,
) => Promise<{ readonly ranked: Ranked; readonly weightDecay?: number }>;

async function scoreFolds(
  features: FeatureMatrix,
  rows: LabelledRows,
  classify: Classify,
): Promise<ClassificationScore> {
  const parts: Prediction[] = [];
  for (const { name, train, test } of rows.splits) {
    const labels = Int32Array.from(train, (row) => rows.classes[row]!);
    const groups = train.map((row) => rows.groups[row]);
    const result = await classify(selectRows(features, train), labels, selectRows(features, test), groups);
    parts.push({ name, train: train.length, test, ...result });
  }
  return scorePredictions(rows, parts);
}

/** What the test rows of a fold were taken for. */
export interface Prediction {
  readonly name: string;
  /** How many rows it learnt from. */
  readonly train: number;
  readonly test: readonly number[];
  readonly ranked: Ranked;
  readonly weightDecay?: number;
}

/** The score of predictions of all folds, pooled. */
export function scorePredictions(rows: LabelledRows, parts: readonly Prediction[]): ClassificationScore {
  const tested = parts.flatMap(({ test }) => test);
  const truth = tested.map((row) => rows.classes[row]!);
  const clusters = tested.map((row) => rows.groups[row]);
  const ranked = joinRanked(parts.map((part) => part.ranked));
  const folds = parts.map(({ name, train, test, ranked: { classes, depth }, weightDecay }): FoldScore => {
    const hits = test.filter((row, i) => rows.classes[row] === classes[i * depth]).length;
    const accuracy = hits / test.length;
    return {
      name,
      train,
      test: test.length,
      accuracy,
      ...(weightDecay === undefined ? {} : { weightDecay }),
    };
  });
  const first = Array.from(truth, (_, i) => ranked.classes[i * ranked.depth]!);
  return {
    ...scoreClassification(truth, ranked, rows.labels, clusters),
    folds,
    foldSpread: meanAndSpread(folds.map((fold) => fold.accuracy)).std,
    ...(rows.merged ? { merged: scoreMerged(truth, first, rows.merged, clusters) } : {}),
  };
}

/** All of one depth. */
function joinRanked(parts: readonly Ranked[]): Ranked {
  const classes = new Int32Array(parts.reduce((sum, part) => sum + part.classes.length, 0));
  let at = 0;
  for (const part of parts) {
    classes.set(part.classes, at);
    at += part.classes.length;
  }
  return { classes, depth: parts[0]?.depth ?? 1 };
}

/** `merged[c]`: merged name of class c. */
export function scoreMerged(
  truth: readonly number[],
  predicted: readonly number[],
  merged: readonly string[],
  clusters?: Clusters,
): MergedScore {
  const names = [...new Set(merged)];
  const number = merged.map((name) => names.indexOf(name));
  const map = (classes: readonly number[]) => classes.map((c) => number[c]!);
  const ranked = { classes: Int32Array.from(map(predicted)), depth: 1 };
  const { correct, accuracy, interval } = scoreClassification(map(truth), ranked, names, clusters);
  const sizes = names.map((name) => merged.filter((other) => other === name).length);
  const chance = truth.reduce((sum, c) => sum + sizes[number[c]!]! / merged.length / truth.length, 0);
  return { classes: names.length, correct, accuracy, interval, chance };
}

export interface RetrievalSettings {
  readonly ranks: readonly number[];
  /** Also on standardised features. */
  readonly standardize?: boolean;
}

/** Label retrieval: the test rows of each fold query its training rows; every query counts alike. */
export async function scoreLabelRetrieval(
  features: FeatureMatrix,
  rows: LabelledRows,
  { ranks, standardize: both = false }: RetrievalSettings,
  signal?: AbortSignal,
): Promise<RecallScore> {
  const pick = (of: readonly number[]) => Int32Array.from(of, (row) => rows.classes[row]!);
  const tested = rows.splits.flatMap(({ test }) => test);
  const groups = tested.map((row) => rows.groups[row]);
  const score = async (prepare: Prepare): Promise<RecallScore> => {
    const results: RetrievalResult[] = [];
    const queries: FeatureMatrix[] = [];
    for (const { train, test } of rows.splits) {
      const [gallery, query] = prepare(selectRows(features, train), selectRows(features, test));
      queries.push(query);
      results.push(await retrieveByLabel(query, pick(test), gallery, pick(train), { ranks, signal }));
    }
    return {
      ...poolRecall(results, groups),
      mapAtR: poolPrecision(results, groups),
      clusters: await scoreClusters(joinRows(queries), pick(tested), groups, signal),
    };
  };
  const raw = await score(asTheyAre);
  return both ? { ...raw, standardized: await score(standardize) } : raw;
}

/** Instance retrieval: row i of `query` has to find row i of `gallery`; `groups` of them. */
export async function scoreInstanceRetrieval(
  query: FeatureMatrix,
  gallery: FeatureMatrix,
  groups: Clusters,
  { ranks, standardize: both = false }: RetrievalSettings,
  signal?: AbortSignal,
): Promise<RecallScore> {
  const score = async (prepare: Prepare) => {
    const [b, a] = prepare(gallery, query);
    return poolRecall([await retrieveInstance(a, b, { ranks, signal })], groups);
  };
  const raw = await score(asTheyAre);
  return both ? { ...raw, standardized: await score(standardize) } : raw;
}

/** Mean over the queries of all folds, whose groups are `groups`; of the ks that every fold's gallery reaches. */
function poolRecall(results: readonly RetrievalResult[], groups: Clusters): RecallScore {
  const queries = results.reduce((sum, r) => sum + r.queries, 0);
  const share = (pick: (r: RetrievalResult) => number) =>
    results.reduce((sum, r) => sum + (pick(r) * r.queries) / Math.max(1, queries), 0);
  const ks = Object.keys(results[0]?.recall ?? {})
    .map(Number)
    .filter((k) => results.every((r) => r.recall[k] !== undefined));
  const all = results.flatMap((r) => Array.from(r.ranks));
  const ranks = all.filter((rank) => rank > 0).sort((a, b) => a - b);
  const middle = ranks.length >> 1;
  const medianRank = ranks.length % 2 ? ranks[middle]! : (ranks[middle - 1]! + ranks[middle]!) / 2;
  const hits = (k: number) => all.map((rank) => (rank > 0 && rank <= k ? 1 : 0));
  return {
    queries,
    gallery: share((r) => r.gallery),
    recall: Object.fromEntries(ks.map((k) => [k, share((r) => r.recall[k]!)])),
    intervals: Object.fromEntries(ks.map((k) => [k, bootstrapMean(hits(k), groups)])),
    chance: Object.fromEntries(ks.map((k) => [k, share((r) => r.chance[k]!)])),
    medianRank: ranks.length === 0 ? null : medianRank,
    unmatched: results.reduce((sum, r) => sum + r.unmatched, 0),
  };
}

function poolPrecision(results: readonly RetrievalResult[], groups: Clusters): RecallScore['mapAtR'] {
  const found = results.flatMap((r) => Array.from(r.precisionAtR.found));
  const chance = results.flatMap((r) => Array.from(r.precisionAtR.chance));
  return {
    value: meanAndSpread(found).mean,
    interval: bootstrapMean(found, groups),
    chance: meanAndSpread(chance).mean,
  };
}
