import { invalidArgument } from '../errors.js';

/** Refuses an options object with a key that is not known, before any work. */
export function checkOptions(options: unknown, known: readonly string[], name = 'options'): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null) throw invalidArgument(name, 'an object', options);
  for (const key of Object.keys(options))
    if (!known.includes(key)) throw invalidArgument(name, `only the options ${known.join(', ')}`, key);
}

/** A whole number of at least `least`, or an error that names the option. */
export function checkCount(name: string, value: unknown, least = 1): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least)
    throw invalidArgument(name, `a whole number of at least ${least}`, value);
  return value;
}
