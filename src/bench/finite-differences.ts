import { generator } from './random.js';

/**
 * Central differences of `f` at `x` (changed and restored) beside the derivative that is claimed for it, at `count`
 * entries drawn from `seed`: the norm of the differences over those entries.
 */
export function finiteDifferenceError(
  f: (x: Float64Array) => number,
  x: Float64Array,
  claimed: ArrayLike<number>,
  { count = 40, step = 1e-5, seed = 1 } = {},
): number {
  const next = generator(seed);
  let sum = 0;
  for (let k = 0; k < count; k++) {
    const i = count >= x.length ? k : (next() >>> 0) % x.length;
    if (i >= x.length) break;
    const value = x[i]!;
    x[i] = value + step;
    const above = f(x);
    x[i] = value - step;
    const below = f(x);
    x[i] = value;
    sum += ((above - below) / (2 * step) - claimed[i]!) ** 2;
  }
  return Math.sqrt(sum);
}
