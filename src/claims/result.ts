/** What a call of `eval claims` gives. */
import type { UnusableVideo } from '../embed/unusable.js';
import type { DataOptions } from '../eval/evaluation-data.js';
import type { Claim } from '../methods/method.js';

/** Version of claims.json and of the measures kept beside the weights. */
export const CLAIMS_FORMAT_VERSION = 3;

/** equal: the difference lies within the margin of the measure, whichever sign it has. */
export type Verdict = 'holds' | 'does not hold' | 'equal' | 'cannot tell';

/** The difference of two arms, one value a seed, better arm of the claim first. */
export interface Comparison {
  readonly seeds: number;
  readonly difference: number;
  /** 95 %, of this pair alone; null with fewer than 2 seeds. */
  readonly interval: readonly [number, number] | null;
  /** Of the difference with one seed: that of all pairs of the measure, or what the test videos make where that is more. */
  readonly deviation: number | null;
  /** Two-sided, that there is no difference, before the correction for the number of tests. */
  readonly p: number | null;
  readonly verdict: Verdict;
}

/** What all pairs of a measure have in common. */
export interface MeasurePool {
  readonly measure: string;
  /** Differences within it count as none; 0: the measure has none. In the measure's own unit. */
  readonly margin: number;
  /** null where no pair has 2 seeds. */
  readonly deviation: number | null;
  readonly degrees: number;
  readonly pairs: number;
}

/** One value a seed; null where training ended with a loss that is not finite. */
export interface ArmResult {
  readonly name: string;
  readonly id: string;
  readonly values: readonly (number | null)[];
  /** What one test video makes, and the standard error that the choice of test videos makes; means over seeds. */
  readonly resolution: number;
  readonly noise: number;
}

export interface ClaimResult {
  readonly name: string;
  readonly statement: string;
  readonly source: string;
  readonly measure: string;
  readonly relation: NonNullable<Claim['relation']>;
  readonly arms: readonly ArmResult[];
  /** Neighbours in the claim's order. */
  readonly pairs: readonly (Comparison & { readonly better: string; readonly worse: string })[];
  readonly verdict: Verdict;
}

export interface ClaimsResult {
  readonly formatVersion: typeof CLAIMS_FORMAT_VERSION;
  readonly packageVersion: string;
  readonly method: string;
  readonly preset: string;
  readonly set: readonly string[];
  readonly budget: number;
  readonly firstSeed: number;
  readonly seeds: number;
  /** Of the first seed; with `{seed}` in the specification each seed has its own. */
  readonly data: DataOptions;
  readonly dataBySeed: boolean;
  readonly interval: string;
  readonly pools: readonly MeasurePool[];
  /** Tests that were corrected for together, and the part of the verdicts that may be wrong. */
  readonly tests: number;
  readonly level: number;
  readonly claims: readonly ClaimResult[];
  /** Runs trained or continued by this call, and those that were there. */
  readonly trained: number;
  readonly found: number;
  readonly failures: readonly { readonly arm: string; readonly seed: number; readonly reason: string }[];
  /** Of the data and of the measures. */
  readonly warnings: readonly string[];
  /** Videos that a measure could not use. */
  readonly leftOut: readonly UnusableVideo[];
  readonly file: string;
}
