/** What a call of `eval claims` gives. */
import type { UnusableVideo } from '../embed/unusable.js';
import type { DataOptions } from '../eval/evaluation-data.js';

/** Version of claims.json and of the measures kept beside the weights. */
export const CLAIMS_FORMAT_VERSION = 2;

export type Verdict = 'holds' | 'does not hold' | 'cannot tell';

/** The difference of two arms, one value a seed, better arm of the claim first. */
export interface Comparison {
  readonly seeds: number;
  readonly difference: number;
  /** 95 %; null with fewer than 2 seeds. */
  readonly interval: readonly [number, number] | null;
  readonly verdict: Verdict;
}

/** One value a seed; null where training ended with a loss that is not finite. */
export interface ArmResult {
  readonly name: string;
  readonly id: string;
  readonly values: readonly (number | null)[];
}

export interface ClaimResult {
  readonly name: string;
  readonly statement: string;
  readonly source: string;
  readonly measure: string;
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
  readonly seeds: number;
  readonly data: DataOptions;
  readonly interval: string;
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
