/** L2-normalisation of rows in double precision, and the gradient through it. */
import { dot } from './vectors.js';

const NORM_EPS = 1e-12; // F.normalize

export function normalizeRows(x: Float64Array, dim: number): { z: Float64Array; norms: Float64Array } {
  const norms = new Float64Array(x.length / dim).map((_, row) =>
    Math.max(Math.sqrt(dot(x, x, row * dim, dim)), NORM_EPS),
  );
  return { z: x.map((value, i) => value / norms[Math.floor(i / dim)]!), norms };
}

/** In place: the gradient at z = x / |x| becomes the gradient at x. Row r of z begins at `from`. */
export function throughNormalize(
  gradient: Float64Array,
  dim: number,
  rowOf: (row: number) => { readonly z: Float64Array; readonly from: number; readonly norm: number },
): void {
  for (let row = 0; row < gradient.length / dim; row++) {
    const { z, from, norm } = rowOf(row);
    const along = dot(gradient, z, row * dim, dim, from);
    for (let k = 0; k < dim; k++)
      gradient[row * dim + k] = (gradient[row * dim + k]! - along * z[from + k]!) / norm;
  }
}
