/**
 * Vectors made comparable. Vectors of one encoder have much in common whatever they show, and differ most in what most
 * videos differ in. So their mean is taken away and every direction is scaled by how much the vectors spread along it
 * (whitening): a cosine of 0 is then what two videos have in common by chance, and rare traits count as much as common ones.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { throwIfAborted } from '../checks.js';

/** Added to the variance of each direction, in means of them: directions with hardly any are mostly noise. */
const SHRINKAGE = 0.3;
/** Vectors that the spread is learned from, evenly chosen. */
const SAMPLED = 4096;
/** Rows that are turned before others get their turn. */
const ROWS_A_TURN = 256;

/** Whitens rows in place; each has length 1 afterwards (one that is the mean stays 0). Throws the signal's reason. */
export async function whiten(rows: Float32Array, dim: number, signal?: AbortSignal): Promise<void> {
  const count = rows.length / dim;
  const sampled = Math.min(count, SAMPLED);
  const mean = meanOf(rows, dim);
  const spread = new Float64Array(dim * dim);
  for (let i = 0; i < sampled; i++) {
    await turn(i, signal);
    const row = Math.floor((i * count) / sampled);
    addProducts(spread, centred(rows, row, mean), 1 / sampled);
  }
  const factor = await factorOf(spread, dim, Math.min(dim, sampled), signal);
  for (let row = 0; row < count; row++) {
    await turn(row, signal);
    const vector = solve(factor, centred(rows, row, mean));
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    for (let d = 0; d < dim; d++) rows[row * dim + d] = vector[d]! / Math.max(length, 1e-12);
  }
}

async function turn(row: number, signal: AbortSignal | undefined): Promise<void> {
  if (row % ROWS_A_TURN !== ROWS_A_TURN - 1) return;
  await nextTurn();
  throwIfAborted(signal);
}

function meanOf(rows: Float32Array, dim: number): Float64Array {
  const mean = new Float64Array(dim);
  for (let at = 0; at < rows.length; at += dim) for (let d = 0; d < dim; d++) mean[d]! += rows[at + d]!;
  return mean.map((sum) => (sum * dim) / rows.length);
}

function centred(rows: Float32Array, row: number, mean: Float64Array): Float64Array {
  return mean.map((value, d) => rows[row * mean.length + d]! - value);
}

/** Adds weight x x^T, its lower half. */
function addProducts(matrix: Float64Array, x: Float64Array, weight: number): void {
  const dim = x.length;
  for (let i = 0; i < dim; i++) {
    const scale = weight * x[i]!;
    for (let j = 0; j <= i; j++) matrix[i * dim + j]! += scale * x[j]!;
  }
}

/** L with L L^T = the spread and the shrinkage (Cholesky), in the lower half. `rank`: directions that have any spread. */
async function factorOf(
  spread: Float64Array,
  dim: number,
  rank: number,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  let trace = 0;
  for (let i = 0; i < dim; i++) trace += spread[i * dim + i]!;
  const added = Math.max((SHRINKAGE * trace) / rank, 1e-12);
  for (let i = 0; i < dim; i++) {
    await turn(i, signal);
    for (let j = 0; j <= i; j++) {
      let sum = spread[i * dim + j]! + (i === j ? added : 0);
      for (let k = 0; k < j; k++) sum -= spread[i * dim + k]! * spread[j * dim + k]!;
      spread[i * dim + j] = i === j ? Math.sqrt(sum) : sum / spread[j * dim + j]!;
    }
  }
  return spread;
}

/** y with L y = x, in the place of x. */
function solve(factor: Float64Array, x: Float64Array): Float64Array {
  const dim = x.length;
  for (let i = 0; i < dim; i++) {
    let sum = x[i]!;
    for (let j = 0; j < i; j++) sum -= factor[i * dim + j]! * x[j]!;
    x[i] = sum / factor[i * dim + i]!;
  }
  return x;
}
