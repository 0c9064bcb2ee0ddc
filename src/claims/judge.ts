/** Whether one arm beats another: a paired t interval over seeds, and what it says. */
import { invalidArgument } from '../errors.js';
import { meanInterval } from '../eval/intervals.js';
import type { Measurement } from '../eval/measure.js';
import type { PlannedClaim } from './plan-arms.js';
import type { ClaimResult, Comparison, Verdict } from './result.js';

/**
 * Compares arm a with arm b, which the claim puts below it: `a[s]` and `b[s]` are of the same seed (the same order of
 * videos, the same draws), so their difference is taken seed by seed. The interval is mean +- t s / sqrt(n) with
 * Student's t for n - 1 degrees of freedom. s is at least `resolution`: arms that differ by the same few test videos
 * with every seed do so by the coarseness of the measure.
 *
 * holds: the whole interval lies above 0. does not hold: below 0. cannot tell: it contains 0, or there is one seed. A claim
 * of 'at least as good' is judged like any other, as strictly better: equality can only come out as 'cannot tell'.
 */
export function compareArms(a: readonly number[], b: readonly number[], resolution: number): Comparison {
  if (a.length !== b.length) throw invalidArgument('b', `${a.length} values, one a seed`, b.length);
  const differences = a.map((value, seed) => value - b[seed]!);
  const seeds = differences.length;
  const { mean, interval } = meanInterval(differences, resolution);
  if (interval === null) return { seeds, difference: mean, interval, verdict: 'cannot tell' };
  const verdict = interval[0] > 0 ? 'holds' : interval[1] < 0 ? 'does not hold' : 'cannot tell';
  return { seeds, difference: mean, interval, verdict };
}

/** An ordering holds when every neighbouring pair does, and does not when one of them does not. */
export function joinVerdicts(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('does not hold')) return 'does not hold';
  return verdicts.length > 0 && verdicts.every((verdict) => verdict === 'holds') ? 'holds' : 'cannot tell';
}

/** Compares the arms of a claim by what was measured; a seed with which an arm's training failed does not count. */
export function judgeClaim(
  { claim, arms }: PlannedClaim,
  seeds: number,
  measured: { get(id: string, seed: number, measure: string): Measurement | undefined },
): ClaimResult {
  const { name, statement, source, measure } = claim;
  const of = (id: string, seed: number) => measured.get(id, seed, measure);
  const all = Array.from({ length: seeds }, (_, seed) => seed);
  const pairs = arms.slice(1).map((worse, i) => {
    const better = arms[i]!;
    const both = all.filter((seed) => of(better, seed) && of(worse, seed));
    const pick = (id: string) => both.map((seed) => of(id, seed)!.value);
    const resolution = both.length > 0 ? of(better, both[0]!)!.resolution : 0;
    const comparison = compareArms(pick(better), pick(worse), resolution);
    return { better: claim.arms[i]!.name, worse: claim.arms[i + 1]!.name, ...comparison };
  });
  return {
    ...{ name, statement, source, measure },
    arms: arms.map((id, i) => ({
      name: claim.arms[i]!.name,
      id,
      values: all.map((seed) => of(id, seed)?.value ?? null),
    })),
    pairs,
    verdict: joinVerdicts(pairs.map(({ verdict }) => verdict)),
  };
}
