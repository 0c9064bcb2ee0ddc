/**
 * What arguments are asked before any work. Nothing here goes by `instanceof`: arrays, errors and signals made in another
 * realm (a vm context, a test runner's sandbox) are as good as this one's.
 */
import { totalmem } from 'node:os';
import { types } from 'node:util';
import { getHeapStatistics } from 'node:v8';
import { invalidArgument, VsslError } from './errors.js';
import { didYouMean } from './spelling.js';

export const { isFloat32Array, isInt8Array, isUint8Array, isUint16Array } = types;

/** Throws unless `options` is an options object, every key of which is among `known`; says the nearest of them. */
export function requireOptions(options: unknown, known: readonly string[], name = 'options'): void {
  const isObject = typeof options === 'object' && options !== null;
  if (!isObject || Array.isArray(options) || ArrayBuffer.isView(options))
    throw invalidArgument(name, 'an object', options);
  for (const key of Object.keys(options))
    if (!known.includes(key))
      throw invalidArgument(name, `only the options ${known.join(', ')}`, key, didYouMean(key, known));
}

/** The same for options that may be left out. */
export function checkOptions(options: unknown, known: readonly string[], name = 'options'): void {
  if (options !== undefined) requireOptions(options, known, name);
}

/** Bounds of what callers ask for, in options, configurations and on the command line alike; docs/limits.md has them. */
export const LIMITS = {
  /** Of the network, or of the decoder. */
  threads: 1024,
  /** Frames of a clip, and pixels of its side: native/video/plan.cpp has the same. */
  frames: 4096,
  side: 8192,
  /** Frames of a video from one frame of a clip to the next: longer than any video that is a file. */
  stride: 1e9,
  /** Windows of one video. */
  windows: 100_000,
  /** Pictures a second. */
  fps: [1e-6, 1000],
  /** Runs of one arm of a claim, or of one cell of a sweep. */
  seeds: 10_000,
  /** Rounds of a benchmark. */
  rounds: 1e6,
} as const;

/** A whole number from `least` to `most`, or an error that names the option. */
export function checkCount(
  name: string,
  value: unknown,
  least = 1,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most)
    return value;
  const bound = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  throw invalidArgument(name, `a whole number ${bound}`, value);
}

/** Pictures a second, or an error that names the option. */
export function checkRate(name: string, value: unknown): number {
  const [least, most] = LIMITS.fps;
  if (typeof value !== 'number' || !(value >= least && value <= most))
    throw invalidArgument(name, `pictures a second, from ${least} to ${most}`, value);
  return value;
}

/** One of `choices`, or an error that names them. */
export function checkOneOf<T extends string | number>(
  name: string,
  value: unknown,
  choices: readonly T[],
): T {
  if (choices.includes(value as T)) return value as T;
  const shown = choices.map((choice) => (typeof choice === 'string' ? `'${choice}'` : String(choice)));
  const expected = [shown.slice(0, -1).join(', '), shown.at(-1)].filter(Boolean).join(' or ');
  throw invalidArgument(name, expected, value);
}

/** Where a network runs: `cuda` is the first GPU, or the one of the rank; `cuda:1` the second. */
export type Device = 'cpu' | 'cuda' | `cuda:${number}`;

/** Where a network is to run. `auto`: on the GPU where there is one that can be used. */
export type DeviceChoice = 'auto' | Device;

export function isDeviceChoice(value: unknown): value is DeviceChoice {
  return typeof value === 'string' && /^(auto|cpu|cuda(:(0|[1-9]\d{0,2}))?)$/.test(value);
}

/** One of them, or an error that names the option. */
export function checkDevice(name: string, value: unknown): DeviceChoice {
  if (isDeviceChoice(value)) return value;
  throw invalidArgument(name, "'auto', 'cpu', 'cuda' or 'cuda:N'", value);
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw invalidArgument(name, 'true or false', value);
  return value;
}

export function checkPositive(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw invalidArgument(name, 'a finite number above 0', value);
}

/** Bytes that this process can have at most: the machine's memory, or what its container allows. */
export function memoryLimit(): number {
  const allowed = process.constrainedMemory?.() ?? 0;
  return allowed > 0 ? Math.min(allowed, totalmem()) : totalmem();
}

/** Bytes that objects of this process can have at most; `node --max-old-space-size` raises it. */
export function heapLimit(): number {
  return getHeapStatistics().heap_size_limit;
}

/** Refuses what no memory of this machine holds, before any is taken: `what` says what needs so much. */
export function checkFits(name: string, what: string, bytes: number, limit = memoryLimit()): void {
  if (bytes <= limit) return;
  const gigabytes = (n: number) => `${Number((n / 2 ** 30).toPrecision(3))} GB`;
  throw invalidArgument(name, `at most the ${gigabytes(limit)} of memory here for ${what}`, gigabytes(bytes));
}

/** Text that is not empty: a path, a specification of data, a name. */
export function checkText(name: string, what: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw invalidArgument(name, what, value);
  return value;
}

/** Throws unless `signal` is undefined or an AbortSignal; throws the reason of one that is aborted already. */
export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  const it = signal as Partial<AbortSignal> | null;
  if (
    typeof it !== 'object' ||
    it === null ||
    typeof it.aborted !== 'boolean' ||
    typeof it.addEventListener !== 'function'
  )
    throw invalidArgument('signal', 'an AbortSignal', signal);
  throwIfAborted(it as AbortSignal);
  return it as AbortSignal;
}

/** Throws the signal's reason once it is aborted, as fetch does. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortReason(signal);
}

/** What an aborted call throws. Signals of some older libraries have no reason. */
export function abortReason(signal: AbortSignal): unknown {
  return signal.reason ?? new VsslError('ERR_VSSL_ABORTED', 'the operation was aborted');
}
