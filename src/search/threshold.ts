/**
 * From which likeness on two videos count as the same, chosen on the data. How alike videos are that are not the same falls
 * off exponentially in z = atanh(likeness), from some point on. How fast is learned from what lies between that point and a
 * bound, below which hardly any duplicates are; of the rest it is known alone that it lies beyond.
 */

/** What is expected of pairs that are no duplicates. */
export interface Chance {
  /** z from which on they fall off, how many lie beyond it, and by how much z has to grow until e times fewer do. */
  readonly point: number;
  readonly beyond: number;
  readonly scale: number;
  /** All that were compared. */
  readonly total: number;
}

/** Share of pairs drawn at random below which, and up to which, the falling off is looked at. */
const [POINT, BOUND] = [0.85, 0.95];

const atanh = (x: number) => Math.atanh(Math.min(Math.max(x, -0.999999), 0.999999));

/**
 * From pairs drawn at random, 20 at least, of `total`: hardly ever duplicates, so what lies beyond the bound are others as
 * well (the maximum-likelihood estimate for values that are known up to a bound alone). Duplicates among the drawn pairs
 * change little while there are fewer than one in fifty.
 */
export function chanceOfDrawn(similarities: readonly number[], total: number): Chance {
  const z = similarities.map(atanh).sort((a, b) => a - b);
  const from = Math.floor(POINT * z.length);
  const to = Math.min(z.length - 1, Math.floor(BOUND * z.length));
  const [point, bound] = [z[from]!, z[to]!];
  let sum = (z.length - to) * (bound - point);
  for (let i = from; i < to; i++) sum += z[i]! - point;
  const scale = Math.max(sum / Math.max(1, to - from), 1e-4);
  return { point, scale, beyond: total * (1 - POINT), total };
}

/**
 * From all pairs that came into question, duplicates among them: what lies from `low` to `high` is none, what lies beyond
 * may be (the maximum-likelihood estimate for values of which alone those within bounds are known). null: fewer than
 * `least` lie there.
 */
export function chanceBetween(
  similarities: readonly number[],
  { low, high, least }: { readonly low: number; readonly high: number; readonly least: number },
): Chance | null {
  const point = atanh(low);
  const width = atanh(high) - point;
  const inside = similarities.filter((x) => x >= low && x < high).map((x) => atanh(x) - point);
  if (inside.length < least) return null;
  const mean = inside.reduce((sum, x) => sum + x, 0) / inside.length;
  const scale = scaleOfTruncated(mean, width);
  return {
    ...{ point, scale, total: similarities.length },
    beyond: inside.length / (1 - Math.exp(-width / scale)),
  };
}

/** Of an exponential that is cut off at `width` and has this mean: mean = scale - width / (exp(width / scale) - 1). */
function scaleOfTruncated(mean: number, width: number): number {
  let [low, high] = [width / 500, 10 * width];
  for (let i = 0; i < 60; i++) {
    const scale = (low + high) / 2;
    if (scale - width / Math.expm1(width / scale) < mean) low = scale;
    else high = scale;
  }
  return low;
}

/** Of the pairs that are no duplicates, how many are expected to be at least as alike. */
export function expectedByChance({ point, scale, beyond, total }: Chance, similarity: number): number {
  const z = atanh(similarity);
  return z <= point ? total : beyond * Math.exp((point - z) / scale);
}

/**
 * The lowest likeness, `floor` or more, above which the found pairs are duplicates to the wanted share:
 * 1 - (expected by chance) / (found). null: none is.
 */
export function thresholdFor(
  chance: Chance,
  found: readonly number[],
  precision: number,
  floor = -1,
): { readonly threshold: number; readonly expectedPrecision: number } | null {
  const falling = found.filter((similarity) => similarity >= floor).sort((a, b) => b - a);
  let chosen: { threshold: number; expectedPrecision: number } | null = null;
  for (const [i, similarity] of falling.entries()) {
    const expectedPrecision = 1 - expectedByChance(chance, similarity) / (i + 1);
    if (expectedPrecision >= precision) chosen = { threshold: similarity, expectedPrecision };
  }
  return chosen;
}

/**
 * What was given; else what is chosen on the data (1, which nothing reaches, where nothing will do); else, where nothing is
 * known of chance, what is usual. Beside it the share of what is found that is expected to be duplicates; null where
 * nothing is known, or found.
 */
export function chooseThreshold(
  chance: Chance | null,
  found: readonly number[],
  {
    given,
    precision,
    usual,
    floor,
  }: {
    readonly given: number | undefined;
    readonly precision: number;
    readonly usual: number;
    readonly floor?: number;
  },
): { readonly threshold: number; readonly expectedPrecision: number | null } {
  if (given === undefined && chance)
    return thresholdFor(chance, found, precision, floor) ?? { threshold: 1, expectedPrecision: null };
  const threshold = given ?? usual;
  const count = found.filter((similarity) => similarity >= threshold).length;
  if (!chance || count === 0) return { threshold, expectedPrecision: null };
  return { threshold, expectedPrecision: Math.max(0, 1 - expectedByChance(chance, threshold) / count) };
}
