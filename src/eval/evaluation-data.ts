/** The videos of an evaluation, their classes, and which of them train and which are tested. */
import { loadManifest } from '../data/manifest.js';
import { cellOf, listLabels, type Manifest, type VideoRow } from '../data/rows.js';
import { sourceKey } from '../data/source-key.js';
import { VsslError } from '../errors.js';
import { didYouMean } from '../spelling.js';
import { type Fold, parseFoldSpec, planFolds } from './folds.js';

/** Where the videos come from: two sets, or one with folds, or (for instance retrieval) one alone. */
export interface DataOptions {
  /** Folder or manifest of the labelled training (gallery) videos; needs `test`. */
  readonly train?: string;
  /** Folder or manifest of the test (query) videos. */
  readonly test?: string;
  /** One folder or manifest for both. */
  readonly data?: string;
  /** Column whose values are held out in turn (`group`), or `COLUMN:K` for K folds of whole groups; with `data`. */
  readonly folds?: string;
}

export interface EvaluationData {
  readonly rows: readonly VideoRow[];
  /** Names of the classes, sorted; class numbers are places in it. */
  readonly labels: readonly string[];
  /** Class of each row. -1: no label. */
  readonly classes: Int32Array;
  /**
   * For each class the name that it shares with those which an augmentation makes one with it (a flip turns right into
   * left); null when the data has no column `merged`.
   */
  readonly merged: readonly string[] | null;
  /** How the rows are split; empty for one set without folds. */
  readonly splits: readonly Fold[];
  /** Rows whose statistics the baseline may see: the training set's, or all when folds make every row both. */
  readonly trainRows: readonly number[];
  readonly warnings: readonly string[];
}

/** Loads the data of an evaluation. Throws ERR_VSSL_USAGE for a wrong combination and what loadManifest throws. */
export async function loadEvaluationData(
  options: DataOptions & { readonly signal?: AbortSignal | undefined },
): Promise<EvaluationData> {
  const { train, test, data, folds, signal } = options;
  if (data !== undefined) {
    if (train !== undefined || test !== undefined) throw usage('data stands alone: leave out train and test');
    const manifest = await loadManifest(data, { signal });
    const groups = folds === undefined ? undefined : parseFoldSpec(folds);
    const splits = groups ? planFolds(columnOf(manifest.rows, groups.column), groups.count) : [];
    return assemble(manifest.rows, splits, all(manifest.rows.length), [...manifest.warnings]);
  }
  if (train === undefined || test === undefined)
    throw usage(
      'expected train and test (two sets), or data with folds (one set, its groups held out in turn)',
    );
  if (folds !== undefined) throw usage('folds split one set: give it as data, not as train and test');
  const [a, b] = await Promise.all([loadManifest(train, { signal }), loadManifest(test, { signal })]);
  const rows = [...a.rows, ...b.rows];
  const trainRows = all(a.rows.length);
  const split = { name: 'test', train: trainRows, test: all(rows.length).slice(a.rows.length) };
  return assemble(rows, [split], trainRows, [...a.warnings, ...b.warnings, ...sharedVideos(a, b)]);
}

function assemble(
  rows: readonly VideoRow[],
  splits: readonly Fold[],
  trainRows: readonly number[],
  warnings: string[],
): EvaluationData {
  const labels = listLabels(rows);
  const number = new Map(labels.map((label, i) => [label, i]));
  const classes = Int32Array.from(rows, (row) => (row.label === undefined ? -1 : number.get(row.label)!));
  return { rows, labels, classes, merged: mergedLabels(rows, labels), splits, trainRows, warnings };
}

/** The column `merged` as a property of classes. Throws ERR_VSSL_DATA when two rows of a class disagree. */
function mergedLabels(rows: readonly VideoRow[], labels: readonly string[]): string[] | null {
  const found = new Map<string, string>();
  for (const { label, extra } of rows) {
    const { merged } = extra;
    if (label === undefined || merged === undefined || merged === null || merged === '') continue;
    const before = found.get(label);
    if (before !== undefined && before !== String(merged))
      throw new VsslError(
        'ERR_VSSL_DATA',
        `the column 'merged' says '${before}' for one video of '${label}' and '${String(merged)}' for another; expected one name for each label`,
      );
    found.set(label, String(merged));
  }
  return found.size === 0 ? null : labels.map((label) => found.get(label) ?? label);
}

/**
 * Numbers of the rows that have a label. Throws ERR_VSSL_DATA when there is none, or none on one side of every split, and
 * ERR_VSSL_USAGE when nothing is split.
 */
export function labelledRows({ classes, splits }: EvaluationData): number[] {
  const rows = Array.from(classes.keys()).filter((row) => classes[row]! >= 0);
  const advice = "put the videos into class folders, or give a manifest with a 'label' column";
  if (rows.length === 0) throw new VsslError('ERR_VSSL_DATA', `the videos have no labels: ${advice}`);
  if (splits.length === 0)
    throw usage("one set has to be split: add folds (such as 'group'), or give train and test");
  if (narrowSplits(splits, rows).length === 0)
    throw new VsslError(
      'ERR_VSSL_DATA',
      `the videos that train the probe, or those that test it, have no labels: ${advice}`,
    );
  return rows;
}

/** Splits without rows that have no label or could not be used, renumbered into the kept rows. */
export function narrowSplits(splits: readonly Fold[], kept: readonly number[]): Fold[] {
  const place = new Map(kept.map((row, i) => [row, i]));
  const narrow = (rows: readonly number[]) => rows.flatMap((row) => place.get(row) ?? []);
  return splits
    .map(({ name, train, test }) => ({ name, train: narrow(train), test: narrow(test) }))
    .filter(({ train, test }) => train.length > 0 && test.length > 0);
}

/** Throws ERR_VSSL_USAGE when no row has a value there. */
function columnOf(rows: readonly VideoRow[], column: string): (string | undefined)[] {
  const values = rows.map((row) => cellOf(row, column));
  if (values.some((value) => value !== undefined)) return values;
  const named = [...new Set(['group', 'label', ...rows.flatMap(({ extra }) => Object.keys(extra))])];
  const filled = named.filter((name) => rows.some((row) => cellOf(row, name) !== undefined));
  const there = filled.length === 0 ? 'it has none' : `there are ${filled.join(', ')}`;
  throw usage(
    `the data has no column '${column}' to make folds of; ${there} (a test set of its own, --test, needs no folds)${didYouMean(column, filled)}`,
  );
}

function sharedVideos(a: Manifest, b: Manifest): string[] {
  const key = ({ source, start, end }: VideoRow) => JSON.stringify([sourceKey(source), start, end]);
  const known = new Set(a.rows.map(key));
  const shared = b.rows.filter((row) => known.has(key(row))).length;
  return shared > 0 ? [`${shared} test videos are training videos too: the result is too good`] : [];
}

function all(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function usage(message: string): VsslError {
  return new VsslError('ERR_VSSL_USAGE', message);
}
