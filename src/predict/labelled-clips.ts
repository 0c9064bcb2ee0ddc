/** The clips that have labels: what they have to be for a classifier to be made of them. */
import { basename } from 'node:path';
import { loadManifest } from '../data/manifest.js';
import { listLabels, type VideoRow } from '../data/rows.js';
import { sourceKey } from '../data/source-key.js';
import { VsslError } from '../errors.js';
import { type FeatureMatrix, selectRows } from '../eval/feature-matrix.js';
import type { EmbeddedRows } from './embed-rows.js';

export interface LabelledClips {
  /** What they were loaded from. */
  readonly spec: string;
  /** Each with a label. */
  readonly rows: readonly VideoRow[];
  readonly warnings: readonly string[];
}

/** The same for rows of two lists that are one clip. */
export function clipKey({ source, start, end }: VideoRow): string {
  return JSON.stringify([sourceKey(source), start, end]);
}

/**
 * The labelled clips of a manifest or of class folders; others in it are passed over. Throws ERR_VSSL_DATA when no classifier
 * can come of them: no labels, one class, a class with one clip.
 */
export async function loadLabelledClips(spec: string, signal?: AbortSignal): Promise<LabelledClips> {
  const { rows: all, warnings } = await loadManifest(spec, { signal });
  const rows = all.filter(({ label }) => label !== undefined);
  const classes = listLabels(rows);
  if (classes.length === 0)
    throw wrong(
      spec,
      `${spec} has no labels: give a manifest with a 'label' column, or a folder with a folder of clips for each class`,
    );
  if (classes.length === 1)
    throw wrong(
      spec,
      `all ${rows.length} labelled clips of ${spec} are '${classes[0]}': a classifier tells two classes apart at least. Label clips of what else there is, if only as 'other'`,
    );
  const single = classes.filter((name) => rows.filter(({ label }) => label === name).length === 1);
  if (single.length > 0)
    throw wrong(
      spec,
      `${single.length === 1 ? 'the class' : 'the classes'} ${single.map((name) => `'${name}'`).join(', ')} of ${spec} ${single.length === 1 ? 'has' : 'have'} one labelled clip: confidences are calibrated on clips that are held out, which needs two a class. Label another one, or take the class out of the list`,
    );
  return { spec, rows, warnings };
}

/** Labelled clips that have a vector. */
export interface UsableClips {
  readonly features: FeatureMatrix;
  /** Names of the classes that have a clip, sorted. */
  readonly classes: readonly string[];
  /** Class of each row of features. */
  readonly labels: Int32Array;
  readonly groups: readonly (string | undefined)[];
  readonly warnings: readonly string[];
}

/**
 * The clips that could be embedded, which may be fewer than there were. Throws ERR_VSSL_DATA when none is left, or clips of
 * one class alone; `data` is where a path that is not there might have been meant.
 */
export function usableClips(
  { spec, rows: all }: LabelledClips,
  { features, kept, failures }: EmbeddedRows,
  data: readonly VideoRow[],
): UsableClips {
  const rows = kept.map((row) => all[row]!);
  if (rows.length === 0) {
    const first = `the first: ${failures[0]!.error.message}`;
    const meant = data.find((row) => basename(row.path) === basename(all[0]!.path));
    const hint = meant
      ? `. Paths in a list are taken from the folder of the list; the data has that name at ${meant.path}`
      : '. Paths in a list are taken from the folder of the list';
    throw wrong(spec, `none of the ${all.length} labelled clips of ${spec} can be used; ${first}${hint}`);
  }
  const classes = listLabels(rows);
  const lost = listLabels(all).filter((name) => !classes.includes(name));
  if (classes.length === 1)
    throw wrong(
      spec,
      `clips of the class '${classes[0]}' alone can be used of ${spec}, and a classifier tells two apart at least; the first of the others: ${failures[0]!.error.message}`,
    );
  return {
    features: selectRows(features, [...kept.keys()]),
    classes,
    labels: Int32Array.from(rows, ({ label }) => classes.indexOf(label!)),
    groups: rows.map(({ group }) => group),
    warnings: lost.map(
      (name) => `no labelled clip of the class '${name}' can be used: nothing will be told to be one`,
    ),
  };
}

function wrong(spec: string, message: string): VsslError {
  return new VsslError('ERR_VSSL_DATA', message, { details: { train: spec } });
}
