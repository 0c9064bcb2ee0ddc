import { types } from 'node:util';
import {
  checkCount,
  checkFits,
  checkOneOf,
  isFloat32Array,
  isInt8Array,
  isUint16Array,
  requireOptions,
} from '../checks.js';
import { coded, codedAsync, invalidArgument } from '../errors.js';
import type { Floats, Indices, KernelsAddon } from '../native/bindings.js';
import { loadKernels } from '../native/load.js';
import { checkFloats, checkMemory, checkThreads } from './arguments.js';

/** What a value of a row is; 'fp16' and 'bf16' are the 16 bits of each. */
export type RowType = 'fp32' | 'fp16' | 'bf16' | 'int8';

/** Rows to be found, of any length that is a multiple of `dim`. */
export type DotRows = Float32Array | Uint16Array | Int8Array;

export interface TopkDotOptions {
  /** Values per row and per query, 1 to 2^20. */
  readonly dim: number;
  /** How many rows are wanted for each query, at least 1. Where there are fewer rows, all are given. */
  readonly k: number;
  /** What `rows` holds. A Float32Array is 'fp32' and an Int8Array 'int8'; a Uint16Array must say 'fp16' or 'bf16'. */
  readonly type?: RowType;
  /** A factor for each row: the step of quantised rows, or 1 / |row| for cosines. Default: all 1. */
  readonly scales?: Float32Array;
  /** Upper bound of threads; default: one per physical core. Does not change a bit of the result. */
  readonly threads?: number;
}

export interface TopkDotResult {
  /** Results of each query: the k asked for, or the number of rows where that is less. */
  readonly k: number;
  /** Rows, the best first: queries x k. */
  readonly indices: Indices;
  /** Their scores: queries x k. */
  readonly scores: Floats;
}

const OPTION_KEYS = ['dim', 'k', 'type', 'scales', 'threads'];
const MOST_DIM = 2 ** 20;
const MOST_ROWS = 2 ** 31 - 1;
const MOST_RESULTS = 2 ** 32 - 1; // of a typed array
const ARRAYS = { fp32: 'Float32Array', fp16: 'Uint16Array', bf16: 'Uint16Array', int8: 'Int8Array' } as const;

interface Call {
  readonly args: Parameters<KernelsAddon['topkDot']>;
  readonly result: TopkDotResult;
}

/**
 * The k rows of largest dot product with each query, over all rows: s_ij = scale_j sum_d q_id r_jd, in fp32 whatever the
 * rows' type. Of equal scores the lower row comes first; a score that is NaN comes after all numbers. A score's bits follow
 * from its query and its row alone, so results over parts of the rows can be merged.
 *
 * `rows` and `scales` may lie over a SharedArrayBuffer, for several threads to search one copy.
 *
 * @param queries any number of queries, queries x dim
 * @param rows count x dim, up to 2^31 - 1 rows; none is not wrong and gives nothing
 * @throws VsslError ERR_VSSL_INVALID_ARGUMENT on wrong arguments, before any native work; ERR_VSSL_OUT_OF_MEMORY where
 * the results or 16 k bytes for each thread and each of up to 64 queries are more than there is
 */
export function topkDot(queries: Float32Array, rows: DotRows, options: TopkDotOptions): TopkDotResult {
  const { args, result } = checkArguments(queries, rows, options);
  coded(() => loadKernels().topkDot(...args));
  return result;
}

/**
 * As topkDot(), off the event loop. The queries are copied at the call, and so are `rows` and `scales` unless they lie over
 * a SharedArrayBuffer, where they are read as they lie: put large rows there, and leave them as they are until the promise
 * resolves. Wrong arguments reject the promise.
 */
export async function topkDotAsync(
  queries: Float32Array,
  rows: DotRows,
  options: TopkDotOptions,
): Promise<TopkDotResult> {
  const { args, result } = checkArguments(queries, rows, options);
  await codedAsync(() => loadKernels().topkDotAsync(...args));
  return result;
}

function checkArguments(queries: Float32Array, rows: DotRows, options: TopkDotOptions): Call {
  requireOptions(options, OPTION_KEYS);
  const { dim, k, scales, threads } = options;
  checkCount('dim', dim, 1, MOST_DIM);
  checkCount('k', k);
  const type = checkRows(rows, dim, options.type);
  if (!isFloat32Array(queries)) throw invalidArgument('queries', 'a Float32Array', queries);
  checkMemory('queries', queries);
  checkMultiple('queries', queries, dim);
  const count = rows.length / dim;
  if (scales !== undefined) checkScales(scales, count);
  const most = Math.min(k, count);
  const given = (queries.length / dim) * most;
  checkCount('queries * k', given, 0, MOST_RESULTS);
  checkFits('k', 'the results', 8 * given);
  const result = { k: most, indices: new Int32Array(given), scores: new Float32Array(given) };
  const { indices, scores } = result;
  return {
    args: [queries, rows, scales ?? null, indices, scores, type, dim, k, checkThreads(threads)],
    result,
  };
}

/** What the rows hold. */
function checkRows(rows: unknown, dim: number, asked: unknown): RowType {
  if (asked !== undefined) checkOneOf('type', asked, Object.keys(ARRAYS));
  if (!isFloat32Array(rows) && !isUint16Array(rows) && !isInt8Array(rows))
    throw invalidArgument('rows', 'a Float32Array, a Uint16Array or an Int8Array', rows);
  const array = rows[Symbol.toStringTag];
  const type = (asked ?? { Float32Array: 'fp32', Int8Array: 'int8', Uint16Array: undefined }[array]) as
    | RowType
    | undefined;
  if (type === undefined) throw invalidArgument('type', "'fp16' or 'bf16' for rows in a Uint16Array", asked);
  if (ARRAYS[type] !== array) {
    const article = type === 'int8' ? 'an' : 'a';
    throw invalidArgument('rows', `${article} ${ARRAYS[type]} (type '${type}')`, rows);
  }
  checkReadable('rows', rows);
  checkMultiple('rows', rows, dim);
  checkCount('rows.length / dim', rows.length / dim, 0, MOST_ROWS);
  return type;
}

function checkScales(scales: unknown, count: number): void {
  if (isFloat32Array(scales) && isShared(scales)) {
    if (scales.length !== count)
      throw invalidArgument('scales', `${count} values (one a row)`, `${scales.length} values`);
  } else checkFloats('scales', scales, count, 'one a row');
}

function checkMultiple(name: string, array: DotRows, dim: number): void {
  if (array.length % dim !== 0)
    throw invalidArgument(name, `a multiple of ${dim} values (dim)`, `${array.length} values`);
}

/** Shared memory cannot be taken away from whoever reads it, nor does it move or shrink. */
function checkReadable(name: string, array: DotRows): void {
  if (!isShared(array)) checkMemory(name, array);
}

function isShared(array: DotRows): boolean {
  return types.isSharedArrayBuffer(array.buffer);
}
