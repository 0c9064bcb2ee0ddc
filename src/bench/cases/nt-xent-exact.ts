import { loadKernels } from '../../native/load.js';
import { normalizeRows, throughNormalize } from '../normalize.js';
import { toBf16 } from '../vectors.js';

/** NT-Xent in double precision. */
export interface ExactNtXent {
  readonly loss: number;
  /** rows x dim */
  readonly gradient: Float64Array;
  readonly gradTemperature: number;
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
