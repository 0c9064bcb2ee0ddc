/** The videos that a report shows: some of a data set, evenly spread over it, and their vectors by each run's encoder. */
import { throwIfAborted } from '../checks.js';
import { isRecord } from '../config/raw.js';
import { loadManifest } from '../data/manifest.js';
import type { VideoRow } from '../data/rows.js';
import type { EncoderOptions } from '../embed/encoder-options.js';
import { VideoEncoder } from '../embed/video-encoder.js';
import { isEnvironmentCode, toVsslError, VsslError } from '../errors.js';
import type { FeatureMatrix } from '../eval/feature-matrix.js';
import type { ReadRun } from './read-run.js';

/** Videos, and what every run that has weights makes of them: row i of each matrix is of video i. */
export interface PickedClips {
  readonly rows: readonly VideoRow[];
  readonly vectors: readonly { readonly run: string; readonly features: FeatureMatrix }[];
}

export interface PickOptions extends EncoderOptions {
  /** Default: what the runs were trained on. */
  readonly data?: string | undefined;
  readonly most: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number, what: string) => void) | undefined;
}

/** At least as many are needed to draw a map. */
const LEAST = 3;

/**
 * null, and why in `warnings`, where there is nothing to show: no weights yet, or videos that are not here. Throws what is
 * wrong with data that was asked for by name.
 */
export async function pickClips(
  runs: readonly ReadRun[],
  options: PickOptions,
  warnings: string[],
): Promise<PickedClips | null> {
  const able = runs.filter(({ hasWeights }) => hasWeights);
  for (const { name, hasWeights } of runs)
    if (!hasWeights) warnings.push(`${name} has no weights yet: the first checkpoint writes them`);
  if (able.length === 0 || options.most === 0) return null;
  try {
    const all = (await loadManifest(specOf(able[0]!, options.data))).rows;
    const rows = spread(all, options.most);
    const found = await embedAll(able, rows, options);
    // one of which a run knows nothing is in nobody's map
    const kept = rows.flatMap((_, i) => (found.every(({ vectors }) => vectors[i] !== null) ? [i] : []));
    if (kept.length < rows.length)
      warnings.push(
        `${rows.length - kept.length} of ${rows.length} videos cannot be embedded and are not shown`,
      );
    if (kept.length < LEAST)
      throw new VsslError('ERR_VSSL_NO_USABLE_VIDEO', 'too few videos can be embedded');
    return {
      rows: kept.map((i) => rows[i]!),
      vectors: found.map(({ run, vectors }) => ({ run, features: matrixOf(kept.map((i) => vectors[i]!)) })),
    };
  } catch (error) {
    throwIfAborted(options.signal);
    if (options.data !== undefined) throw error;
    warnings.push(`no map of clips: ${toVsslError(error).message}; --data names the videos to show`);
    return null;
  }
}

function specOf({ config }: ReadRun, data: string | undefined): string {
  if (data !== undefined) return data;
  const path = isRecord(config.data) ? config.data.path : null;
  if (typeof path === 'string') return path;
  throw new VsslError('ERR_VSSL_DATA', 'the run does not say what it was trained on');
}

/** `most` of a list, evenly spread: lists stand in the order of their classes. */
export function spread<T>(all: readonly T[], most: number): readonly T[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, i) => all[Math.floor((i * all.length) / most)]!);
}

async function embedAll(
  runs: readonly ReadRun[],
  rows: readonly VideoRow[],
  { device, threads, precision, signal, onProgress }: PickOptions,
) {
  const found: { run: string; vectors: (Float32Array | null)[] }[] = [];
  for (const [r, { name, folder }] of runs.entries()) {
    const encoder = await VideoEncoder.load(folder, { device, threads, precision });
    try {
      const vectors: (Float32Array | null)[] = rows.map(() => null);
      for await (const result of encoder.embedRows(rows, { clips: 1, signal })) {
        if ('error' in result && isEnvironmentCode(result.error.code)) throw result.error;
        if (!('error' in result)) vectors[result.index] = result.vectors[0]!;
        onProgress?.(r * rows.length + result.index + 1, runs.length * rows.length, 'embedding');
      }
      found.push({ run: name, vectors });
    } finally {
      await encoder.dispose();
    }
  }
  return found;
}

function matrixOf(vectors: readonly Float32Array[]): FeatureMatrix {
  const dim = vectors[0]!.length;
  const data = new Float32Array(vectors.length * dim);
  for (const [i, vector] of vectors.entries()) data.set(vector, i * dim);
  return { data, rows: vectors.length, dim };
}
