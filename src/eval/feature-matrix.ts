import { checkCount, isFloat32Array } from '../checks.js';
import { invalidArgument } from '../errors.js';

/** Rows of float features: `data` holds rows x dim values. */
export interface FeatureMatrix {
  readonly data: Float32Array;
  readonly rows: number;
  readonly dim: number;
}

/** Norms below this count as zero, as in F.normalize. */
const kEpsilon = 1e-12;

/** Checks that a matrix is one, and makes it. Throws ERR_VSSL_INVALID_ARGUMENT. */
export function featureMatrix(data: Float32Array, dim: number, name = 'features'): FeatureMatrix {
  if (!isFloat32Array(data)) throw invalidArgument(name, 'a Float32Array', data);
  checkCount('dim', dim);
  if (data.length % dim !== 0) throw invalidArgument(name, `rows x ${dim} values`, data);
  return { data, rows: data.length / dim, dim };
}

/** Rows scaled to length 1; a row of zeros stays zeros. A copy. */
export function normalizeRows(matrix: FeatureMatrix): FeatureMatrix {
  const { data, rows, dim } = matrix;
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const at = row * dim;
    let sum = 0;
    for (let i = at; i < at + dim; i++) sum += data[i]! * data[i]!;
    const scale = 1 / Math.max(Math.sqrt(sum), kEpsilon);
    for (let i = at; i < at + dim; i++) out[i] = data[i]! * scale;
  }
  return { data: out, rows, dim };
}

/** The rows of a matrix named by `rows`, in that order. A copy. */
export function selectRows(matrix: FeatureMatrix, rows: ArrayLike<number>): FeatureMatrix {
  const { data, dim } = matrix;
  const out = new Float32Array(rows.length * dim);
  for (let i = 0; i < rows.length; i++) out.set(data.subarray(rows[i]! * dim, (rows[i]! + 1) * dim), i * dim);
  return { data: out, rows: rows.length, dim };
}

/** Matrices of one width below one another. A copy. */
export function joinRows(parts: readonly FeatureMatrix[]): FeatureMatrix {
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let rows = 0;
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
    rows += part.rows;
  }
  return { data, rows, dim: parts[0]?.dim ?? 0 };
}
