/**
 * Rows for which NT-Xent can be known exactly at any size. Row u V + v is [left_u, right_v], a pair of half rows; all
 * lefts are equally long, and all rights. Similarities are then sums and exponentials products, for rows i = (u, v) and
 * j = (u', v'):
 *
 *   e_ij = A_uu' B_vv',   A_uu' = exp(left_u . left_u' / tau),   B_vv' = exp(right_v . right_v' / tau)
 *   l_i  = sum_{j != i} e_ij = (sum_u' A_uu') (sum_v' B_vv') - e_ii
 *
 * so that 65536 different rows take about as long as 4096 others.
 */
import { throughNormalize } from '../normalize.js';
import { uniformFloats, uniformIntegers } from '../random.js';
import { addScaled, dot, toBf16 } from '../vectors.js';
import type { ExactNtXent } from './nt-xent-exact.js';

export interface HalfRows {
  /** count x dim */
  readonly values: Float32Array;
  readonly count: number;
  readonly dim: number;
}

/** Half rows that are equally long to the last bit: the same magnitudes, turned and with other signs. */
export function drawHalfRows(count: number, dim: number, seed: number): HalfRows {
  const magnitudes = uniformFloats(dim, seed);
  const values = uniformFloats(count * dim, seed + 1);
  const turns = uniformIntegers(count, dim, seed + 2);
  for (let row = 0; row < count; row++) {
    const turn = turns[row]!;
    for (let k = 0; k < dim; k++) {
      const at = row * dim + k;
      values[at] = Math.sign(values[at]! || 1) * magnitudes[(k + turn) % dim]!;
    }
  }
  return { values, count, dim };
}

export function pairRows(left: HalfRows, right: HalfRows): Float32Array {
  const dim = left.dim + right.dim;
  const rows = new Float32Array(left.count * right.count * dim);
  for (let i = 0; i < left.count * right.count; i++) {
    const [u, v] = [Math.floor(i / right.count), i % right.count];
    rows.set(left.values.subarray(u * left.dim, (u + 1) * left.dim), i * dim);
    rows.set(right.values.subarray(v * right.dim, (v + 1) * right.dim), i * dim + left.dim);
  }
  return rows;
}

/** Of pairRows(left, right), an even number of lefts. `rounded`: as exactNtXent(). */
export function exactNtXentOfPairs(
  left: HalfRows,
  right: HalfRows,
  temperature: number,
  rounded = false,
): ExactNtXent {
  const [lefts, rights] = [left.count, right.count];
  const rows = lefts * rights;
  const norm = Math.hypot(...left.values.subarray(0, left.dim), ...right.values.subarray(0, right.dim));
  const a = new Half(left, norm, temperature, rounded);
  const b = new Half(right, norm, temperature, rounded);
  const positive = (u: number) => (u + lefts / 2) % lefts;
  const inverse = new Float64Array(rows); // 1 / l
  let [loss, slope] = [0, 0];
  for (let i = 0; i < rows; i++) {
    const [u, v] = [Math.floor(i / rights), i % rights];
    const self = a.s(u, u) + b.s(v, v);
    const sum = a.sums[u]! * b.sums[v]! - Math.exp(self);
    const weighted = a.weighted[u]! * b.sums[v]! + a.sums[u]! * b.weighted[v]! - Math.exp(self) * self;
    const s = a.s(u, positive(u)) + b.s(v, v);
    inverse[i] = 1 / sum;
    loss += (Math.log(sum) - s) / rows;
    slope += (s - weighted / sum) / (rows * temperature);
  }
  const [ofLeft, ofRight] = [pulls(a, b, inverse), pulls(b, a, transpose(inverse, lefts, rights))];
  const dim = left.dim + right.dim;
  const scale = 1 / (rows * temperature);
  const gradient = new Float64Array(rows * dim);
  for (let i = 0; i < rows; i++) {
    const [u, v] = [Math.floor(i / rights), i % rights];
    addScaled(gradient, i * dim, scale, ofLeft, i * a.dim, a.dim);
    addScaled(gradient, i * dim, -2 * scale, a.z, positive(u) * a.dim, a.dim);
    addScaled(gradient, i * dim + a.dim, scale, ofRight, (v * lefts + u) * b.dim, b.dim);
    addScaled(gradient, i * dim + a.dim, -2 * scale, b.z, v * b.dim, b.dim);
  }
  const row = new Float64Array(dim);
  throughNormalize(gradient, dim, (i) => {
    const [u, v] = [Math.floor(i / rights), i % rights];
    row.set(a.unit.subarray(u * a.dim, (u + 1) * a.dim));
    row.set(b.unit.subarray(v * b.dim, (v + 1) * b.dim), a.dim);
    return { z: row, from: 0, norm };
  });
  return { loss, gradient, gradTemperature: slope };
}

/** Half rows as parts of unit rows: their similarities s, E = exp(s), and the row sums of E and of E s. */
class Half {
  readonly count: number;
  readonly dim: number;
  readonly unit: Float64Array;
  /** What is multiplied: `unit`, or that rounded. */
  readonly z: Float64Array;
  readonly e: Float64Array;
  readonly sums: Float64Array;
  readonly weighted: Float64Array;
  readonly #s: Float64Array;

  constructor({ values, count, dim }: HalfRows, norm: number, temperature: number, rounded: boolean) {
    this.count = count;
    this.dim = dim;
    this.unit = Float64Array.from(values, (value) => value / norm);
    this.z = rounded ? this.unit.map(toBf16) : this.unit;
    this.#s = new Float64Array(count * count);
    for (let i = 0; i < count; i++)
      for (let j = 0; j < count; j++)
        this.#s[i * count + j] = dot(this.z, this.z, i * dim, dim, j * dim) / temperature;
    this.e = this.#s.map(Math.exp);
    const sumRows = (x: Float64Array) =>
      new Float64Array(count).map((_, i) => x.subarray(i * count, (i + 1) * count).reduce((a, b) => a + b));
    this.sums = sumRows(this.e);
    this.weighted = sumRows(this.e.map((value, i) => value * this.#s[i]!));
  }

  s(i: number, j: number): number {
    return this.#s[i * this.count + j]!;
  }
}

/**
 * sum_{j != i} e_ij (1/l_i + 1/l_j) z_j, of z_j the half that `own` holds; rows (own, other) in this order, as
 * `inverse` has 1/l.
 */
function pulls(own: Half, other: Half, inverse: Float64Array): Float64Array {
  const [m, n, { dim }] = [own.count, other.count, own];
  const result = new Float64Array(m * n * dim);
  // inner[c, b] = sum_b' E_bb' / l_(c, b')
  const inner = new Float64Array(m * n);
  for (let c = 0; c < m; c++)
    for (let b = 0; b < n; b++) inner[c * n + b] = dot(other.e, inverse, b * n, n, c * n);
  for (let a = 0; a < m; a++)
    for (let b = 0; b < n; b++) {
      const i = a * n + b;
      for (let c = 0; c < m; c++) {
        const weight = own.e[a * m + c]! * (inner[c * n + b]! + other.sums[b]! * inverse[i]!);
        addScaled(result, i * dim, weight, own.z, c * dim, dim);
      }
      const self = own.e[a * m + a]! * other.e[b * n + b]!;
      addScaled(result, i * dim, -2 * self * inverse[i]!, own.z, a * dim, dim);
    }
  return result;
}

function transpose(x: Float64Array, rows: number, columns: number): Float64Array {
  return x.map((_, i) => x[(i % rows) * columns + Math.floor(i / rows)]!);
}
