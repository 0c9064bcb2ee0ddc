import type { Check, LimitKind, Parameters, Stages } from './case.js';
import type { Machine } from './machine.js';
import type { Estimate } from './statistics.js';

export const RESULT_FORMAT = 'vssl-native bench';
export const RESULT_VERSION = 1;

/** A peer that was verified and timed. */
export interface PeerTiming {
  readonly name: string;
  readonly status: 'run';
  readonly version: string;
  /** Of its memory: the one with which a trial was fastest. */
  readonly allocator?: string;
  /** Of one call, median. */
  readonly seconds: number;
  /** Its time over ours, of turns side by side; absent on a noisy row. */
  readonly ratio?: Estimate;
  /** The same with the allocator that its process gets when nobody chooses; absent where that is the one chosen. */
  readonly byDefault?: { readonly seconds: number; readonly ratio?: Estimate };
  readonly note?: string;
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
  /** The ceiling, in FLOP/s, bytes/s or clips/s, and the share of it that we reach; absent on a noisy row. */
  readonly limit: { readonly kind: LimitKind; readonly perSecond: number; readonly fraction?: Estimate };
  /** Where the time of a call goes: median seconds of its parts; where it is known. */
  readonly stages?: Stages;
  readonly peers: readonly PeerResult[];
}

export interface BenchRow {
  readonly name: string;
  readonly kernel: string;
  readonly parameters: Parameters;
  readonly flops: number;
  readonly bytes: number;
  readonly clips?: number;
  /** Of both sides. */
  readonly threads?: number;
  readonly verified: string;
  readonly checks: readonly Check[];
  /** A check failed: nothing was timed. */
  readonly wrong: boolean;
  readonly timing?: Timing;
  /** What one call takes beyond its arguments; where it was measured. */
  readonly extraMemoryBytes?: number;
}

/** What is timed: kernels, training steps, batches that are loaded, or embedded. */
export type BenchTopic = 'kernels' | 'step' | 'loader' | 'embed';

/** What `bench` gives and --out writes. */
export interface BenchResult {
  readonly format: typeof RESULT_FORMAT;
  readonly formatVersion: typeof RESULT_VERSION;
  readonly what: BenchTopic;
  readonly date: string;
  readonly machine: Machine;
  /** The most of any row. */
  readonly threads: number;
  readonly pairs: number;
  readonly rows: readonly BenchRow[];
}
