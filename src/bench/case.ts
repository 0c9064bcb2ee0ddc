import type { KernelLimits } from '../native/bindings.js';

type Awaitable<T> = T | Promise<T>;

/** Sizes and options of a case: they stand in the result, and the peer is given them. */
export type Parameters = Readonly<Record<string, number | string | boolean>>;

/** One comparison with what is known to be right. Passed when error <= tolerance, so a NaN fails. */
export interface Check {
  readonly what: string;
  readonly error: number;
  readonly tolerance: number;
}

export function passed({ error, tolerance }: Check): boolean {
  return error <= tolerance;
}

/** An array that both sides read. */
export interface BenchInput {
  readonly data: Float32Array | Uint8Array;
  readonly shape: readonly number[];
}

/** A case made ready in one size: its arrays, our call, and what it must give. */
export interface Workload {
  /** What both sides read, by the names that the peers use. */
  readonly inputs: Readonly<Record<string, BenchInput>>;
  /** One call of the public API on at most `threads` threads. */
  run(threads: number): void | Promise<void>;
  /** What the last call gave, by the names that the peers use. */
  outputs(): Readonly<Record<string, Float32Array>>;
  /** Calls ours and compares what it gives: a kernel with its double-precision twin. */
  verify(threads: number): Promise<readonly Check[]>;
  /** Compares the kernel's derivative (or its adjoint) with finite differences of the twin. For small sizes. */
  checkGradient?(threads: number): Promise<readonly Check[]>;
  /** Seconds that the ceiling of this machine takes for one call's work, measured now. */
  limitSeconds(limits: KernelLimits, threads: number): Awaitable<number>;
  /** What the case itself does not say of one call; known after `verify`. */
  work?(): { readonly flops?: number; readonly clips?: number };
  /** Median seconds of each part of a call, over those since it was last asked. */
  stages?(): Stages;
  dispose?(): void;
}

/** Seconds of the parts of a call, by name. */
export type Stages = Readonly<Record<string, number>>;

/** Of a kernel. */
export interface KernelWorkload extends Workload {
  checkGradient(threads: number): Promise<readonly Check[]>;
  limitSeconds(limits: KernelLimits, threads: number): number;
}

/**
 * Which ceiling a case is held against. Bare convolutions: those of the network, each alone on an input of its size.
 * Network passes: what a training step spends in its networks, forward and backward. Decoding alone: the same pictures,
 * of which nothing is made.
 */
export type LimitKind =
  | 'fp32 multiply-adds'
  | 'bf16 multiply-adds'
  | 'read'
  | 'copy'
  | 'widening copy'
  | 'triad'
  | 'bare convolutions'
  | 'network passes'
  | 'decoding, then the network'
  | 'decoding alone';

/** Another implementation of the same: a function of benchmarks/peers/MODULE.py. */
export interface PeerSpec {
  readonly module: string;
  /** Name inside the module, also shown. */
  readonly name: string;
  /** How far its outputs may be from ours, relative to their norm. */
  readonly tolerance: number;
}

/** Something that is timed, in one size: a kernel, a batch that is embedded, a training step. */
export interface BenchCase {
  /** What is called, form and sizes, such as `ntXent fp32 4096x128`. */
  readonly name: string;
  /** The kernel; `embed`, `step` or `loader`. */
  readonly kernel: string;
  readonly parameters: Parameters;
  /** The same in a size that takes milliseconds to verify and where the code has remainders. */
  readonly small?: Parameters;
  readonly prepare: (parameters: Parameters) => Awaitable<Workload>;
  /** Of one call. */
  readonly flops: number;
  /** Read and written by one call, each once. */
  readonly bytes: number;
  /** Clips of one call, where it has any. */
  readonly clips?: number;
  readonly limit: LimitKind;
  /** What verify() looks at, for the reader of the result. */
  readonly verified: string;
  readonly peers: readonly PeerSpec[];
  /** Rounds of timing, when less than what is asked for: cases that take seconds. */
  readonly roundsAtMost?: number;
  /** Measures the memory that one call takes beyond its arguments, in a process of its own. */
  readonly measureMemory?: boolean;
}

/** A kernel in one size. The one registry of these serves the test, the gradient check and the timing. */
export interface KernelCase extends BenchCase {
  readonly small: Parameters;
  readonly prepare: (parameters: Parameters) => KernelWorkload;
}
