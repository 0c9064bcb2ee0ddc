import type { Check, LimitKind, Parameters } from './case.js';
import type { Machine } from './machine.js';
import type { Estimate } from './statistics.js';

export const RESULT_FORMAT = 'vssl-native bench';
export const RESULT_VERSION = 1;

/** A peer that was verified and timed. */
export interface PeerTiming {
  readonly name: string;
  readonly status: 'run';
  readonly version: string;
  /** Of one call, median. */
  readonly seconds: number;
  /** Its time over ours, of turns side by side; absent on a noisy row. */
  readonly ratio?: Estimate;
  /** Largest distance of an output from ours, relative to its norm. */
  readonly distance: number;
}

/** A peer that was not timed, and why. */
export interface PeerAbsence {
  readonly name: string;
  readonly status: 'not run';
  readonly reason: string;
}

export type PeerResult = PeerTiming | PeerAbsence;

/** What timing gives. */
export interface Timing {
  readonly rounds: number;
  /** Of one call, median over the rounds' first turns. */
  readonly seconds: number;
  /** Our last turn of a round over our first: near 1 when the machine lets times be compared. */
  readonly sameOverSame: Estimate;
  /** Share of the processors that other processes used meanwhile; absent where the system does not tell. */
  readonly others?: number;
  /** sameOverSame is outside [0.9, 1.1], or others used more than 0.1: no ratio is claimed. */
  readonly noisy: boolean;
  /** The ceiling, in FLOP/s or bytes/s, and the share of it that we reach; absent on a noisy row. */
  readonly limit: { readonly kind: LimitKind; readonly perSecond: number; readonly fraction?: Estimate };
  readonly peers: readonly PeerResult[];
}

export interface BenchRow {
  readonly name: string;
  readonly kernel: string;
  readonly parameters: Parameters;
  readonly flops: number;
  readonly bytes: number;
  readonly verified: string;
  readonly checks: readonly Check[];
  /** A check failed: nothing was timed. */
  readonly wrong: boolean;
  readonly timing?: Timing;
  /** What one call takes beyond its arguments; where it was measured. */
  readonly extraMemoryBytes?: number;
}

/** What `bench kernels` gives and --out writes. */
export interface BenchResult {
  readonly format: typeof RESULT_FORMAT;
  readonly formatVersion: typeof RESULT_VERSION;
  readonly what: 'kernels';
  readonly date: string;
  readonly machine: Machine;
  readonly threads: number;
  readonly pairs: number;
  readonly rows: readonly BenchRow[];
}
