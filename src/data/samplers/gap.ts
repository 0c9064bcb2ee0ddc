import { checkCount, checkPositive } from '../../checks.js';
import type { Rng } from '../rng.js';

/**
 * The distribution P(t) of the gap between the starts of CVRL's two clips, 0 <= t < tMax.
 *   decreasing: P(t) ~ c - t^power with P(tMax) = 0 (the paper's choice, power 1)
 *   uniform:    P(t) constant
 *   increasing: P(t) ~ t^power
 *   same:       t = 0, both clips are the same window
 */
export interface GapLaw {
  readonly kind: 'decreasing' | 'uniform' | 'increasing' | 'same';
  /** Above 0; used by decreasing and increasing. */
  readonly power: number;
}

/** F(t), the cumulative distribution of the continuous gap. */
export function gapCdf(law: GapLaw, t: number, tMax: number): number {
  const x = Math.min(1, Math.max(0, t / tMax));
  const p = law.power;
  switch (law.kind) {
    case 'decreasing':
      return ((p + 1) / p) * x - (1 / p) * power(x, p + 1);
    case 'uniform':
      return x;
    case 'increasing':
      return power(x, p + 1);
    case 'same':
      return 1;
  }
}

/**
 * A gap in whole frames, 0 <= t < tMax, tMax a whole number of at least 1. The decreasing law is solved as the authors'
 * code does, by bisection over whole numbers (tensorflow/models, video_ssl_preprocess_ops.py); the others by their
 * inverse, rounded down.
 */
export function drawGap(law: GapLaw, tMax: number, rng: Rng): number {
  checkCount('tMax', tMax);
  checkPositive('power', law.power);
  // One draw whatever the law, so that arms of an ablation differ in nothing else.
  const u = rng.next();
  switch (law.kind) {
    case 'decreasing':
      return bisectGap(law, tMax, u);
    case 'uniform':
      return Math.floor(u * tMax);
    case 'increasing':
      return Math.min(tMax - 1, Math.floor(tMax * u ** (1 / (law.power + 1))));
    case 'same':
      return 0;
  }
}

/** The whole t with F(t) <= u < F(t + 1). */
export function bisectGap(law: GapLaw, tMax: number, u: number): number {
  let low = 0;
  let high = tMax;
  let middle = Math.floor(tMax / 2);
  while (high - low > 1) {
    if (gapCdf(law, middle, tMax) > u) high = middle;
    else low = middle;
    middle = Math.floor((low + high) / 2);
  }
  return middle;
}

/** x^n, by multiplication when n is a small whole number: exact rounding then does not hang on the engine's pow. */
function power(x: number, n: number): number {
  if (!Number.isInteger(n) || n > 8) return x ** n;
  let product = 1;
  for (let i = 0; i < n; i++) product *= x;
  return product;
}
