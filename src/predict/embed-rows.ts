import type { VideoRow } from '../data/rows.js';
import type { EmbedOptions } from '../embed/encoder-options.js';
import { type DamagedVideo, warnOfLostClips } from '../embed/unusable.js';
import type { VideoEncoder } from '../embed/video-encoder.js';
import { isEnvironmentCode, VsslError } from '../errors.js';
import type { FeatureMatrix } from '../eval/feature-matrix.js';

export interface EmbeddedRows {
  /** A row for each of `kept`. */
  readonly features: FeatureMatrix;
  /** Numbers of the rows that have a vector, ascending. */
  readonly kept: readonly number[];
  /** Those that have none. */
  readonly failures: readonly { readonly row: number; readonly error: VsslError }[];
  readonly warnings: readonly string[];
}

/** Vectors of the rows of a data set; what cannot be used is listed and takes nothing else with it. */
export async function embedRows(
  encoder: VideoEncoder,
  rows: readonly VideoRow[],
  options: EmbedOptions,
  onDone: () => void,
): Promise<EmbeddedRows> {
  const { dim } = encoder;
  const kept: number[] = [];
  const failures: { row: number; error: VsslError }[] = [];
  const damaged: DamagedVideo[] = [];
  const data = new Float32Array(rows.length * dim);
  for await (const result of encoder.embedRows(rows, options)) {
    const { index, item } = result;
    if ('error' in result) {
      if (isEnvironmentCode(result.error.code)) throw result.error;
      failures.push({ row: index, error: result.error });
    } else if (result.vectors[0]!.every(Number.isFinite)) {
      data.set(result.vectors[0]!, kept.length * dim);
      kept.push(index);
      if (result.lostClips > 0) damaged.push({ path: item.path, lostClips: result.lostClips });
    } else {
      failures.push({ row: index, error: notFinite(item.path) });
    }
    onDone();
  }
  const features = { data: data.subarray(0, kept.length * dim), rows: kept.length, dim };
  return { features, kept, failures, warnings: warnOfLostClips(damaged) };
}

function notFinite(path: string): VsslError {
  return new VsslError(
    'ERR_VSSL_NON_FINITE',
    `${path}: its vector holds numbers that are not finite; if others do too, the weights are damaged`,
    { details: { path } },
  );
}
