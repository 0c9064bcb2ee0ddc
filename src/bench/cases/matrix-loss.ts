/** What the losses over a matrix of similarities have in common. */
import type { Precision } from '../../kernels/index.js';
import type { KernelLimits } from '../../native/bindings.js';
import { dot, norm } from '../vectors.js';

/** Of multiply-adds, at this machine's ceiling, measured now. */
export function secondsPerFlop(limits: KernelLimits, precision: Precision, threads: number): number {
  const bf16 = precision === 'bf16' ? limits.bf16Rate(0.01, threads) : 0;
  return 1 / (bf16 || limits.fmaRate(0.01, threads));
}

/**
 * How far a loss of the rows x and its gradient may be off in fp32: 1e-5 relative, and what a relative error of 1e-6 in
 * similarities amounts to.
 */
export function toleranceOf(
  exact: { readonly loss: number; readonly gradient: Float64Array },
  x: ArrayLike<number>,
  dim: number,
  temperature: number,
): { loss: number; gradient: number } {
  const rows = x.length / dim;
  const similarity = 1e-6 / temperature;
  let factors = 0;
  for (let row = 0; row < rows; row++) factors += 1 / dot(x, x, row * dim, dim);
  return {
    loss: 1e-5 * Math.abs(exact.loss) + similarity,
    gradient: 1e-5 * norm(exact.gradient) + (similarity * Math.sqrt(factors)) / (rows * temperature),
  };
}
