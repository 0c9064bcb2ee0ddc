import { type DotRows, type RowType, topkDot } from '../../kernels/index.js';
import { loadKernels } from '../../native/load.js';
import type { Check, KernelCase, KernelWorkload, PeerSpec } from '../case.js';
import { finiteDifferenceError } from '../finite-differences.js';
import { generator, uniformBytes, uniformFloats } from '../random.js';
import { dot, norm } from '../vectors.js';
import { secondsPerFlop } from './matrix-loss.js';

type TopkParameters = {
  readonly queries: number;
  readonly count: number;
  readonly dim: number;
  readonly k: number;
  readonly type: RowType;
};

const SEED = 43;
const FULL = { count: 100_000, dim: 512, k: 10 } as const;
const SMALL = { count: 301, dim: 33, k: 7 } as const;
const VALUE_BYTES = { fp32: 4, fp16: 2, bf16: 2, int8: 1 } as const;
const TWIN_ROWS = 4096; // at a time: in doubles, all would be 410 MB
const TWIN_QUERIES = 4;

export const topkDotCases: readonly KernelCase[] = [
  topkCase(1, 'fp32', ['torch', 'numpy', 'faiss']),
  topkCase(1, 'fp16', ['torch', 'torch widening', 'faiss']),
  topkCase(1, 'bf16', ['torch', 'torch widening', 'faiss']),
  topkCase(1, 'int8', ['torch widening']),
  topkCase(64, 'fp32', ['torch', 'numpy', 'faiss']),
  topkCase(64, 'int8', ['torch widening']),
];

function topkCase(queries: number, type: RowType, peerNames: readonly string[]): KernelCase {
  const parameters: TopkParameters = { ...FULL, queries, type };
  const { count, dim } = parameters;
  const many = queries > 1;
  return {
    name: `topkDot ${type} ${count}x${dim}, ${queries} ${many ? 'queries' : 'query'}`,
    kernel: 'topkDot',
    parameters,
    small: { ...parameters, ...SMALL, queries: Math.min(queries, 5) },
    prepare: (chosen) => prepare(chosen as unknown as TopkParameters),
    flops: many ? 2 * queries * count * dim : 0,
    bytes: count * dim * VALUE_BYTES[type],
    limit: many ? 'fp32 multiply-adds' : 'read',
    verified: many ? `all results of ${TWIN_QUERIES} of the queries` : 'all results',
    peers: peerNames.map((name): PeerSpec => {
      const rounds = name === 'torch' && VALUE_BYTES[type] === 2; // its scores, to the rows' type
      return { module: 'topk_dot', name, tolerance: rounds ? 1e-2 : 1e-5 };
    }),
  };
}

function prepare(p: TopkParameters): KernelWorkload {
  const { queries: queryCount, count, dim, k, type } = p;
  const queries = uniformFloats(queryCount * dim, SEED);
  const { rows, scales } = drawRows(p);
  const exact = exactlyOf(p, rows, scales);
  let found = { indices: new Int32Array(), scores: new Float32Array() };
  const run = (threads: number) => {
    found = topkDot(queries, rows, { dim, k, type, scales, threads });
  };
  const bytes = new Uint8Array(rows.buffer);
  return {
    inputs: {
      queries: { data: queries, shape: [queryCount, dim] },
      rows: {
        data: type === 'fp32' ? (rows as Float32Array) : bytes,
        shape: [count, type === 'fp32' ? dim : dim * VALUE_BYTES[type]],
      },
      scales: { data: scales ?? new Float32Array(count).fill(1), shape: [count] },
    },
    run,
    outputs: () => ({ scores: found.scores }),
    verify: async (threads) => {
      run(threads);
      return Array.from({ length: Math.min(queryCount, TWIN_QUERIES) }, (_, i) =>
        // the first and the last among them
        Math.floor((i * (queryCount - 1)) / Math.max(1, Math.min(queryCount, TWIN_QUERIES) - 1)),
      ).flatMap((query) => {
        const own = { indices: found.indices.subarray(query * k), scores: found.scores.subarray(query * k) };
        return checksOf(new Float64Array(queries.subarray(query * dim, (query + 1) * dim)), own, k, exact);
      });
    },
    checkGradient: async (threads) => {
      // Of the sum of all scores given: the sum of each query's rows.
      run(threads);
      const gradient = new Float64Array(queryCount * dim);
      for (const [place, row] of found.indices.entries())
        for (const [d, value] of exact.row(row).entries())
          gradient[Math.floor(place / k) * dim + d]! += value;
      const sum = (of: Float64Array) => exact.top(of, k).reduce((total, { score }) => total + score, 0);
      const f = (x: Float64Array) => {
        let total = 0;
        for (let i = 0; i < queryCount; i++) total += sum(x.subarray(i * dim, (i + 1) * dim));
        return total;
      };
      const error = finiteDifferenceError(f, new Float64Array(queries), gradient);
      return [{ what: 'gradient by finite differences', error, tolerance: 1e-6 * norm(gradient) }];
    },
    limitSeconds: (limits, threads) =>
      queryCount > 1
        ? 2 * queryCount * count * dim * secondsPerFlop(limits, 'fp32', threads)
        : limits.readSeconds(rows, threads),
  };
}

/** What the rows are in double precision, and the twin over them. */
interface Exact {
  row(index: number): Float64Array;
  /** The k best of one query. */
  top(query: Float64Array, k: number): { readonly row: number; readonly score: number }[];
}

/** The scores are the exact ones of the twin's k best, and those of the rows that they are given for. */
function checksOf(
  query: Float64Array,
  own: { readonly indices: Int32Array; readonly scores: Float32Array },
  k: number,
  exact: Exact,
): Check[] {
  // values of rows are at most 1
  const tolerance = 1e-6 * norm(query) * Math.sqrt(query.length);
  const off = { scores: 0, rows: 0 };
  for (const [i, { score }] of exact.top(query, k).entries()) {
    const row = exact.row(own.indices[i]!);
    off.scores = Math.max(off.scores, Math.abs(own.scores[i]! - score));
    off.rows = Math.max(off.rows, Math.abs(own.scores[i]! - dot(query, row)));
  }
  return Object.entries(off).map(([what, error]) => ({ what, error, tolerance }));
}

function exactlyOf({ count, dim, type }: TopkParameters, rows: DotRows, scales?: Float32Array): Exact {
  const widen = widening(type, rows);
  const { reference } = loadKernels();
  const between = (begin: number, end: number) => {
    const values = new Float64Array((end - begin) * dim);
    for (let i = 0; i < values.length; i++)
      values[i] = widen(begin * dim + i) * (scales?.[begin + Math.floor(i / dim)] ?? 1);
    return values;
  };
  return {
    row: (index) => between(index, index + 1),
    top: (query, k) => {
      let best: { row: number; score: number }[] = [];
      for (let begin = 0; begin < count; begin += TWIN_ROWS) {
        const end = Math.min(count, begin + TWIN_ROWS);
        const given = Math.min(k, end - begin);
        const [indices, scores] = [new Int32Array(given), new Float64Array(given)];
        reference.topkDot(indices, scores, query, between(begin, end), dim, k);
        for (const [i, row] of indices.entries()) best.push({ row: begin + row, score: scores[i]! });
        best = best.sort((a, b) => b.score - a.score || a.row - b.row).slice(0, k);
      }
      return best;
    },
  };
}

/** Values of at most 1: of the 16-bit types from 2^-4 to 1, as many in each octave; bytes with a step a row. */
function drawRows({ count, dim, type }: TopkParameters): { rows: DotRows; scales?: Float32Array } {
  const size = count * dim;
  if (type === 'fp32') return { rows: uniformFloats(size, SEED + 1) };
  if (type === 'int8') {
    const scales = uniformFloats(count, SEED + 2).map((value) => (3 + value) / 512);
    return { rows: new Int8Array(uniformBytes(size, SEED + 1).buffer), scales };
  }
  const [one, bits] = type === 'fp16' ? [15, 10] : [127, 7];
  const rows = new Uint16Array(size);
  const next = generator(SEED + 1);
  for (let i = 0; i < size; i++) {
    const drawn = next();
    const exponent = one - 4 + ((drawn >>> 20) & 3);
    rows[i] = ((drawn >>> 31) << 15) | (exponent << bits) | (drawn & (2 ** bits - 1));
  }
  return { rows };
}

/** The value of each entry. */
function widening(type: RowType, rows: DotRows): (i: number) => number {
  if (type === 'fp32' || type === 'int8') return (i) => rows[i]!;
  const [one, bits] = type === 'fp16' ? [15, 10] : [127, 7];
  return (i) => {
    const word = rows[i]!;
    const size =
      2 ** (((word >>> bits) & (2 ** (15 - bits) - 1)) - one) * (1 + (word & (2 ** bits - 1)) / 2 ** bits);
    return word >>> 15 ? -size : size;
  };
}
