/**
 * From which likeness on two videos count as the same, chosen on the data. Pairs drawn at random are hardly ever
 * duplicates, so the upper end of their likeness says how often others reach a likeness by chance: beyond its 85 % point
 * it falls off exponentially in z = atanh(likeness). How fast is learned from what lies between the 85 % and the 95 %
 * points, and of the rest that it lies beyond (the maximum-likelihood estimate for values that are known up to a bound
 * alone): duplicates among the drawn pairs change little while there are fewer than one in fifty.
 */

/** Share of the pairs below which, and up to which, the falling off is looked at. */
const [POINT, BOUND] = [0.85, 0.95];

export interface Chance {
  /** z of the 85 % point, and the mean excess over it. */
  readonly point: number;
  readonly scale: number;
}

const atanh = (x: number) => Math.atanh(Math.min(Math.max(x, -0.999999), 0.999999));

/** Likenesses of pairs drawn at random, 20 at least. */
export function chanceOf(similarities: readonly number[]): Chance {
  const z = similarities.map(atanh).sort((a, b) => a - b);
  const from = Math.floor(POINT * z.length);
  const to = Math.min(z.length - 1, Math.floor(BOUND * z.length));
  const [point, bound] = [z[from]!, z[to]!];
  let sum = (z.length - to) * (bound - point);
  for (let i = from; i < to; i++) sum += z[i]! - point;
  return { point, scale: Math.max(sum / Math.max(1, to - from), 1e-4) };
}

/** Of `pairs` pairs that are no duplicates, how many are expected to be at least as alike. */
export function expectedByChance({ point, scale }: Chance, pairs: number, similarity: number): number {
  const z = atanh(similarity);
  return pairs * (z <= point ? 1 : (1 - POINT) * Math.exp((point - z) / scale));
}

/**
 * The lowest likeness above which the found pairs are duplicates to the wanted share: 1 - (expected by chance) / (found).
 * null: none is.
 */
export function thresholdFor(
  chance: Chance,
  pairs: number,
  found: readonly number[],
  precision: number,
): { readonly threshold: number; readonly expectedPrecision: number } | null {
  const falling = [...found].sort((a, b) => b - a);
  let chosen: { threshold: number; expectedPrecision: number } | null = null;
  for (const [i, similarity] of falling.entries()) {
    const expectedPrecision = 1 - expectedByChance(chance, pairs, similarity) / (i + 1);
    if (expectedPrecision >= precision) chosen = { threshold: similarity, expectedPrecision };
  }
  return chosen;
}
