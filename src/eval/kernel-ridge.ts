/**
 * Ridge regression in its kernel form, min 1/n |X w - y|^2 + penalty |w|^2 with y centred: all it needs of the features
 * is their products, which many targets and folds share. w = X' (X X' + n penalty I)^-1 y.
 */
import type { FeatureMatrix } from './feature-matrix.js';

/** Penalties tried, strongest first; of features that are shifted and scaled to mean 0 and deviation 1. */
export const ridgePenalties: readonly number[] = [100, 10, 1, 0.1, 0.01];

/** Products of all pairs of rows, (rows, rows). */
export function gramMatrix({ data, rows, dim }: FeatureMatrix): Float64Array {
  const out = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0, a = i * dim, b = j * dim; k < dim; k++) sum += data[a + k]! * data[b + k]!;
      out[i * rows + j] = sum;
      out[j * rows + i] = sum;
    }
  return out;
}

/**
 * Predictions (test rows, dims) for the rows `test` of a gram matrix of `size` rows, fitted on the rows `train` of it.
 * `targets` is (size, dims).
 */
export function predictRidge(
  gram: Float64Array,
  size: number,
  targets: Float64Array,
  dims: number,
  train: readonly number[],
  test: readonly number[],
  penalty: number,
): Float64Array {
  const n = train.length;
  const system = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) system[i * n + j] = gram[train[i]! * size + train[j]!]!;
    system[i * n + i]! += n * penalty;
  }
  const mean = new Float64Array(dims);
  for (const row of train) for (let d = 0; d < dims; d++) mean[d]! += targets[row * dims + d]! / n;
  const weights = new Float64Array(n * dims);
  for (let i = 0; i < n; i++)
    for (let d = 0; d < dims; d++) weights[i * dims + d] = targets[train[i]! * dims + d]! - mean[d]!;
  solveInPlace(system, n, weights, dims);
  const out = new Float64Array(test.length * dims);
  for (let t = 0; t < test.length; t++)
    for (let d = 0; d < dims; d++) {
      let sum = mean[d]!;
      for (let i = 0; i < n; i++) sum += gram[test[t]! * size + train[i]!]! * weights[i * dims + d]!;
      out[t * dims + d] = sum;
    }
  return out;
}

/** b <- a^-1 b by Cholesky's decomposition; a (n, n) is symmetric and positive; its lower half is read
 * and overwritten. b is (n, dims). */
export function solveInPlace(a: Float64Array, n: number, b: Float64Array, dims: number): void {
  for (let j = 0; j < n; j++)
    for (let i = j; i < n; i++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= a[i * n + k]! * a[j * n + k]!;
      a[i * n + j] = i === j ? Math.sqrt(Math.max(sum, Number.MIN_VALUE)) : sum / a[j * n + j]!;
    }
  for (let d = 0; d < dims; d++) {
    for (let i = 0; i < n; i++) {
      let sum = b[i * dims + d]!;
      for (let k = 0; k < i; k++) sum -= a[i * n + k]! * b[k * dims + d]!;
      b[i * dims + d] = sum / a[i * n + i]!;
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = b[i * dims + d]!;
      for (let k = i + 1; k < n; k++) sum -= a[k * n + i]! * b[k * dims + d]!;
      b[i * dims + d] = sum / a[i * n + i]!;
    }
  }
}
