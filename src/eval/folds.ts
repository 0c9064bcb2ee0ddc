/** Which videos train and which are tested, when one labelled set has to serve for both. */
import { VsslError } from '../errors.js';

export interface Fold {
  /** Name of the group, or groups, held out. */
  readonly name: string;
  /** Row numbers. */
  readonly train: readonly number[];
  readonly test: readonly number[];
}

/** Folds by the values of a manifest column. */
export interface FoldSpec {
  readonly column: string;
  /** Folds of about equal size, made of whole groups; null: every group is held out once. */
  readonly count: number | null;
}

/** Reads `COLUMN` or `COLUMN:K`, such as `group` and `group:5`. Throws ERR_VSSL_USAGE. */
export function parseFoldSpec(text: string): FoldSpec {
  const [, column, count] = /^([^:]+)(?::(\d+))?$/.exec(text) ?? [];
  if (column !== undefined && (count === undefined || Number(count) >= 2))
    return { column, count: count === undefined ? null : Number(count) };
  throw new VsslError(
    'ERR_VSSL_USAGE',
    `expected a column such as 'group' (each of its values held out once), or 'group:5' (5 folds of whole groups; at least 2) for folds but received '${text}'`,
  );
}

/**
 * Folds by group. A row without a group is a group of its own. Groups go largest first into the smallest fold, ties
 * by name, so that the same rows always give the same folds. Throws ERR_VSSL_DATA when there are fewer than 2 groups.
 */
export function planFolds(groups: readonly (string | undefined)[], count: number | null): Fold[] {
  const rowsOf = new Map<string, number[]>();
  groups.forEach((group, row) => {
    const key = group ?? `row ${row}`;
    const rows = rowsOf.get(key);
    if (rows) rows.push(row);
    else rowsOf.set(key, [row]);
  });
  if (rowsOf.size < 2)
    throw new VsslError(
      'ERR_VSSL_DATA',
      `folds need at least 2 groups, the data has ${rowsOf.size}: add a 'group' column to the manifest, or give a test set of its own (--test)`,
    );
  const bins = Array.from({ length: Math.min(count ?? rowsOf.size, rowsOf.size) }, () => ({
    names: [] as string[],
    rows: [] as number[],
  }));
  const ordered = [...rowsOf].sort((a, b) => b[1].length - a[1].length || compareText(a[0], b[0]));
  for (const [name, rows] of ordered) {
    const bin = bins.reduce((least, candidate) =>
      candidate.rows.length < least.rows.length ? candidate : least,
    );
    bin.names.push(name);
    bin.rows.push(...rows);
  }
  const folds = bins.map(({ names, rows }) => {
    const held = new Set(rows);
    return {
      name: [...names].sort(compareText).join(','),
      train: groups.map((_, row) => row).filter((row) => !held.has(row)),
      test: [...held].sort((a, b) => a - b),
    };
  });
  return folds.sort((a, b) => compareText(a.name, b.name));
}

/** By code unit: the same on every machine, whatever its locale. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** At most `most` of the items, evenly chosen. */
export function spread<T>(items: readonly T[], most: number): T[] {
  const step = Math.max(1, items.length / most);
  return Array.from({ length: Math.min(items.length, most) }, (_, i) => items[Math.floor(i * step)]!);
}
