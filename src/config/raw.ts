import { configError } from '../errors.js';

/** An unchecked configuration: what a YAML or JSON file, a preset or a --set option says. */
export type RawConfig = { readonly [key: string]: unknown };

/** One source of settings; later layers win. */
export interface ConfigLayer {
  /** For messages: "preset 'cvrl'", "run.yaml", "--set". */
  readonly origin: string;
  readonly value: RawConfig;
  /** Whether options of a method that is not the chosen one are dropped (presets) or errors (all else). */
  readonly dropOtherMethods: boolean;
}

/** Settings that say the same thing in two units: setting one in a later layer clears the other. */
const EXCLUSIVE: readonly (readonly [section: string, a: string, b: string])[] = [
  ['train', 'epochs', 'steps'],
  ['train.schedule', 'warmupEpochs', 'warmupSteps'],
];

/** The key that says the same as this one in another unit; undefined where there is none. */
export function otherUnit(key: string): string | undefined {
  for (const [section, a, b] of EXCLUSIVE) {
    if (key === `${section}.${a}`) return `${section}.${b}`;
    if (key === `${section}.${b}`) return `${section}.${a}`;
  }
  return undefined;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `over` on top of `base`: objects are merged key by key, everything else (arrays too) is replaced. */
export function mergeRaw(base: RawConfig, over: RawConfig, section = ''): RawConfig {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    const path = section === '' ? key : `${section}.${key}`;
    // Assigned below, it would be no key but the object's prototype, and slip by the check for unknown keys.
    if (key === '__proto__') throw configError(path, 'unknown key');
    if (isRecord(value)) merged[key] = mergeRaw(isRecord(below) ? below : {}, value, path);
    else merged[key] = value;
  }
  for (const [where, a, b] of EXCLUSIVE) {
    if (where !== section) continue;
    const hasA = isSet(over[a]);
    const hasB = isSet(over[b]);
    if (hasA && hasB)
      throw configError(`${where}.${a}`, `give either '${where}.${a}' or '${where}.${b}', not both`);
    if (hasA) merged[b] = null;
    if (hasB) merged[a] = null;
  }
  return merged;
}

/** The value at a path, or undefined. */
export function readRaw(config: unknown, path: readonly PropertyKey[]): unknown {
  let value = config;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** `[['a', 'b'], 1]` as `{ a: { b: 1 } }`. */
export function nestRaw(path: readonly string[], value: unknown): RawConfig {
  return path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as RawConfig;
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}
