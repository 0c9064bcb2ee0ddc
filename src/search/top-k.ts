/**
 * The one place where an index computes: rows that are in memory, queries, and the k best of them. Exact, by inner product,
 * ties by lower index.
 */
import { isFloat32Array, throwIfAborted } from '../checks.js';
import { halfToFloat } from '../data/half.js';
import { topkDotAsync } from '../kernels/topk-dot.js';
import type { VectorType } from './header.js';
import type { VectorRows } from './vectors.js';

export interface TopRowsOptions {
  readonly dim: number;
  /** At most as many as there are rows. */
  readonly k: number;
  readonly type: VectorType;
  readonly signal?: AbortSignal | undefined;
}

/** For each query its k best rows, best first: (queries, k). */
export interface TopRows {
  readonly indices: Int32Array;
  readonly scores: Float32Array;
}

export async function topRows(
  queries: Float32Array,
  rows: VectorRows,
  { dim, k, type, signal }: TopRowsOptions,
): Promise<TopRows> {
  throwIfAborted(signal);
  const found = await topkDotAsync(queries, rows, { dim, k, type });
  throwIfAborted(signal);
  return found;
}

/** All inner products: (queries, rows). Of a few rows, those of one video. */
export function dots(queries: Float32Array, rows: VectorRows, dim: number): Float32Array {
  const [many, count] = [queries.length / dim, rows.length / dim];
  const out = new Float32Array(many * count);
  const row = new Float32Array(dim);
  for (let r = 0; r < count; r++) {
    readRow(rows, r * dim, row);
    for (let q = 0; q < many; q++) out[q * count + r] = dot(queries, q * dim, row);
  }
  return out;
}

let halves: Float32Array | null = null;

function readRow(rows: VectorRows, at: number, row: Float32Array): void {
  if (isFloat32Array(rows)) {
    for (let i = 0; i < row.length; i++) row[i] = rows[at + i]!;
    return;
  }
  halves ??= Float32Array.from({ length: 65536 }, (_, half) => halfToFloat(half));
  for (let i = 0; i < row.length; i++) row[i] = halves[rows[at + i]!]!;
}

function dot(queries: Float32Array, at: number, row: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += queries[at + i]! * row[i]!;
  return Math.fround(sum);
}
