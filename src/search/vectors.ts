/** Vectors as an index keeps them: of length 1, so that their inner product is the cosine of their angle. */
import { isFloat32Array } from '../checks.js';
import { floatToHalf, halfToFloat } from '../data/half.js';
import { invalidArgument } from '../errors.js';
import { TYPE_BYTES, type VectorType } from './header.js';

/** Rows of vectors, one after the other; of fp16 the bits. */
export type VectorRows = Float32Array | Uint16Array;

/** As F.normalize has it: a vector of zeros stays one. */
const EPS = 1e-12;

/** A copy of length 1. Throws ERR_VSSL_INVALID_ARGUMENT for what is no vector of `dim` finite numbers. */
export function unitVector(name: string, vector: Float32Array, dim: number): Float32Array {
  if (!isFloat32Array(vector) || vector.length !== dim)
    throw invalidArgument(name, `a Float32Array of ${dim} numbers`, vector);
  let sum = 0;
  for (let i = 0; i < dim; i++) sum += vector[i]! * vector[i]!;
  // squares of finite numbers may be too large for a double only when they are no vector of anything
  if (!Number.isFinite(sum)) throw invalidArgument(name, 'finite numbers', 'NaN or infinity');
  const scale = 1 / Math.max(Math.sqrt(sum), EPS);
  return vector.map((value) => value * scale);
}

/** What rows look like. */
export interface RowForm {
  readonly type: VectorType;
  readonly dim: number;
}

/** Room for `count` rows, in memory that several threads share: a search reads them where they lie. */
export function newRows(type: VectorType, count: number, dim: number): VectorRows {
  const memory = new SharedArrayBuffer(count * dim * TYPE_BYTES[type]);
  return type === 'fp16' ? new Uint16Array(memory) : new Float32Array(memory);
}

/** Writes a vector into its row. */
export function setRow(rows: VectorRows, row: number, vector: Float32Array): void {
  const at = row * vector.length;
  if (isFloat32Array(rows)) rows.set(vector, at);
  else for (let i = 0; i < vector.length; i++) rows[at + i] = floatToHalf(vector[i]!);
}

export function bytesOf(rows: VectorRows): Uint8Array {
  return new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
}

export function rowBytes({ type, dim }: RowForm): number {
  return TYPE_BYTES[type] * dim;
}

/** Copies of some rows, one after the other; stretches of ascending ones are copied as a whole. */
export function gatherRows(rows: VectorRows, wanted: readonly number[], { type, dim }: RowForm): VectorRows {
  const out = newRows(type, wanted.length, dim);
  for (let i = 0; i < wanted.length; ) {
    let end = i + 1;
    while (end < wanted.length && wanted[end] === wanted[end - 1]! + 1) end++;
    out.set(rows.subarray(wanted[i]! * dim, (wanted[end - 1]! + 1) * dim), i * dim);
    i = end;
  }
  return out;
}

/** The same rows as floats. */
export function floatRows(rows: VectorRows): Float32Array {
  return isFloat32Array(rows) ? rows : Float32Array.from(rows, halfToFloat);
}
