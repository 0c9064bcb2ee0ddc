import { generator } from './random.js';

/** A median and where 95 % of its bootstrap replicates lie. */
export interface Estimate {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2000;
const SEED = 95;

/** NaN for no values. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Median with its 95 % percentile bootstrap interval. Seeded: the same values give the same interval. */
export function estimate(values: readonly number[]): Estimate {
  const next = generator(SEED);
  const resample = new Float64Array(values.length);
  const replicates = new Float64Array(RESAMPLES).map(() =>
    median(resample.map(() => values[(next() >>> 0) % values.length]!)),
  );
  replicates.sort();
  const at = (share: number) => replicates[Math.round(share * (RESAMPLES - 1))]!;
  return { median: median(values), low: at(0.025), high: at(0.975) };
}

/** Element by element, for turns that stood side by side. */
export function ratios(above: readonly number[], below: readonly number[]): number[] {
  return above.map((value, i) => value / below[i]!);
}
