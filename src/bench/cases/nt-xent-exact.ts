/** NT-Xent in double precision, as the checks of its cases need it. */
import { loadKernels } from '../../native/load.js';
import { normalizeRows, throughNormalize } from '../normalize.js';
import { dot, toBf16 } from '../vectors.js';

export interface ExactNtXent {
  readonly loss: number;
  /** rows x dim */
  readonly gradient: Float64Array;
  readonly gradTemperature: number;
}

/** Rows that are copies of few vectors: row i is vector kindOf[i]. */
export interface Copies {
  /** kinds x dim */
  readonly vectors: Float64Array;
  readonly kindOf: Int32Array;
}

/**
 * The loss of normalised rows and its gradient by the twin in C++. `rounded`: the normalised rows are rounded to bf16
 * first and everything else is exact, which is the error that bf16 operands cannot avoid.
 */
export function exactNtXent(
  x: Float64Array,
  rows: number,
  dim: number,
  temperature: number,
  rounded = false,
): ExactNtXent {
  const { ntXent } = loadKernels().reference;
  const gradient = new Float64Array(x.length);
  if (!rounded) return { ...ntXent(x, gradient, rows, dim, temperature, true), gradient };
  const { z, norms } = normalizeRows(x, dim);
  const result = ntXent(z.map(toBf16), gradient, rows, dim, temperature, false);
  throughNormalize(gradient, dim, (row) => ({ z, from: row * dim, norm: norms[row]! }));
  return { ...result, gradient };
}

/**
 * The same where rows are copies: the sums over rows become sums over kinds, each with its number of copies, so that
 * 65536 rows take the time of the kinds. With E_ab = exp(z_a . z_b / tau), and n_ab the copies of kind b other than
 * the row itself (one less when a = b):
 *
 *   l_a     = sum_b n_ab E_ab
 *   L       = mean over rows of log l_a - s_a,pos(i),  a = kindOf[i]
 *   dL/dz_i = 1/(rows tau) [ sum_b n_ab E_ab (1/l_a + 1/l_b) z_b - 2 z_pos(i) ]
 */
export function exactNtXentOfCopies(
  { vectors, kindOf }: Copies,
  dim: number,
  temperature: number,
  rounded = false,
): ExactNtXent {
  const rows = kindOf.length;
  const { z, norms } = normalizeRows(vectors, dim);
  const factors = rounded ? z.map(toBf16) : z;
  const { logSums, pulls, attention } = sumsOverKinds(factors, kindOf, dim, temperature);
  const gradient = new Float64Array(rows * dim);
  let loss = 0;
  let slope = 0;
  for (let i = 0; i < rows; i++) {
    const kind = kindOf[i]!;
    const positive = kindOf[(i + rows / 2) % rows]!;
    const s = dot(factors, factors, kind * dim, dim, positive * dim) / temperature;
    loss += (logSums[kind]! - s) / rows;
    slope += (s - attention[kind]!) / (rows * temperature);
    for (let k = 0; k < dim; k++)
      gradient[i * dim + k] =
        (pulls[kind * dim + k]! - 2 * factors[positive * dim + k]!) / (rows * temperature);
  }
  throughNormalize(gradient, dim, (row) => {
    const kind = kindOf[row]!;
    return { z, from: kind * dim, norm: norms[kind]! };
  });
  return { loss, gradient, gradTemperature: slope };
}

/** Per kind: log l, the vector that its negatives (itself among them) pull with, and sum_j p_j s_j. */
function sumsOverKinds(z: Float64Array, kindOf: Int32Array, dim: number, temperature: number) {
  const kinds = z.length / dim;
  const copies = new Float64Array(kinds);
  for (const kind of kindOf) copies[kind]!++;
  const s = new Float64Array(kinds * kinds);
  for (let a = 0; a < kinds; a++)
    for (let b = a; b < kinds; b++)
      s[a * kinds + b] = s[b * kinds + a] = dot(z, z, a * dim, dim, b * dim) / temperature;
  const top = s.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const e = s.map((value) => Math.exp(value - top));
  const sums = new Float64Array(kinds);
  const attention = new Float64Array(kinds);
  for (let a = 0; a < kinds; a++) {
    let weighted = 0;
    for (let b = 0; b < kinds; b++) {
      const weight = (copies[b]! - (a === b ? 1 : 0)) * e[a * kinds + b]!;
      sums[a]! += weight;
      weighted += weight * s[a * kinds + b]!;
    }
    attention[a] = weighted / sums[a]!;
  }
  const pulls = new Float64Array(kinds * dim);
  for (let a = 0; a < kinds; a++)
    for (let b = 0; b < kinds; b++) {
      const others = copies[b]! - (a === b ? 1 : 0);
      const weight = others * e[a * kinds + b]! * (1 / sums[a]! + 1 / sums[b]!);
      for (let k = 0; k < dim; k++) pulls[a * dim + k]! += weight * z[b * dim + k]!;
    }
  return { logSums: sums.map((sum) => Math.log(sum) + top), pulls, attention };
}
