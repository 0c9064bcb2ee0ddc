/**
 * 95 % intervals of what is measured on test videos. Whole groups are drawn, since videos of one person or scene are not
 * independent; with fewer than 5 groups there is nothing to draw from, and single videos are. Seeded: the same values give
 * the same interval.
 */

export type Interval = readonly [low: number, high: number];

/** Group of each row, where it has one. */
export type Clusters = readonly (string | undefined)[];

const RESAMPLES = 2000;
/** Groups that are enough to draw from. */
export const LEAST_CLUSTERS = 5;

/** Rows that are drawn together. */
export function drawnTogether(count: number, clusters?: Clusters): readonly (readonly number[])[] {
  const units = new Map<string, number[]>();
  for (let row = 0; row < count; row++) {
    const key = clusters?.[row] ?? `#${row}`;
    const unit = units.get(key);
    if (unit) unit.push(row);
    else units.set(key, [row]);
  }
  return units.size >= LEAST_CLUSTERS
    ? [...units.values()]
    : Array.from({ length: count }, (_, row) => [row]);
}

/** Percentile interval of the mean of `values` over 2000 bootstrap resamples. */
export function bootstrapMean(values: ArrayLike<number>, clusters?: Clusters): Interval {
  const units = drawnTogether(values.length, clusters).map((rows) => ({
    sum: rows.reduce((sum, row) => sum + values[row]!, 0),
    count: rows.length,
  }));
  return bootstrap(units, (drawn) => {
    let sum = 0;
    let count = 0;
    for (const unit of drawn) {
      sum += units[unit]!.sum;
      count += units[unit]!.count;
    }
    return sum / count;
  });
}

/** The same of the mean of the classes' own means: `hits` of rows that are of `classes`, numbers below `count`. */
export function bootstrapClassMean(
  hits: ArrayLike<number>,
  classes: ArrayLike<number>,
  count: number,
  clusters?: Clusters,
): Interval {
  const units = drawnTogether(hits.length, clusters);
  const all = new Float64Array(count);
  const right = new Float64Array(count);
  return bootstrap(units, (drawn) => {
    all.fill(0);
    right.fill(0);
    for (const unit of drawn)
      for (const row of units[unit]!) {
        all[classes[row]!]!++;
        right[classes[row]!]! += hits[row]!;
      }
    return meanOfClasses(right, all);
  });
}

/** Mean over the classes that have rows of `right[c] / all[c]`; 0 without any. */
export function meanOfClasses(right: ArrayLike<number>, all: ArrayLike<number>): number {
  let sum = 0;
  let present = 0;
  for (let c = 0; c < all.length; c++) {
    if (all[c] === 0) continue;
    sum += right[c]! / all[c]!;
    present++;
  }
  return present === 0 ? 0 : sum / present;
}

/**
 * Percentile interval of `statistic` over 2000 resamples of `units`; it gets the places of those drawn, in an array that
 * is used again.
 */
export function bootstrap(
  units: readonly unknown[],
  statistic: (drawn: Int32Array, next: () => number) => number,
): Interval {
  if (units.length === 0) return [0, 0];
  const next = xorshift(0x9e3779b9);
  const drawn = new Int32Array(units.length);
  const values = new Float64Array(RESAMPLES);
  for (let b = 0; b < RESAMPLES; b++) {
    for (let i = 0; i < drawn.length; i++) drawn[i] = Math.floor(next() * units.length);
    values[b] = statistic(drawn, next);
  }
  values.sort();
  return [values[Math.floor(0.025 * RESAMPLES)]!, values[Math.ceil(0.975 * RESAMPLES) - 1]!];
}

/**
 * Interval of a share `value` by leaving each unit out in turn (the jackknife), `without` being what is left then: for what
 * a resample with its repeated videos would overestimate.
 */
export function jackknife(value: number, without: readonly number[]): Interval {
  const count = without.length;
  if (count < 2) return [value, value];
  const mean = without.reduce((a, b) => a + b, 0) / count;
  const squares = without.reduce((sum, each) => sum + (each - mean) ** 2, 0);
  const half = 1.96 * Math.sqrt((squares * (count - 1)) / count);
  return [Math.max(0, value - half), Math.min(1, value + half)];
}

/** A small generator for resampling and beginnings only: no draw that ends in a clip comes from it. From [0, 1). */
export function xorshift(seed: number): () => number {
  let x = seed | 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 4294967296;
  };
}
