/** What turns vectors into one score a class: plain data, which a file keeps. A temperature makes probabilities of scores. */
import { throwIfAborted } from '../checks.js';
import { type FeatureMatrix, selectRows } from '../eval/feature-matrix.js';
import { applyStandardization, standardization } from '../eval/linear.js';
import { findNeighbours } from '../eval/neighbours.js';
import type { EngineAddon } from '../native/bindings.js';

/** score = weights x vector + bias. */
export interface LinearHead {
  readonly kind: 'linear';
  readonly dim: number;
  readonly classes: number;
  /** (classes, dim). */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

/** score = ln(votes of the k nearest labelled clips). */
export interface KnnHead {
  readonly kind: 'knn';
  readonly dim: number;
  readonly classes: number;
  readonly k: number;
  /** Of the labelled clips. */
  readonly features: FeatureMatrix;
  readonly labels: Int32Array;
}

export type Head = LinearHead | KnnHead;

/** The part of the engine that fits. */
export type Fitter = Pick<EngineAddon, 'fitLinear'>;

/** As the linear probe of `eval` has it. */
const MAX_ITERATIONS = 200;
/** Of softmax votes, as `eval knn` has it. */
const VOTE_TEMPERATURE = 0.07;
/** Longest that scores keep the event loop, in milliseconds. */
const SLICE = 30;
/** Votes of a class that has none among the nearest, where the nearest clip's is 1. */
const LEAST_VOTES = 0.1;

/** The linear probe of `eval`, as a map of the vectors as they are. */
export async function fitLinearHead(
  engine: Fitter,
  train: FeatureMatrix,
  labels: Int32Array,
  classes: number,
  weightDecay: number,
): Promise<LinearHead> {
  const { dim } = train;
  const by = standardization(train);
  // scores are a linear map and a shift: those at the origin and at every unit vector tell all of both
  const points = new Float32Array((dim + 1) * dim);
  for (let d = 0; d < dim; d++) points[(d + 1) * dim + d] = 1;
  const { data } = applyStandardization(train, by);
  const options = { weightDecay, maxIterations: MAX_ITERATIONS, normalize: false };
  const { scores } = await engine.fitLinear(data, labels, points, dim, classes, options);
  const weights = new Float32Array(classes * dim);
  const bias = new Float32Array(classes);
  for (let c = 0; c < classes; c++) {
    let shift = scores[c]!;
    for (let d = 0; d < dim; d++) {
      const weight = (scores[(d + 1) * classes + c]! - scores[c]!) * by.scale[d]!;
      weights[c * dim + d] = weight;
      shift -= weight * by.mean[d]!;
    }
    bias[c] = shift;
  }
  return { kind: 'linear', dim, classes, weights, bias };
}

export function knnHead(train: FeatureMatrix, labels: Int32Array, classes: number, k: number): KnnHead {
  return { kind: 'knn', dim: train.dim, classes, k, features: train, labels };
}

/** Scores (rows, classes). Throws the reason of an aborted signal. */
export function scoreRows(head: Head, rows: FeatureMatrix, signal?: AbortSignal): Promise<Float64Array> {
  return head.kind === 'linear' ? linearScores(head, rows, signal) : knnScores(head, rows, signal);
}

async function linearScores(
  { weights, bias, dim, classes }: LinearHead,
  { data, rows }: FeatureMatrix,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const out = new Float64Array(rows * classes);
  let since = performance.now();
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < classes; c++) {
      let sum = bias[c]!;
      for (let d = 0, a = row * dim, b = c * dim; d < dim; d++) sum += data[a + d]! * weights[b + d]!;
      out[row * classes + c] = sum;
    }
    if (performance.now() - since < SLICE) continue;
    await new Promise<void>((resolve) => setImmediate(resolve));
    throwIfAborted(signal);
    since = performance.now();
  }
  return out;
}

/** Each neighbour votes with exp(similarity / 0.07), told as a share of the nearest one's vote. */
async function knnScores(
  { features, labels, classes, k }: KnnHead,
  queries: FeatureMatrix,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const { k: found, indices, similarities } = await findNeighbours(queries, features, { k, signal });
  const votes = new Float64Array(queries.rows * classes).fill(LEAST_VOTES);
  for (let row = 0; row < queries.rows; row++)
    for (let i = row * found; i < (row + 1) * found; i++) {
      const behind = similarities[i]! - similarities[row * found]!;
      votes[row * classes + labels[indices[i]!]!]! += Math.exp(behind / VOTE_TEMPERATURE);
    }
  return votes.map(Math.log);
}

/** Scores of rows by a classifier that is fitted to others: only those are asked for, so that no head is made. */
export async function scoreHeldOut(
  engine: Fitter,
  features: FeatureMatrix,
  labels: Int32Array,
  classes: number,
  fold: { readonly train: readonly number[]; readonly test: readonly number[] },
  choice:
    | { readonly kind: 'linear'; readonly weightDecay: number }
    | { readonly kind: 'knn'; readonly k: number },
): Promise<Float64Array> {
  const train = selectRows(features, fold.train);
  const test = selectRows(features, fold.test);
  const of = Int32Array.from(fold.train, (row) => labels[row]!);
  if (choice.kind === 'knn') return scoreRows(knnHead(train, of, classes, choice.k), test);
  const by = standardization(train);
  const [a, b] = [train, test].map((rows) => applyStandardization(rows, by).data);
  const options = { weightDecay: choice.weightDecay, maxIterations: MAX_ITERATIONS, normalize: false };
  const { scores } = await engine.fitLinear(a!, of, b!, features.dim, classes, options);
  return levelAbsent(Float64Array.from(scores), classes, new Set(of));
}

/** A class without a training row gets the least of the other scores: its own is as low as the search happened to go. */
function levelAbsent(scores: Float64Array, classes: number, present: ReadonlySet<number>): Float64Array {
  if (present.size === classes) return scores;
  for (let at = 0; at < scores.length; at += classes) {
    const least = Math.min(...[...present].map((c) => scores[at + c]!));
    for (let c = 0; c < classes; c++) if (!present.has(c)) scores[at + c] = least;
  }
  return scores;
}
