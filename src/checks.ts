/**
 * What arguments are asked before any work. Nothing here goes by `instanceof`: arrays, errors and signals made in another
 * realm (a vm context, a test runner's sandbox) are as good as this one's.
 */
import { types } from 'node:util';
import { invalidArgument, VsslError } from './errors.js';
import { didYouMean } from './nearest.js';

export const { isFloat32Array, isUint8Array } = types;

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

/** A whole number of at least `least`, or an error that names the option. */
export function checkCount(name: string, value: unknown, least = 1): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least)
    throw invalidArgument(name, `a whole number of at least ${least}`, value);
  return value;
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
