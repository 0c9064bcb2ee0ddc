import { luma } from '../data/luma.js';

/**
 * What raw pixels alone achieve: features with nothing learnt, for the same protocols as an encoder. A trained
 * encoder that does not pass them has learnt nothing that the pixels did not say.
 *
 * - `appearance`: the mean picture of the clip, 16 x 16 cells, RGB.
 * - `motion energy`: the mean absolute difference of neighbouring pictures in each cell of 16 x 16, luma.
 * - `motion pixels`: the clip minus its mean over time, 16 x 16 cells, luma, every picture.
 *
 * Each vector is centred on its own mean before it is compared, so that cosine similarity becomes correlation and
 * brightness alone decides nothing.
 */
export const floorNames = ['appearance', 'motion energy', 'motion pixels'] as const;
export type FloorName = (typeof floorNames)[number];

/** Cells along each side of a pooled picture. */
const kGrid = 16;

/** Dimension of each floor's features for clips of `frames` pictures. */
export function floorDims(frames: number): Readonly<Record<FloorName, number>> {
  const cells = kGrid * kGrid;
  return { appearance: 3 * cells, 'motion energy': cells, 'motion pixels': frames * cells };
}

/** Features of one clip: `clip` is (T, H, W, 3) floats in [0, 1]. */
export function floorFeatures(
  clip: Float32Array,
  frames: number,
  height: number,
  width: number,
): Record<FloorName, Float32Array> {
  const dims = floorDims(frames);
  const cells = kGrid * kGrid;
  const appearance = new Float32Array(dims.appearance);
  const energy = new Float32Array(dims['motion energy']);
  const pixels = new Float32Array(dims['motion pixels']);
  const colors = new Float32Array(cells * 3);
  for (let t = 0; t < frames; t++) {
    poolFrame(colors, clip, t, height, width);
    for (let i = 0; i < colors.length; i++) appearance[i]! += colors[i]! / frames;
    for (let cell = 0; cell < cells; cell++)
      pixels[t * cells + cell] = luma(colors[3 * cell]!, colors[3 * cell + 1]!, colors[3 * cell + 2]!);
  }
  for (let t = 1; t < frames; t++) addDifference(energy, clip, t, frames, height, width);
  for (let cell = 0; cell < cells; cell++) {
    let mean = 0;
    for (let t = 0; t < frames; t++) mean += pixels[t * cells + cell]! / frames;
    for (let t = 0; t < frames; t++) pixels[t * cells + cell]! -= mean;
  }
  return { appearance: centre(appearance), 'motion energy': centre(energy), 'motion pixels': centre(pixels) };
}

/** Cell that a pixel lies in, along a side of `size` pixels. */
function cellOf(pixel: number, size: number): number {
  return Math.min(kGrid - 1, Math.floor((pixel * kGrid) / size));
}

/** Mean colour of each cell of picture t. */
function poolFrame(out: Float32Array, clip: Float32Array, t: number, height: number, width: number): void {
  const count = new Int32Array(kGrid * kGrid);
  out.fill(0);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const cell = cellOf(y, height) * kGrid + cellOf(x, width);
      const at = ((t * height + y) * width + x) * 3;
      out[3 * cell]! += clip[at]!;
      out[3 * cell + 1]! += clip[at + 1]!;
      out[3 * cell + 2]! += clip[at + 2]!;
      count[cell]!++;
    }
  for (let cell = 0; cell < count.length; cell++)
    for (let c = 0; c < 3; c++) out[3 * cell + c]! /= Math.max(1, count[cell]!);
}

/** Adds the absolute luma differences of pictures t - 1 and t, averaged over each cell and over the clip. */
function addDifference(
  out: Float32Array,
  clip: Float32Array,
  t: number,
  frames: number,
  height: number,
  width: number,
): void {
  const before = height * width * 3;
  const share = (kGrid * kGrid) / (height * width * (frames - 1));
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = ((t * height + y) * width + x) * 3;
      const now = luma(clip[at]!, clip[at + 1]!, clip[at + 2]!);
      const then = luma(clip[at - before]!, clip[at + 1 - before]!, clip[at + 2 - before]!);
      out[cellOf(y, height) * kGrid + cellOf(x, width)]! += share * Math.abs(now - then);
    }
}

function centre(vector: Float32Array): Float32Array {
  let mean = 0;
  for (const value of vector) mean += value / vector.length;
  for (let i = 0; i < vector.length; i++) vector[i]! -= mean;
  return vector;
}
