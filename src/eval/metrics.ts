/** What a set of predictions is worth: accuracy with an interval, accuracy by class, confusion. */
import { invalidArgument } from '../errors.js';

export interface Classification {
  readonly count: number;
  readonly correct: number;
  readonly accuracy: number;
  /** Mean of the classes' own accuracies: every class counts alike, however many videos it has. */
  readonly meanClassAccuracy: number;
  /** 95 % of bootstrap resamples of the test videos lie between these accuracies. */
  readonly interval: readonly [number, number];
  readonly classes: readonly {
    readonly label: string;
    readonly count: number;
    readonly accuracy: number | null;
  }[];
  /** confusion[truth][prediction]: counts. */
  readonly confusion: readonly (readonly number[])[];
}

/**
 * Scores `predictions` against `truth` (class numbers into `labels`). `clusters`, when given, names the group of
 * each row: the bootstrap then draws whole groups, since videos of one person or scene are not independent.
 */
export function scoreClassification(
  truth: ArrayLike<number>,
  predictions: ArrayLike<number>,
  labels: readonly string[],
  clusters?: readonly (string | undefined)[],
): Classification {
  if (truth.length !== predictions.length)
    throw invalidArgument('predictions', `${truth.length} predictions`, predictions.length);
  const confusion = labels.map(() => labels.map(() => 0));
  let correct = 0;
  for (let i = 0; i < truth.length; i++) {
    const row = confusion[truth[i]!];
    if (row === undefined || row[predictions[i]!] === undefined)
      throw invalidArgument('predictions', `class numbers below ${labels.length}`, predictions[i]);
    row[predictions[i]!]!++;
    if (truth[i] === predictions[i]) correct++;
  }
  const classes = labels.map((label, c) => {
    const count = confusion[c]!.reduce((a, b) => a + b, 0);
    return { label, count, accuracy: count === 0 ? null : confusion[c]![c]! / count };
  });
  const present = classes.filter((c) => c.accuracy !== null);
  const hits = Array.from(truth, (t, i) => (t === predictions[i] ? 1 : 0));
  return {
    count: truth.length,
    correct,
    accuracy: truth.length === 0 ? 0 : correct / truth.length,
    meanClassAccuracy:
      present.length === 0 ? 0 : present.reduce((a, c) => a + c.accuracy!, 0) / present.length,
    interval: bootstrapMean(hits, clusters),
    classes,
    confusion,
  };
}

/** Clusters from which on the bootstrap draws whole ones. */
export const LEAST_CLUSTERS = 5;

/**
 * 95 % percentile interval of the mean of `values` over 2000 bootstrap resamples (of whole clusters when there are at
 * least 5). Seeded: the same values give the same interval.
 */
export function bootstrapMean(
  values: readonly number[],
  clusters?: readonly (string | undefined)[],
): readonly [number, number] {
  if (values.length === 0) return [0, 0];
  const sums = new Map<string, { sum: number; count: number }>();
  values.forEach((value, i) => {
    const key = clusters?.[i] ?? `#${i}`;
    const entry = sums.get(key) ?? { sum: 0, count: 0 };
    entry.sum += value;
    entry.count++;
    sums.set(key, entry);
  });
  const units =
    sums.size >= LEAST_CLUSTERS ? [...sums.values()] : values.map((value) => ({ sum: value, count: 1 }));
  const next = xorshift(0x9e3779b9);
  const means = new Float64Array(2000);
  for (let b = 0; b < means.length; b++) {
    let sum = 0;
    let count = 0;
    for (let i = 0; i < units.length; i++) {
      const unit = units[Math.floor(next() * units.length)]!;
      sum += unit.sum;
      count += unit.count;
    }
    means[b] = sum / count;
  }
  means.sort();
  return [means[Math.floor(0.025 * means.length)]!, means[Math.ceil(0.975 * means.length) - 1]!];
}

/** Mean and sample standard deviation (0 for a single value). */
export function meanAndSpread(values: readonly number[]): { mean: number; std: number } {
  if (values.length === 0) return { mean: 0, std: 0 };
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const square = values.reduce((a, b) => a + (b - mean) ** 2, 0);
  return { mean, std: values.length < 2 ? 0 : Math.sqrt(square / (values.length - 1)) };
}

/** A small generator for resampling only: no draw that ends in a clip comes from it. */
function xorshift(seed: number): () => number {
  let x = seed | 0;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 4294967296;
  };
}
