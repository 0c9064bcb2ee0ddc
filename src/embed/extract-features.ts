import { isEnvironmentCode, type VsslError } from '../errors.js';
import { type FeatureOptions, streamFeatures } from './features.js';

export interface ExtractedFeatures {
  /** For each embedder (usable items, dim). */
  readonly features: readonly { readonly data: Float32Array; readonly rows: number; readonly dim: number }[];
  /** Which item each row belongs to, ascending. */
  readonly kept: readonly number[];
  /** Kept items some of whose clips could not be decoded: their vectors are means over the others. */
  readonly damaged: readonly { readonly index: number; readonly lostClips: number }[];
  /** Items that could not be used. */
  readonly failures: readonly { readonly index: number; readonly error: VsslError }[];
}

/** Features of many items as matrices; items that cannot be used are left out and listed. */
export async function extractFeatures<T>(
  items: readonly T[],
  options: FeatureOptions<T> & { readonly onProgress?: (done: number, total: number) => void },
): Promise<ExtractedFeatures> {
  const rows: (readonly Float32Array[])[] = [];
  const kept: number[] = [];
  const damaged: { index: number; lostClips: number }[] = [];
  const failures: { index: number; error: VsslError }[] = [];
  let done = 0;
  for await (const result of streamFeatures(items, options)) {
    if ('error' in result) {
      if (isEnvironmentCode(result.error.code)) throw result.error;
      failures.push({ index: result.index, error: result.error });
    } else {
      rows.push(result.vectors);
      kept.push(result.index);
      if (result.lostClips > 0) damaged.push({ index: result.index, lostClips: result.lostClips });
    }
    options.onProgress?.(++done, items.length);
  }
  const features = options.embedders.map((_, e) => {
    const dim = rows[0]?.[e]?.length ?? 0;
    const data = new Float32Array(rows.length * dim);
    for (const [r, vectors] of rows.entries()) data.set(vectors[e]!, r * dim);
    return { data, rows: rows.length, dim };
  });
  return { features, kept, damaged, failures };
}
