/** What a set of predictions is worth: accuracy with an interval, accuracy by class, confusion. */
import { invalidArgument } from '../errors.js';
import {
  bootstrapClassMean,
  bootstrapMean,
  type Clusters,
  type Interval,
  meanOfClasses,
} from './resampling.js';

export interface Classification {
  readonly count: number;
  readonly correct: number;
  readonly accuracy: number;
  /** 95 % of bootstrap resamples of the test videos lie between these accuracies. */
  readonly interval: Interval;
  /** Mean of the classes' own accuracies: every class counts alike, however many videos it has. */
  readonly meanClassAccuracy: number;
  readonly meanClassInterval: Interval;
  /** Whether the class is among the five named first; where there are more than five classes. */
  readonly top5?: { readonly accuracy: number; readonly interval: Interval };
  readonly classes: readonly {
    readonly label: string;
    readonly count: number;
    readonly accuracy: number | null;
  }[];
  /** confusion[truth][prediction]: counts. */
  readonly confusion: readonly (readonly number[])[];
}

/** Classes named for each row, the best first: (rows, `depth`); -1 for none. */
export interface Ranked {
  readonly classes: Int32Array;
  readonly depth: number;
}

/** Classes that top-5 looks at. */
export const TOP = 5;

/**
 * Scores what was named first against `truth` (class numbers into `labels`). `clusters`, when given, names the group of
 * each row, see resampling.ts.
 */
export function scoreClassification(
  truth: ArrayLike<number>,
  { classes: named, depth }: Ranked,
  labels: readonly string[],
  clusters?: Clusters,
): Classification {
  const count = truth.length;
  if (named.length !== count * depth || depth < 1)
    throw invalidArgument('predictions', `${count} rows of predictions`, named);
  const confusion = labels.map(() => labels.map(() => 0));
  const hits = new Uint8Array(count);
  const near = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const first = named[i * depth]!;
    const row = confusion[truth[i]!];
    if (row === undefined || row[first] === undefined)
      throw invalidArgument('predictions', `class numbers below ${labels.length}`, first);
    row[first]!++;
    hits[i] = first === truth[i] ? 1 : 0;
    near[i] = named.subarray(i * depth, i * depth + Math.min(depth, TOP)).includes(truth[i]!) ? 1 : 0;
  }
  const totals = confusion.map((row) => row.reduce((a, b) => a + b, 0));
  const right = confusion.map((row, c) => row[c]!);
  const classes = labels.map((label, c) => {
    const all = totals[c]!;
    return { label, count: all, accuracy: all === 0 ? null : right[c]! / all };
  });
  const share = (of: Uint8Array) => (count === 0 ? 0 : of.reduce((a, b) => a + b, 0) / count);
  return {
    count,
    correct: right.reduce((a, b) => a + b, 0),
    accuracy: share(hits),
    interval: bootstrapMean(hits, clusters),
    meanClassAccuracy: meanOfClasses(right, totals),
    meanClassInterval: bootstrapClassMean(hits, truth, labels.length, clusters),
    ...(labels.length > TOP && depth >= TOP
      ? { top5: { accuracy: share(near), interval: bootstrapMean(near, clusters) } }
      : {}),
    classes,
    confusion,
  };
}

/** The best of the classes by their scores (rows, `classes`), of equal ones the lower first. */
export function rankScores(scores: Float32Array, rows: number, classes: number): Ranked {
  const depth = Math.min(TOP, classes);
  const ranked = new Int32Array(rows * depth).fill(-1);
  for (let row = 0; row < rows; row++) {
    const of = scores.subarray(row * classes, (row + 1) * classes);
    for (let c = 0, held = 0; c < classes; c++) {
      let place = held;
      while (place > 0 && of[c]! > of[ranked[row * depth + place - 1]!]!) place--;
      if (place >= depth) continue;
      ranked.copyWithin(row * depth + place + 1, row * depth + place, row * depth + depth - 1);
      ranked[row * depth + place] = c;
      if (held < depth) held++;
    }
  }
  return { classes: ranked, depth };
}

/** Mean and sample standard deviation (0 for a single value). */
export function meanAndSpread(values: readonly number[]): { mean: number; std: number } {
  if (values.length === 0) return { mean: 0, std: 0 };
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const square = values.reduce((a, b) => a + (b - mean) ** 2, 0);
  return { mean, std: values.length < 2 ? 0 : Math.sqrt(square / (values.length - 1)) };
}
