/** Intervals over a few values, such as one of each seed, and of differences of paired outcomes. */
import { checkCount } from '../checks.js';
import { meanAndSpread } from './metrics.js';
import { bootstrapMean, LEAST_CLUSTERS } from './resampling.js';

/** 97.5 % points of Student's t, by degrees of freedom from 1. */
const T_POINTS = [
  12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306, 2.2622, 2.2281, 2.201, 2.1788, 2.1604,
  2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.093, 2.086, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555,
  2.0518, 2.0484, 2.0452, 2.0423,
];

/** 97.5 % point of Student's t for n - 1 degrees of freedom; from 31 on to three digits. */
export function tPoint(degrees: number): number {
  checkCount('degrees', degrees);
  return T_POINTS[degrees - 1] ?? 1.95996 + 2.3723 / degrees + 2.8225 / degrees ** 2;
}

export interface MeanInterval {
  readonly mean: number;
  /** 95 %; null with fewer than 2 values. */
  readonly interval: readonly [number, number] | null;
}

/**
 * mean +- t s / sqrt(n), with Student's t for n - 1 degrees of freedom. s is at least `resolution`: values that differ by
 * the coarseness of their measure alone are not known to that degree.
 */
export function meanInterval(values: readonly number[], resolution = 0): MeanInterval {
  const { mean, std } = meanAndSpread(values);
  const n = values.length;
  if (n < 2) return { mean, interval: null };
  const half = (tPoint(n - 1) * Math.max(std, resolution)) / Math.sqrt(n);
  return { mean, interval: [mean - half, mean + half] };
}

/** What `pairedDifference` drew again and again: videos, or whole groups of them. */
export type PairedBy = 'video' | 'group';

/**
 * Mean of a[i] - b[i], outcomes of the same video, with the middle 95 % of 2000 bootstrap resamples; of whole groups
 * where there are at least 5, since videos of one person or scene are not independent.
 */
export function pairedDifference(
  a: readonly number[],
  b: readonly number[],
  groups: readonly (string | null)[],
): { readonly difference: number; readonly interval: readonly [number, number]; readonly by: PairedBy } {
  const differences = a.map((value, i) => value - b[i]!);
  const named = new Set(groups.map((group, i) => group ?? `#${i}`));
  const by = named.size >= LEAST_CLUSTERS && named.size < groups.length ? 'group' : 'video';
  const clusters = groups.map((group) => group ?? undefined);
  return { difference: meanAndSpread(differences).mean, interval: bootstrapMean(differences, clusters), by };
}
