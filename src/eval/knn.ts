/** k nearest neighbours: the label of a video is voted by the training videos nearest to it in feature space. */
import { checkOneOf, checkPositive } from '../checks.js';
import { invalidArgument } from '../errors.js';
import type { FeatureMatrix } from './feature-matrix.js';
import { type Ranked, TOP } from './metrics.js';
import { findNeighbours, type Neighbours } from './neighbours.js';

export interface KnnOptions {
  /** Number of neighbours that vote. Default 5. */
  readonly k?: number;
  /**
   * `majority` (default): one vote each. `softmax`: exp(similarity / temperature) each, as in instance discrimination
   * (Wu et al. 2018).
   */
  readonly weighting?: 'majority' | 'softmax';
  /** Temperature of `softmax` votes. Default 0.07. */
  readonly temperature?: number;
  readonly signal?: AbortSignal;
}

export interface KnnResult {
  /** Class of each query. */
  readonly predictions: Int32Array;
  /** The five classes with the most votes, as far as so many have any. */
  readonly ranked: Ranked;
  readonly neighbours: Neighbours;
}

/**
 * Classifies each row of `test` by cosine similarity to the rows of `train`, whose classes are `labels`
 * (0..classes-1). Ties: the class with more votes; of equal votes the one with the larger sum of similarities; then
 * the one whose nearest member is nearer; then the lower class. Throws ERR_VSSL_INVALID_ARGUMENT.
 */
export async function classifyKnn(
  train: FeatureMatrix,
  labels: Int32Array,
  test: FeatureMatrix,
  options: KnnOptions = {},
): Promise<KnnResult> {
  const { k = 5, weighting = 'majority', temperature = 0.07 } = options;
  if (labels.length !== train.rows)
    throw invalidArgument('labels', `${train.rows} labels, one a training row`, labels);
  if (train.rows === 0) throw invalidArgument('train', 'at least one training row', 0);
  checkOneOf('weighting', weighting, ['majority', 'softmax']);
  checkPositive('temperature', temperature);
  const neighbours = await findNeighbours(test, train, { k, signal: options.signal });
  const ranked = new Int32Array(test.rows * TOP).fill(-1);
  for (let row = 0; row < test.rows; row++) {
    const named = vote(neighbours, row, labels, (s) =>
      weighting === 'majority' ? 1 : Math.exp(s / temperature),
    );
    ranked.set(named.slice(0, TOP), row * TOP);
  }
  const predictions = Int32Array.from({ length: test.rows }, (_, row) => ranked[row * TOP]!);
  return { predictions, ranked: { classes: ranked, depth: TOP }, neighbours };
}

/** Classes of the neighbours of one query, the winner first, by the tie rule of classifyKnn. */
function vote(
  neighbours: Neighbours,
  row: number,
  labels: Int32Array,
  weightOf: (similarity: number) => number,
): number[] {
  const tally = new Map<number, { votes: number; sum: number; nearest: number }>();
  for (let i = 0; i < neighbours.k; i++) {
    const at = row * neighbours.k + i;
    const similarity = neighbours.similarities[at]!;
    const label = labels[neighbours.indices[at]!]!;
    const entry = tally.get(label) ?? { votes: 0, sum: 0, nearest: similarity };
    entry.votes += weightOf(similarity);
    entry.sum += similarity;
    tally.set(label, entry);
  }
  const order = [...tally].sort(
    ([a, x], [b, y]) => y.votes - x.votes || y.sum - x.sum || y.nearest - x.nearest || a - b,
  );
  return order.map(([label]) => label);
}
