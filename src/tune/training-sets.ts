/** What each split trains on, as something that a run can name: folds become filters of the data. */
import { cellOf } from '../data/rows.js';
import { VsslError } from '../errors.js';
import type { DataOptions, EvaluationData } from '../eval/evaluation-data.js';
import { type Fold, parseFoldSpec } from '../eval/folds.js';
import { absoluteSpec } from '../train/absolute-spec.js';

export interface TrainingSet {
  readonly split: Fold;
  /** Folder or manifest, narrowed to the labelled training videos of the split. */
  readonly spec: string;
  /** Its labels, sorted: class i of the run is labels[i]. */
  readonly labels: readonly string[];
}

/** Throws ERR_VSSL_USAGE where the folds cannot be told by a filter. */
export function trainingSets(options: DataOptions, data: EvaluationData): TrainingSet[] {
  return data.splits.map((split) => {
    const rows = split.train.map((row) => data.rows[row]!);
    const labels = [...new Set(rows.map(({ label }) => label))].filter((label) => label !== undefined).sort();
    const filters: string[] = [];
    let path = options.train;
    if (options.data !== undefined) {
      const { column } = parseFoldSpec(options.folds!);
      const values = rows.map((row) => cellOf(row, column));
      if (values.includes(undefined))
        throw new VsslError(
          'ERR_VSSL_USAGE',
          `folds by '${column}' need a value in each row where a network is trained: give the other rows one, or two sets (train and test)`,
        );
      path = options.data;
      filters.push(filterOf(column, values as string[]));
    }
    if (rows.some(({ label }) => label === undefined)) filters.push('label=?*');
    return { split, spec: narrowed(absoluteSpec(path!), filters), labels };
  });
}

function narrowed(spec: string, filters: readonly string[]): string {
  if (filters.length === 0) return spec;
  return `${spec}${spec.includes('?') ? '&' : '?'}${filters.join('&')}`;
}

/** `column=a,b`: the values as they are, with what a filter reads as signs hidden. */
function filterOf(column: string, values: readonly string[]): string {
  const different = [...new Set(values)].sort();
  const special = different.find((value) => /[*?]/.test(value));
  if (special !== undefined)
    throw new VsslError(
      'ERR_VSSL_USAGE',
      `folds by '${column}' are told by a filter, and its value '${special}' would be read as a pattern: rename it, or give two sets (train and test)`,
    );
  return `${encodeURIComponent(column)}=${different.map(encodeURIComponent).join(',')}`;
}
