/** What tests an encoder, where little is said of it. */
import { heldOutSpec, loadManifest } from '../data/manifest.js';
import { VsslError } from '../errors.js';
import type { DataOptions } from './evaluation-data.js';

/**
 * What trains and what tests the probes of an encoder that was trained on `data`: two sets, or one with folds. Where
 * nothing is said: the test set that a named source keeps, or folds by the manifest's groups. Throws ERR_VSSL_USAGE.
 */
export async function chooseTestData({
  data,
  test,
  folds,
}: {
  readonly data: string;
  /** Labelled test videos. */
  readonly test?: string;
  /** Column, or COLUMN:K, whose values are held out in turn instead. */
  readonly folds?: string;
}): Promise<DataOptions> {
  if (test !== undefined && folds !== undefined)
    throw new VsslError('ERR_VSSL_USAGE', 'expected test or folds, not both');
  if (folds !== undefined) return { data, folds };
  const held = test ?? heldOutSpec(data);
  if (held !== null) return { train: data, test: held };
  const { rows } = await loadManifest(data);
  const groups = new Set(rows.map((row) => row.group).filter((group) => group !== undefined));
  if (groups.size >= 2) return { data, folds: groups.size > 5 ? 'group:5' : 'group' };
  throw new VsslError(
    'ERR_VSSL_USAGE',
    `'${data}' says nothing of what tests: give --test PATH, or --folds COLUMN, or a manifest with a column 'group'`,
  );
}
