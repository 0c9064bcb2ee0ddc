/**
 * What a feature keeps: a linear probe for every column of the data, not for the label alone.
 *
 * A column whose values are numbers (or several numbers, such as the three of a colour) is predicted by ridge
 * regression and scored by R^2, the mean over its numbers; any other column is a set of categories, predicted by ridge
 * regression onto one indicator a category, the largest of which is the answer, and scored by accuracy. Test videos
 * alone take part, in 5 folds that take turns through the sorted values: the sprites of the test split, say, are others
 * than those of training, so a probe that learnt on training videos could not name them. The penalty is chosen in 3
 * such folds inside the training part.
 */
import { throwIfAborted } from '../checks.js';
import { cellOf, type VideoRow } from '../data/rows.js';
import { VsslError } from '../errors.js';
import { type FeatureMatrix, selectRows } from './feature-matrix.js';
import { type Fold, spread } from './folds.js';
import { gramMatrix, predictRidge, ridgePenalties } from './kernel-ridge.js';
import { standardize } from './linear.js';
import { bootstrap, type Clusters, drawnTogether, type Interval } from './resampling.js';

const FOLDS = 5;
const INNER_FOLDS = 3;
/** Rows of a probe, at most: the solver's time grows with the third power. */
const MOST_ROWS = 1500;

/** A column that can be probed. */
export interface Factor {
  readonly name: string;
  readonly kind: 'category' | 'number';
  /** Which of the rows given have a value that counts. */
  readonly rows: readonly number[];
  /** Categories, or numbers in a value. */
  readonly size: number;
  /** (rows, size): indicators of the category, or the numbers themselves. */
  readonly targets: Float64Array;
  /** R^2 0, or the share of the most frequent category. */
  readonly chance: number;
}

/** Columns of `rows` as factors: those named, or `label` and every further column but `merged`. */
export function readFactors(
  rows: readonly VideoRow[],
  names?: readonly string[],
): { factors: Factor[]; warnings: string[] } {
  const present = [
    'label',
    ...[...new Set(rows.flatMap((row) => Object.keys(row.extra)))].filter((key) => key !== 'merged'),
  ];
  const unknown = names?.find((name) => name !== 'group' && name !== 'merged' && !present.includes(name));
  if (unknown !== undefined)
    throw new VsslError(
      'ERR_VSSL_USAGE',
      `there is no column '${unknown}' to probe as a factor; there are ${present.join(', ')}`,
    );
  const factors: Factor[] = [];
  const warnings: string[] = [];
  for (const name of names ?? present) {
    const factor = readFactor(rows, name);
    if (factor) factors.push(factor);
    else
      warnings.push(`the column '${name}' is no factor that can be probed: too few videos share its values`);
  }
  return { factors, warnings };
}

function readFactor(rows: readonly VideoRow[], name: string): Factor | null {
  const cells = rows.map((row) => cellOf(row, name));
  const filled = spread(
    cells.flatMap((cell, row) => (cell === undefined ? [] : [row])),
    MOST_ROWS,
  );
  const numbers = filled.map((row) => cells[row]!.trim().split(/\s+/).map(Number));
  const size = numbers[0]?.length ?? 0;
  if (numbers.length >= 2 * FOLDS && numbers.every((v) => v.length === size && v.every(Number.isFinite))) {
    const targets = Float64Array.from(numbers.flat());
    const varies = targets.some((value, i) => value !== targets[i % size]);
    return varies ? { name, kind: 'number', rows: filled, size, targets, chance: 0 } : null;
  }
  const counts = new Map<string, number>();
  for (const row of filled) counts.set(cells[row]!, (counts.get(cells[row]!) ?? 0) + 1);
  // a category seen once is never both trained and tested
  const used = filled.filter((row) => counts.get(cells[row]!)! > 1);
  const categories = [...new Set(used.map((row) => cells[row]!))].sort();
  if (categories.length < 2 || used.length < 2 * FOLDS) return null;
  const targets = new Float64Array(used.length * categories.length);
  used.forEach((row, i) => {
    targets[i * categories.length + categories.indexOf(cells[row]!)] = 1;
  });
  const most = Math.max(...categories.map((category) => counts.get(category)!));
  return {
    name,
    kind: 'category',
    rows: used,
    size: categories.length,
    targets,
    chance: most / used.length,
  };
}

/** Accuracy of a category, R^2 of numbers, with what resamples of the videos make of it. */
export interface FactorProbe {
  readonly value: number;
  readonly interval: Interval;
}

/** Probes features of which row i, of the group `groups[i]`, belongs to row i of readFactors. */
export async function probeFactor(
  features: FeatureMatrix,
  factor: Factor,
  groups: Clusters = [],
  signal?: AbortSignal,
): Promise<FactorProbe> {
  const picked = selectRows(features, factor.rows);
  const gram = gramMatrix(standardize(picked, picked)[0]);
  const all = factor.rows.map((_, i) => i);
  const predicted = new Float64Array(factor.targets.length);
  for (const fold of takeTurns(factor, all, FOLDS)) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    throwIfAborted(signal);
    predictFold(gram, factor, fold, choosePenalty(gram, factor, fold.train), predicted);
  }
  const units = drawnTogether(
    all.length,
    factor.rows.map((row) => groups[row]),
  );
  const interval = bootstrap(units, (drawn) =>
    score(
      factor,
      Array.from(drawn).flatMap((unit) => units[unit]!),
      predicted,
    ),
  );
  return { value: score(factor, all, predicted), interval };
}

/** Writes into `predicted` what the training part of a fold says of its test part. */
function predictFold(
  gram: Float64Array,
  { rows, size, targets }: Factor,
  { train, test }: Pick<Fold, 'train' | 'test'>,
  penalty: number,
  predicted: Float64Array,
): void {
  const values = predictRidge(gram, rows.length, targets, size, train, test, penalty);
  test.forEach((row, i) => {
    predicted.set(values.subarray(i * size, (i + 1) * size), row * size);
  });
}

function choosePenalty(gram: Float64Array, factor: Factor, rows: readonly number[]): number {
  const folds = takeTurns(factor, rows, INNER_FOLDS);
  let best = { penalty: ridgePenalties[0]!, score: Number.NEGATIVE_INFINITY };
  for (const penalty of ridgePenalties) {
    const predicted = new Float64Array(factor.targets.length);
    for (const fold of folds) predictFold(gram, factor, fold, penalty, predicted);
    const value = score(factor, rows, predicted);
    if (value > best.score) best = { penalty, score: value };
  }
  return best.penalty;
}

/** Folds of `rows`, sorted by their values and dealt out in turn. */
function takeTurns({ targets, size, kind }: Factor, rows: readonly number[], count: number) {
  const key = (row: number) => (kind === 'number' ? targets[row * size]! : argmax(targets, row, size));
  const sorted = [...rows].sort((a, b) => key(a) - key(b) || a - b);
  return Array.from({ length: count }, (_, fold) => ({
    train: sorted.filter((_row, i) => i % count !== fold),
    test: sorted.filter((_row, i) => i % count === fold),
  }));
}

function score({ targets, size, kind }: Factor, rows: readonly number[], predicted: Float64Array): number {
  if (kind === 'category') {
    const hits = rows.filter((row) => argmax(predicted, row, size) === argmax(targets, row, size));
    return hits.length / rows.length;
  }
  let sum = 0;
  let counted = 0;
  for (let d = 0; d < size; d++) {
    const mean = rows.reduce((a, row) => a + targets[row * size + d]! / rows.length, 0);
    const total = rows.reduce((a, row) => a + (targets[row * size + d]! - mean) ** 2, 0);
    const left = rows.reduce((a, row) => a + (targets[row * size + d]! - predicted[row * size + d]!) ** 2, 0);
    if (total === 0) continue;
    sum += 1 - left / total;
    counted++;
  }
  return sum / Math.max(1, counted);
}

function argmax(values: Float64Array, row: number, size: number): number {
  let best = 0;
  for (let c = 1; c < size; c++) if (values[row * size + c]! > values[row * size + best]!) best = c;
  return best;
}
