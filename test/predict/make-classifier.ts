/** A classifier of two classes for the encoder of test/embed, and features whose classes are known. */
import { Rng } from '#src/data/rng.js';
import type { FeatureMatrix } from '#src/eval/feature-matrix.js';
import { type ClassifierModel, writeClassifierFile } from '#src/predict/classifier-file.js';
import { fileDigest } from '#src/weights/file-digest.js';

const TINY_DIM = 64;

export const heldOut = {
  ...{ clips: 4, accuracy: 1, confidence: 0.8, expectedCalibrationError: 0.2 },
  ...{ byGroup: false, logLoss: 0.2, weightDecay: 0.1 },
} as const;

/** By the first number of a vector alone. */
export async function tinyModel(weights: string): Promise<ClassifierModel> {
  const map = new Float32Array(2 * TINY_DIM);
  map[0] = 1;
  map[TINY_DIM] = -1;
  return {
    classes: ['left', 'right'],
    head: { kind: 'linear', dim: TINY_DIM, classes: 2, weights: map, bias: Float32Array.of(0.5, -0.5) },
    temperature: 2,
    encoder: { weights, digest: await fileDigest(weights), clips: 2, crops: 1 },
    heldOut,
  };
}

export async function writeTinyClassifier(path: string, weights: string): Promise<void> {
  await writeClassifierFile(path, await tinyModel(weights));
}

/** Classes are Gaussians of deviation 1 round points at random, `apart` from the middle. */
export function gaussians(options: {
  readonly seed: number;
  readonly rows: number;
  readonly classes: number;
  readonly dim: number;
  readonly apart: number;
}): { readonly features: FeatureMatrix; readonly labels: Int32Array; posterior(row: number): Float64Array } {
  const { seed, rows, classes, dim, apart } = options;
  // the same middles for every seed: one seed trains what another tests
  const place = new Rng('middles');
  const middles = Array.from({ length: classes * dim }, () => (place.normal() * apart) / Math.sqrt(dim));
  const rng = new Rng(seed, 'rows');
  const labels = Int32Array.from({ length: rows }, (_, row) => row % classes);
  const data = Float32Array.from(
    { length: rows * dim },
    (_, i) => middles[labels[Math.floor(i / dim)]! * dim + (i % dim)]! + rng.normal(),
  );
  const posterior = (row: number) => {
    const logs = Array.from({ length: classes }, (_, c) => {
      let square = 0;
      for (let d = 0; d < dim; d++) square += (data[row * dim + d]! - middles[c * dim + d]!) ** 2;
      return -square / 2;
    });
    const most = Math.max(...logs);
    const all = logs.map((log) => Math.exp(log - most));
    const sum = all.reduce((a, b) => a + b);
    return Float64Array.from(all, (value) => value / sum);
  };
  return { features: { data, rows, dim }, labels, posterior };
}
