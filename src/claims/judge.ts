/** Which of two arms is ahead: intervals over seeds with one deviation for all pairs of a measure, and verdicts. */
import { invalidArgument } from '../errors.js';
import type { Measurement } from '../eval/measure.js';
import { getMeasure } from '../eval/measures.js';
import { studentPoint, studentTail } from '../eval/student.js';
import type { Claim } from '../methods/method.js';
import type { PlannedClaim } from './plan-arms.js';
import type { ArmResult, ClaimResult, Comparison, MeasurePool, Verdict } from './result.js';
import { type PairedArms, type Pool, poolDeviation, rejectTests } from './statistics.js';

/** Part of the verdicts that may be wrong, in the mean over repetitions of the whole experiment. */
export const LEVEL = 0.05;

/** What the arms of a claim have come to. */
export interface MeasuredClaim {
  readonly claim: Omit<Claim, 'arms'>;
  /** In the order of the claim. Of several claims the same id is the same runs. */
  readonly arms: readonly ArmResult[];
}

/** The claims, measured; arms of a failed training have values of null. */
export function measuredClaim(
  { claim, arms }: PlannedClaim,
  seeds: readonly number[],
  measured: { get(id: string, seed: number, measure: string): Measurement | undefined },
): MeasuredClaim {
  return {
    claim,
    arms: arms.map((id, i) => {
      const all = seeds.map((seed) => measured.get(id, seed, claim.measure));
      const there = all.filter((one) => one !== undefined);
      const mean = (pick: (one: Measurement) => number) =>
        there.reduce((sum, one) => sum + pick(one), 0) / Math.max(1, there.length);
      return {
        ...{ name: claim.arms[i]!.name, id, values: all.map((one) => one?.value ?? null) },
        resolution: mean((one) => one.resolution),
        noise: Math.sqrt(mean(({ noise = 0 }) => noise ** 2)),
      };
    }),
  };
}

/** A pair of neighbouring arms. */
interface Pair extends PairedArms {
  readonly claim: MeasuredClaim['claim'];
  /** The least deviation that a difference with one seed can have. */
  readonly floor: number;
}

/**
 * Compares neighbouring arms seed by seed. All claims are judged together: pairs of a measure share one deviation, and
 * all tests are one family.
 */
export function judgeClaims(measured: readonly MeasuredClaim[]): {
  readonly claims: readonly ClaimResult[];
  readonly pools: readonly MeasurePool[];
  /** Tests of the family. */
  readonly tests: number;
} {
  const pairs = measured.map(pairsOf);
  const measures = [...new Set(measured.map(({ claim }) => claim.measure))];
  const pools = new Map(
    measures.map((measure) => [
      measure,
      poolDeviation(pairs.flat().filter(({ claim }) => claim.measure === measure)),
    ]),
  );
  const compared = pairs.map((some) => some.map((pair) => testPair(pair, pools.get(pair.claim.measure)!)));
  const family = compared.flat().flatMap(({ tests }) => tests);
  const rejected = rejectTests(
    family.map(({ p }) => p),
    LEVEL,
  );
  const counts = new Set(family.filter((_, i) => rejected[i]));
  const claims = measured.map(({ claim, arms }, c): ClaimResult => {
    const judged = compared[c]!.map(({ tests, comparison }, i) => ({
      ...{ better: arms[i]!.name, worse: arms[i + 1]!.name },
      ...comparison,
      verdict: verdictOf(claim, comparison.difference, (kind) =>
        tests.some((test) => test.kind === kind && counts.has(test)),
      ),
    }));
    const { name, statement, source, measure, relation = 'better' } = claim;
    return {
      ...{ name, statement, source, measure, relation },
      arms,
      pairs: judged,
      verdict: joinVerdicts(judged.map(({ verdict }) => verdict)),
    };
  });
  const told = measures.map((measure) => ({
    ...{ measure, margin: getMeasure(measure).margin ?? 0 },
    ...(pools.get(measure) ?? { deviation: null, degrees: 0, pairs: 0 }),
  }));
  return { claims, pools: told, tests: family.length };
}

function pairsOf({ claim, arms }: MeasuredClaim): Pair[] {
  return arms.slice(1).map((worse, i) => {
    const better = arms[i]!;
    if (better.values.length !== worse.values.length)
      throw invalidArgument('values', `${better.values.length} values, one a seed`, worse.values.length);
    return {
      claim,
      better: better.id,
      worse: worse.id,
      differences: better.values.flatMap((value, seed) => {
        const other = worse.values[seed] ?? null;
        return value === null || other === null ? [] : [value - other];
      }),
      floor: Math.max(better.resolution, worse.resolution, Math.hypot(better.noise, worse.noise)),
    };
  });
}

/**
 * What is tested of a pair. different: two-sided, the difference is not 0. not worse: one-sided, it is above -margin. equal:
 * two one-sided tests, it lies within the margin. A claim of 'at least as good' asks the first two, any other the first and
 * the last, where its measure has a margin.
 */
type Test = { readonly kind: 'different' | 'not worse' | 'equal'; readonly p: number };

/** Mean difference with its interval, mean +- t s / sqrt(n), and the tests; s is that of all pairs, at least the floor. */
function testPair(
  { claim, differences, floor }: Pair,
  pool: Pool | null,
): { readonly comparison: Omit<Comparison, 'verdict'>; readonly tests: readonly Test[] } {
  const seeds = differences.length;
  const difference = differences.reduce((a, b) => a + b, 0) / Math.max(1, seeds);
  if (seeds < 2 || pool === null)
    return { comparison: { seeds, difference, interval: null, deviation: null, p: null }, tests: [] };
  const { degrees } = pool;
  const deviation = Math.max(pool.deviation, floor);
  const error = deviation / Math.sqrt(seeds);
  const half = studentPoint(degrees) * error;
  const p = 2 * studentTail(Math.abs(difference) / error, degrees);
  const { margin = 0 } = getMeasure(claim.measure);
  const tests: Test[] = [{ kind: 'different', p }];
  if (claim.relation === 'at least as good')
    tests.push({ kind: 'not worse', p: studentTail((difference + margin) / error, degrees) });
  else if (margin > 0)
    tests.push({ kind: 'equal', p: studentTail((margin - Math.abs(difference)) / error, degrees) });
  const interval = [difference - half, difference + half] as const;
  return { comparison: { seeds, difference, interval, deviation, p }, tests };
}

function verdictOf(
  { relation = 'better' }: Pick<Claim, 'relation'>,
  difference: number,
  isShown: (kind: Test['kind']) => boolean,
): Verdict {
  if (relation === 'at least as good' && isShown('not worse')) return 'holds';
  if (isShown('different')) return difference > 0 ? 'holds' : 'does not hold';
  return isShown('equal') ? 'equal' : 'cannot tell';
}

/**
 * An ordering holds when every neighbouring pair does, and does not when one does not. Where the others hold and some are
 * equal within the margin, so is the whole.
 */
export function joinVerdicts(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('does not hold')) return 'does not hold';
  if (verdicts.length === 0 || verdicts.includes('cannot tell')) return 'cannot tell';
  return verdicts.includes('equal') ? 'equal' : 'holds';
}
