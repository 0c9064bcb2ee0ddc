/** One deviation for all pairs of a measure, and which of many tests count. docs/evaluation.md says why. */

/** Two arms that were compared: their names, and their difference with each seed. */
export interface PairedArms {
  readonly better: string;
  readonly worse: string;
  readonly differences: readonly number[];
}

export interface Pool {
  /** Of a difference with one seed, over seeds. */
  readonly deviation: number;
  /** Degrees of freedom; not whole where pairs share arms. */
  readonly degrees: number;
  /** Pairs that it is made of, each counted once. */
  readonly pairs: number;
}

/**
 * s^2 = sum over pairs of sum_seeds (d - mean)^2 / sum of v, v being the pair's seeds less one.
 *
 * Pairs that share an arm know in part the same: the differences are then correlated by one half, for arms that scatter
 * alike, and their squares by a quarter. So the degrees of freedom are (sum v)^2 / sum_ij min(v_i, v_j) r_ij^2 with r^2 = 1
 * for a pair with itself, 1/4 for pairs with an arm in common, else 0. null without a pair of two seeds.
 */
export function poolDeviation(pairs: readonly PairedArms[]): Pool | null {
  const seen = new Set<string>();
  const used = pairs.filter(({ better, worse, differences }) => {
    const key = [better, worse].sort().join(' ');
    if (differences.length < 2 || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
  if (used.length === 0) return null;
  const degreesOf = ({ differences }: PairedArms) => differences.length - 1;
  let squares = 0;
  let known = 0;
  let shared = 0;
  for (const one of used) {
    squares += squaresAbout(one.differences);
    known += degreesOf(one);
    for (const other of used)
      shared += Math.min(degreesOf(one), degreesOf(other)) * squaredCorrelation(one, other);
  }
  return { deviation: Math.sqrt(squares / known), degrees: known ** 2 / shared, pairs: used.length };
}

function squaredCorrelation(a: PairedArms, b: PairedArms): number {
  if (a === b) return 1;
  return [a.better, a.worse].some((arm) => arm === b.better || arm === b.worse) ? 1 / 4 : 0;
}

function squaresAbout(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
}

/**
 * Benjamini and Hochberg: which of the tests are rejected so that of the rejected ones at most a part `level` is wrong, in
 * the mean. With p sorted upwards, those up to the largest k with p_(k) <= level k / m.
 */
export function rejectTests(p: readonly number[], level: number): boolean[] {
  const sorted = [...p].sort((a, b) => a - b);
  const last = sorted.findLastIndex((value, i) => value <= (level * (i + 1)) / p.length);
  return p.map((value) => last >= 0 && value <= sorted[last]!);
}
