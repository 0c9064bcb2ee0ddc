/** What a classifier says of the rows of a data set, as lines of a list. */
import { throwIfAborted } from '../checks.js';
import type { VideoRow } from '../data/rows.js';
import type { FeatureMatrix } from '../eval/feature-matrix.js';
import { type Calibration, scoreConfidences } from './calibration.js';
import type { ClassifierModel } from './classifier-file.js';
import type { EmbeddedRows } from './embed-rows.js';
import { scoreRows } from './heads.js';
import { describePrediction } from './prediction.js';
import type { PredictedVideo } from './predictions-file.js';
import { suggestRows } from './suggest.js';

/** A clip to label next. */
export interface Suggestion {
  readonly id: string;
  readonly path: string;
  /** What it would be without being asked for, and the chance that this is right. */
  readonly guess: string;
  readonly confidence: number;
}

/**
 * A line for each row. `byHand`: labels that are given. `open`: numbers of the other rows, which `embedded` is of. Throws the
 * reason of an aborted signal.
 */
export async function labelVideos(
  rows: readonly VideoRow[],
  byHand: readonly (string | undefined)[],
  open: readonly number[],
  { features, kept, failures }: EmbeddedRows,
  { classes, head, temperature }: ClassifierModel,
  minConfidence: number,
  signal?: AbortSignal,
): Promise<PredictedVideo[]> {
  const scores = await scoreRows(head, features, signal);
  throwIfAborted(signal);
  const said = new Map<number, Omit<PredictedVideo, 'id' | 'path'>>();
  for (const [place, item] of kept.entries()) {
    const own = scores.subarray(place * classes.length, (place + 1) * classes.length);
    const prediction = describePrediction(classes, own, temperature, minConfidence);
    said.set(open[item]!, { ...prediction, by: prediction.label === null ? null : 'model' });
  }
  const nothing = { label: null, by: null, guess: null, confidence: null, probabilities: null } as const;
  for (const { row, error } of failures) said.set(open[row]!, { ...nothing, reason: error.message });
  return rows.map((row, i) => {
    const label = byHand[i];
    const given =
      label === undefined
        ? said.get(i)!
        : { ...nothing, label, by: 'hand' as const, guess: label, confidence: 1 };
    return { ...placeOf(row), ...given };
  });
}

function placeOf({ id, path, start, end, group }: VideoRow) {
  return {
    ...{ id, path },
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
    ...(group === undefined ? {} : { group }),
  };
}

/** The clips to label next, with the numbers of their rows. */
export async function namedSuggestions(
  videos: readonly PredictedVideo[],
  open: readonly number[],
  { features, kept }: EmbeddedRows,
  labelled: FeatureMatrix,
  count: number,
  signal?: AbortSignal,
): Promise<(Suggestion & { readonly row: number })[]> {
  const rows = kept.map((item) => open[item]!);
  const doubts = rows.map((row) => 1 - videos[row]!.confidence!);
  const places = await suggestRows(features, doubts, labelled, count, signal);
  return places.map((place) => {
    const row = rows[place]!;
    const { id, path, guess, confidence } = videos[row]!;
    return { row, id, path, guess: guess!, confidence: confidence! };
  });
}

/** The predictions beside the labels that the data has itself, where those are classes of the classifier. */
export function scoreKnown(
  rows: readonly VideoRow[],
  videos: readonly PredictedVideo[],
  classes: readonly string[],
): Calibration | null {
  const known = videos.flatMap(({ by, guess, confidence }, row) => {
    const { label } = rows[row]!;
    if (by === 'hand' || guess === null || label === undefined || !classes.includes(label)) return [];
    return [{ confidence: confidence!, right: guess === label }];
  });
  return known.length === 0 ? null : scoreConfidences(known);
}
