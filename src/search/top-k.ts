/**
 * The one place where an index computes: rows that are in memory, queries, and the k best of them. Exact, by inner product,
 * ties by lower index.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isFloat32Array, throwIfAborted } from '../checks.js';
import { halfToFloat } from '../data/half.js';
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

/** Multiply-adds between two turns of the event loop: a few milliseconds. */
const WORK_A_TURN = 4e6;

export async function topRows(
  queries: Float32Array,
  rows: VectorRows,
  { dim, k, signal }: TopRowsOptions,
): Promise<TopRows> {
  const count = rows.length / dim;
  const many = queries.length / dim;
  const best = Array.from({ length: many }, () => new Best(k));
  const step = Math.max(1, Math.floor(WORK_A_TURN / (dim * many)));
  const row = new Float32Array(dim);
  for (let from = 0; from < count; from += step) {
    for (let r = from; r < Math.min(count, from + step); r++) {
      readRow(rows, r * dim, row);
      for (let q = 0; q < many; q++) best[q]!.offer(dot(queries, q * dim, row), r);
    }
    await nextTurn();
    throwIfAborted(signal);
  }
  const indices = new Int32Array(many * k);
  const scores = new Float32Array(many * k);
  for (const [q, { rows: found, scores: how }] of best.entries()) {
    indices.set(found, q * k);
    scores.set(how, q * k);
  }
  return { indices, scores };
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

/** The k best so far, best first. Offers come with ascending rows, so an equal one stands behind those that are here. */
class Best {
  readonly rows: number[] = [];
  readonly scores: number[] = [];
  readonly #k: number;

  constructor(k: number) {
    this.#k = k;
  }

  offer(score: number, row: number): void {
    const { rows, scores } = this;
    if (rows.length === this.#k && !(score > scores[rows.length - 1]!)) return;
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (scores[middle]! >= score) low = middle + 1;
      else high = middle;
    }
    scores.splice(low, 0, score);
    rows.splice(low, 0, row);
    if (rows.length > this.#k) {
      rows.pop();
      scores.pop();
    }
  }
}
