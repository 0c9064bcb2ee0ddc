/** Keys in which the arms' configurations, and what they ran on, are not all alike. */
import { isRecord, type RawConfig } from '../config/raw.js';
import { type Arm, withoutSeed } from './read-arms.js';
import type { DifferentKey } from './result.js';

/** Of what a run records: what says nothing of how it came out. */
const RECORDS = ['started', 'command', 'totalSteps', 'hardware.host', 'hardware.memoryBytes'];

export function differentSettings(arms: readonly Arm[]): DifferentKey[] {
  const several = arms.some(({ runs }) => runs.length > 1);
  return differentKeys(
    arms.map(({ runs }) => {
      const config = runs[0]?.config ?? null;
      if (!config) return null;
      // seeds of one arm differ by their seed; of single runs it tells why they differ
      if (several) return withoutSeed(config);
      const { out: _out, ...rest } = config;
      return rest;
    }),
  );
}

export function differentEnvironments(arms: readonly Arm[]): DifferentKey[] {
  const found = differentKeys(arms.map(({ runs }) => runs[0]?.environment ?? null));
  return found.filter(({ key }) => !RECORDS.includes(key));
}

/** Of configurations, null being one that is not known. */
function differentKeys(configs: readonly (RawConfig | null)[]): DifferentKey[] {
  const flat = configs.map((config) => config && leavesOf(config));
  const keys = new Set(flat.flatMap((leaves) => [...(leaves?.keys() ?? [])]));
  return [...keys].sort().flatMap((key) => {
    const known = flat.filter((leaves) => leaves !== null);
    const texts = new Set(known.map((leaves) => JSON.stringify(leaves.get(key))));
    if (texts.size < 2) return [];
    return [{ key, values: flat.map((leaves) => (leaves === null ? null : leaves.get(key))) }];
  });
}

/** Every value that is no section, by its whole key; a list is one value. */
function leavesOf(config: RawConfig, prefix = ''): Map<string, unknown> {
  const leaves = new Map<string, unknown>();
  for (const [name, value] of Object.entries(config)) {
    const key = prefix === '' ? name : `${prefix}.${name}`;
    if (isRecord(value)) for (const [inner, leaf] of leavesOf(value, key)) leaves.set(inner, leaf);
    else leaves.set(key, value);
  }
  return leaves;
}
