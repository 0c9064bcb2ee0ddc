/** The cells of a grid: every combination of its values, each with a name that is a folder. */
import { createHash } from 'node:crypto';
import { requireOptions } from '../checks.js';
import { configError, invalidArgument } from '../errors.js';

/** Values that each key takes in turn, such as `{ 'train.optimizer.lr': [1e-3, 3e-3] }`. */
export type Grid = Readonly<Record<string, readonly unknown[]>>;

export interface Cell {
  /**
   * `KEY=VALUE,KEY=VALUE` by the order of the keys' letters: the same for the same values. `base` where nothing varies.
   */
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Names of files may have 255 bytes; a seed and temporary files stand below. */
const LONGEST_NAME = 180;

/** What a sweep sets itself. */
const TAKEN: Readonly<Record<string, string>> = {
  'train.seed': 'is set by the sweep: say how many with seeds (--seeds N)',
  out: 'is set by the sweep: each cell has a folder of its own',
  formatVersion: 'is no setting',
};

/** Throws ERR_VSSL_INVALID_ARGUMENT for what is no grid, ERR_VSSL_CONFIG for keys and values that cannot vary. */
export function cellsOf(grid: Grid): Cell[] {
  requireOptions(grid, Object.keys(grid ?? {}), 'grid');
  const keys = Object.keys(grid).sort();
  let cells: Readonly<Record<string, unknown>>[] = [{}];
  for (const key of keys) {
    const values = grid[key];
    if (!Array.isArray(values) || values.length === 0)
      throw invalidArgument(`grid['${key}']`, 'a list of values', values);
    if (TAKEN[key] !== undefined) throw configError(key, TAKEN[key]);
    const texts = values.map(textOf);
    const twice = texts.find((text, i) => texts.indexOf(text) < i);
    if (twice !== undefined) throw configError(key, `the grid has the value ${twice} twice`);
    cells = cells.flatMap((cell) => values.map((value) => ({ ...cell, [key]: value })));
  }
  return cells.map((values) => ({ name: nameOf(values), values }));
}

function nameOf(values: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(values).map(([key, value]) => `${key}=${fileName(textOf(value))}`);
  const name = parts.length === 0 ? 'base' : parts.join(',');
  if (Buffer.byteLength(name) <= LONGEST_NAME) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 10);
  return `${name.slice(0, LONGEST_NAME - digest.length - 1)}-${digest}`;
}

/** As a configuration would have it: a text without its quotes. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Without what a file system, or the list of a cell's values, could take for something else; ASCII. */
function fileName(text: string): string {
  const bytes = [...Buffer.from(text)].map((byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9._+[\]-]/.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  });
  return bytes.join('');
}
