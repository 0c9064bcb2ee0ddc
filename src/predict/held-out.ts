/** Which labelled clips are held out together, so that scores of clips that the classifier never saw can be calibrated. */
import { planFolds } from '../eval/folds.js';

/** Most folds. */
const FOLDS = 5;

export interface HeldOut {
  /** Row numbers; every row of `test` has a class that `train` has as well. */
  readonly folds: readonly { readonly train: readonly number[]; readonly test: readonly number[] }[];
  /** Whether whole groups are held out. */
  readonly byGroup: boolean;
  /** Rows that are held out by no fold: their class has no other clip, or is in no other group. */
  readonly left: readonly number[];
}

/**
 * Folds of the labelled rows: of whole groups where there are groups (clips of one person or place are alike, and a
 * classifier that has seen one is too sure of the next), else by turns within each class. Where groups leave nothing to
 * hold out, since every class is in a group of its own, turns take their place.
 */
export function planHeldOut(labels: Int32Array, groups: readonly (string | undefined)[]): HeldOut {
  if (new Set(groups).size >= 2) {
    const byGroup = narrow(planFolds(groups, FOLDS), labels);
    if (byGroup.folds.length > 0) return { ...byGroup, byGroup: true };
  }
  return { ...narrow(turns(labels), labels), byGroup: false };
}

/** Rows in the order of their classes, dealt out to the folds one by one. */
function turns(labels: Int32Array): HeldOut['folds'] {
  const rows = Array.from(labels.keys()).sort((a, b) => labels[a]! - labels[b]! || a - b);
  const fold = new Map(rows.map((row, turn) => [row, turn % FOLDS]));
  const all = [...labels.keys()];
  return Array.from({ length: FOLDS }, (_, f) => ({
    train: all.filter((row) => fold.get(row) !== f),
    test: all.filter((row) => fold.get(row) === f),
  }));
}

/** Without test rows whose class is not trained, and without folds in which nothing is left. */
function narrow(all: HeldOut['folds'], labels: Int32Array): Pick<HeldOut, 'folds' | 'left'> {
  const folds = all
    .map(({ train, test }) => {
      const known = new Set(train.map((row) => labels[row]));
      return { train, test: test.filter((row) => known.has(labels[row])) };
    })
    .filter(({ train, test }) => test.length > 0 && new Set(train.map((row) => labels[row])).size >= 2);
  const held = new Set(folds.flatMap(({ test }) => test));
  return { folds, left: [...labels.keys()].filter((row) => !held.has(row)) };
}
