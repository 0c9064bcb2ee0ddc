/**
 * The linear probe: multinomial logistic regression on frozen features, full batch and deterministic.
 *
 * Recipe: each feature is shifted and scaled by the mean and standard deviation that it has over the training videos
 * (features that never vary become 0); the regression has an L2 penalty on its weights. Its strength is chosen from
 * `weightDecays` by 3-fold validation inside the training videos, whole groups at a time when there are at least 3
 * groups and else by turns within each class; of equal accuracies the stronger penalty wins. The test videos take no
 * part in any of it.
 */
import { throwIfAborted } from '../checks.js';
import { invalidArgument } from '../errors.js';
import type { EngineAddon } from '../native/bindings.js';
import { type FeatureMatrix, selectRows } from './feature-matrix.js';
import { planFolds } from './folds.js';

/** Penalties tried, strongest first. */
export const weightDecays: readonly number[] = [1, 0.1, 0.01, 0.001, 0.0001];

export interface LinearOptions {
  /** L2 penalty; `select` (default): by validation. */
  readonly weightDecay?: number | 'select';
  /** Default 200. */
  readonly maxIterations?: number;
  /** Default true; false: features are taken as they are. */
  readonly standardize?: boolean;
  /** Group of each training row, so that validation never splits one. */
  readonly groups?: readonly (string | undefined)[];
  readonly signal?: AbortSignal;
}

export interface LinearResult {
  /** Class of each test row. */
  readonly predictions: Int32Array;
  /** (test rows, classes). */
  readonly scores: Float32Array;
  readonly trainAccuracy: number;
  readonly weightDecay: number;
  /** Accuracy of each penalty in validation; empty when it was given. */
  readonly validation: readonly { readonly weightDecay: number; readonly accuracy: number }[];
}

/** Fits on `train` with classes `labels` (0..classes-1) and classifies `test`. Throws ERR_VSSL_INVALID_ARGUMENT. */
export async function fitLinearProbe(
  engine: Pick<EngineAddon, 'fitLinear'>,
  train: FeatureMatrix,
  labels: Int32Array,
  test: FeatureMatrix,
  classes: number,
  options: LinearOptions = {},
): Promise<LinearResult> {
  const { weightDecay = 'select', maxIterations = 200, standardize: scaled = true, signal } = options;
  if (labels.length !== train.rows)
    throw invalidArgument('labels', `${train.rows} labels, one a training row`, labels);
  if (train.dim !== test.dim) throw invalidArgument('test', `features of dimension ${train.dim}`, test.dim);
  if (weightDecay !== 'select' && !(Number.isFinite(weightDecay) && weightDecay >= 0))
    throw invalidArgument('weightDecay', "'select' or a number from 0", weightDecay);
  const solve = async (rows: FeatureMatrix, of: Int32Array, unseen: FeatureMatrix, decay: number) => {
    throwIfAborted(signal);
    const [a, b] = scaled ? standardize(rows, unseen) : [rows, unseen];
    const options = { weightDecay: decay, maxIterations, normalize: false };
    const result = await engine.fitLinear(a.data, of, b.data, rows.dim, classes, options);
    return { ...result, predictions: argmaxRows(result.scores, unseen.rows, classes) };
  };
  const validation: { weightDecay: number; accuracy: number }[] = [];
  let chosen: number;
  if (weightDecay === 'select') {
    const folds = validationFolds(labels, options.groups);
    for (const decay of weightDecays) {
      let correct = 0;
      for (const { train: inside, test: held } of folds) {
        const { predictions } = await solve(
          selectRows(train, inside),
          Int32Array.from(inside, (row) => labels[row]!),
          selectRows(train, held),
          decay,
        );
        held.forEach((row, i) => {
          if (predictions[i] === labels[row]) correct++;
        });
      }
      validation.push({ weightDecay: decay, accuracy: correct / train.rows });
    }
    chosen = validation.reduce((best, entry) => (entry.accuracy > best.accuracy ? entry : best)).weightDecay;
  } else {
    chosen = weightDecay;
  }
  const { scores, predictions, trainAccuracy } = await solve(train, labels, test, chosen);
  return { predictions, scores, trainAccuracy, weightDecay: chosen, validation };
}

/** How a matrix is shifted and scaled: `(value - mean) * scale` for each column. */
export interface Standardization {
  readonly mean: Float64Array;
  /** One over the deviation; 0 for a column that never varies. */
  readonly scale: Float64Array;
}

/** The mean and deviation of each column. */
export function standardization({ data, rows, dim }: FeatureMatrix): Standardization {
  const mean = new Float64Array(dim);
  const scale = new Float64Array(dim);
  for (let i = 0; i < data.length; i++) mean[i % dim]! += data[i]! / Math.max(1, rows);
  for (let i = 0; i < data.length; i++) scale[i % dim]! += (data[i]! - mean[i % dim]!) ** 2;
  for (let c = 0; c < dim; c++) {
    const std = Math.sqrt(scale[c]! / Math.max(1, rows));
    // rounding alone makes a constant column vary by about 1e-7 of its size
    scale[c] = std > 1e-6 * Math.abs(mean[c]!) && std > 0 ? 1 / std : 0;
  }
  return { mean, scale };
}

/** A copy, shifted and scaled. */
export function applyStandardization(
  { data, rows, dim }: FeatureMatrix,
  { mean, scale }: Standardization,
): FeatureMatrix {
  const out = Float32Array.from(data, (value, i) => (value - mean[i % dim]!) * scale[i % dim]! + 0);
  return { data: out, rows, dim };
}

/** Both matrices shifted and scaled by the mean and deviation of each column of the first. Copies. */
export function standardize(train: FeatureMatrix, test: FeatureMatrix): [FeatureMatrix, FeatureMatrix] {
  const by = standardization(train);
  return [applyStandardization(train, by), applyStandardization(test, by)];
}

function validationFolds(
  labels: Int32Array,
  groups: readonly (string | undefined)[] | undefined,
): { train: readonly number[]; test: readonly number[] }[] {
  if (groups && new Set(groups).size >= 3) return planFolds(groups, 3);
  const seen = new Map<number, number>();
  const foldOf = Array.from(labels, (label) => {
    const turn = seen.get(label) ?? 0;
    seen.set(label, turn + 1);
    return turn % 3;
  });
  return [0, 1, 2]
    .map((fold) => ({
      train: foldOf.flatMap((f, row) => (f === fold ? [] : [row])),
      test: foldOf.flatMap((f, row) => (f === fold ? [row] : [])),
    }))
    .filter(({ train, test }) => train.length > 0 && test.length > 0);
}

function argmaxRows(scores: Float32Array, rows: number, classes: number): Int32Array {
  return Int32Array.from({ length: rows }, (_, row) => {
    let best = 0;
    for (let c = 1; c < classes; c++)
      if (scores[row * classes + c]! > scores[row * classes + best]!) best = c;
    return best;
  });
}
