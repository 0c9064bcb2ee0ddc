/**
 * From which likeness on two videos count as the same, chosen on the data. Pairs drawn at random are hardly ever
 * duplicates, so the upper end of their likeness says how often others reach a likeness by chance: beyond its 90 % point
 * it falls off exponentially in z = atanh(likeness), by the distance of its 90 % and 99 % points. What duplicates there
 * are among the drawn pairs only make the estimate more careful.
 */

export interface Chance {
  /** z of the 90 % point, and the mean excess over it. */
  readonly point: number;
  readonly scale: number;
}

const atanh = (x: number) => Math.atanh(Math.min(Math.max(x, -0.999999), 0.999999));

/** Likenesses of pairs drawn at random, 20 at least. */
export function chanceOf(similarities: readonly number[]): Chance {
  const z = similarities.map(atanh).sort((a, b) => a - b);
  const at = (share: number) => z[Math.min(z.length - 1, Math.floor(share * z.length))]!;
  const point = at(0.9);
  return { point, scale: Math.max((at(0.99) - point) / Math.log(10), 1e-4) };
}

/** Of `pairs` pairs that are no duplicates, how many are expected to be at least as alike. */
export function expectedByChance({ point, scale }: Chance, pairs: number, similarity: number): number {
  const z = atanh(similarity);
  return pairs * (z <= point ? 1 : 0.1 * Math.exp((point - z) / scale));
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
