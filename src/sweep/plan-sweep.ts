/** What a sweep trains: the whole configuration of each cell, checked before anything is trained. */
import { join } from 'node:path';
import { otherUnit, type RawConfig } from '../config/raw.js';
import type { ResolvedConfig } from '../config/schema.js';
import { configError } from '../errors.js';
import { loadCell } from '../methods/config.js';
import { absoluteSpec } from '../train/absolute-spec.js';
import { type Cell, cellsOf, type Grid, textOf } from './grid.js';

/** Keys that say which configuration the others are laid over. */
const ROOTS = ['preset', 'method'];

export interface SweepSource {
  readonly config?: RawConfig | undefined;
  readonly file?: string | undefined;
  readonly preset?: string | undefined;
  readonly set?: readonly string[] | undefined;
}

export interface PlannedCell extends Cell {
  readonly folder: string;
  /** Seed and run folder are those of the first seed. */
  readonly config: ResolvedConfig;
}

export interface SweepPlan {
  readonly cells: readonly PlannedCell[];
  /**
   * What the cells are laid over, without what they vary; one for each preset or method where those are varied, else ''.
   */
  readonly bases: Readonly<Record<string, RawConfig>>;
}

/**
 * Throws ERR_VSSL_CONFIG naming the key, with the nearest valid one: of the grid, of the base, and of a value that goes
 * with no other one; and when two cells come to the same configuration.
 */
export function planSweep(source: SweepSource, grid: Grid, data: string | undefined, out: string): SweepPlan {
  const wanted = cellsOf(grid);
  const settle = (cell: Cell['values']): ResolvedConfig => {
    const config = loadCell({ ...source, cell });
    const path = data ?? config.data.path;
    if (!path) throw configError('data.path', 'is missing: say where the videos are (--data PATH)');
    return { ...config, data: { ...config.data, path: absoluteSpec(path) } };
  };
  if (data !== undefined && grid['data.path'] !== undefined)
    throw configError(
      'data.path',
      'is varied by the grid and given as data (--data) as well; give one of them',
    );
  const bases: Record<string, RawConfig> = {};
  const cells = wanted.map((cell): PlannedCell => {
    const config = settle(cell.values);
    const roots = Object.entries(cell.values).filter(([key]) => ROOTS.includes(key));
    const base = roots.map(([key, value]) => `${key}=${textOf(value)}`).join(',');
    bases[base] ??= baseOf(config, cell.values);
    return { ...cell, folder: join(out, cell.name), config };
  });
  checkDifferent(cells);
  return { cells, bases };
}

/** All that the grid does not vary. */
function baseOf(config: ResolvedConfig, values: Cell['values']): RawConfig {
  const { out: _out, train, ...rest } = config;
  const { seed: _seed, ...training } = train;
  const base: Record<string, unknown> = structuredClone({ ...rest, train: training });
  for (const key of Object.keys(values)) {
    remove(base, key.split('.'));
    // the same in the other unit: null where this one is set
    const other = otherUnit(key);
    if (other !== undefined) remove(base, other.split('.'));
  }
  return base;
}

function remove(from: unknown, [first, ...others]: readonly string[]): void {
  if (typeof from !== 'object' || from === null || first === undefined) return;
  const holder = from as Record<string, unknown>;
  if (others.length === 0) delete holder[first];
  else remove(holder[first], others);
}

/** Two that differ in nothing would be trained twice under two names. */
function checkDifferent(cells: readonly PlannedCell[]): void {
  const known = new Map<string, string>();
  for (const { name, config } of cells) {
    const text = JSON.stringify(config);
    const before = known.get(text);
    if (before !== undefined)
      throw configError(
        Object.keys(cells[0]!.values)[0] ?? 'grid',
        `'${before}' and '${name}' come to the same configuration; leave one of the two values out`,
      );
    known.set(text, name);
  }
}
