/** Features of two encoders side by side, each video a row: what one has missed the other may have. */
import { weightsFile } from '../embed/open-encoder.js';
import type { EvaluationData } from './evaluation-data.js';
import { type ExtractorOptions, FeatureExtractor } from './feature-extractor.js';
import { type FeatureMatrix, selectRows } from './feature-matrix.js';
import { applyStandardization, standardization } from './linear.js';

/**
 * Rows of `a` and `b` next to each other. Each is shifted and scaled by the mean and deviation of its rows `known`, and
 * divided by the root of its width, so that both count alike whatever their sizes and widths: the squared length of a usual
 * row is 1 of each.
 */
export function placeSideBySide(a: FeatureMatrix, b: FeatureMatrix, known: readonly number[]): FeatureMatrix {
  const [first, second] = [a, b].map((matrix) => {
    const by = standardization(selectRows(matrix, known));
    const even = applyStandardization(matrix, by);
    return { ...even, data: even.data.map((value) => value / Math.sqrt(matrix.dim)) };
  }) as [FeatureMatrix, FeatureMatrix];
  const dim = first.dim + second.dim;
  const data = new Float32Array(first.rows * dim);
  for (let row = 0; row < first.rows; row++) {
    data.set(first.data.subarray(row * first.dim, (row + 1) * first.dim), row * dim);
    data.set(second.data.subarray(row * second.dim, (row + 1) * second.dim), row * dim + first.dim);
  }
  return { data, rows: first.rows, dim };
}

/** The features of a second encoder beside those of the first: rows that both have. The training videos' set the scale. */
export async function besideFeatures(
  weights: string,
  data: EvaluationData,
  { windows, crops, frames, pool, device, threads, precision, signal, onProgress }: ExtractorOptions,
  first: { readonly kept: readonly number[]; readonly trained: FeatureMatrix },
): Promise<{ readonly kept: readonly number[]; readonly trained: FeatureMatrix }> {
  const options = { windows, crops, frames, pool, device, threads, precision, signal, onProgress };
  const extractor = await FeatureExtractor.open(await weightsFile(weights), data, options);
  try {
    const { kept, of } = await extractor.windowFeatures(first.kept);
    const place = new Map(first.kept.map((row, i) => [row, i]));
    const own = selectRows(
      first.trained,
      kept.map((row) => place.get(row)!),
    );
    const training = new Set(data.trainRows);
    const known = kept.flatMap((row, i) => (training.has(row) ? [i] : []));
    return { kept, trained: placeSideBySide(own, of.trained, known) };
  } finally {
    await extractor.close();
  }
}
