import { isRecord } from './raw.js';

/** One key in which two configurations differ. */
export interface ConfigDifference {
  readonly key: string;
  readonly a: unknown;
  readonly b: unknown;
}

/** Every key whose value differs; lists are compared as a whole. */
export function diffConfigs(a: unknown, b: unknown, key = ''): ConfigDifference[] {
  if (!isRecord(a) || !isRecord(b)) {
    return JSON.stringify(a) === JSON.stringify(b) ? [] : [{ key, a, b }];
  }
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return keys.flatMap((k) => diffConfigs(a[k], b[k], key === '' ? k : `${key}.${k}`));
}
