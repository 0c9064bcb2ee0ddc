import type { Rng } from '../rng.js';

/** x0, y0, x1, y1 in fractions of the displayed picture. */
export type CropBox = readonly [number, number, number, number];

export interface RandomCropOptions {
  /** [low, high]: fraction of the picture's area. */
  readonly area: readonly [number, number];
  /** [low, high]: width / height in pixels. */
  readonly aspect: readonly [number, number];
  readonly attempts: number;
  /** Boxes covering less of the picture than this are drawn again. */
  readonly minCovered: number;
}

const WHOLE: CropBox = [0, 0, 1, 1];

/**
 * A random box of whole pixels, drawn as TensorFlow's sample_distorted_bounding_box does (that is what CVRL and SimCLR
 * crop with): the aspect ratio is uniform, then the height is uniform between those that give the smallest and the
 * largest area; after `attempts` failures the whole picture. The area is therefore not quite uniform.
 */
export function drawCrop(width: number, height: number, options: RandomCropOptions, rng: Rng): CropBox {
  for (let i = 0; i < options.attempts; i++) {
    const box = tryCrop(width, height, options, rng);
    if (box) return box;
  }
  return WHOLE;
}

function tryCrop(width: number, height: number, options: RandomCropOptions, rng: Rng): CropBox | null {
  const aspect = rng.uniform(options.aspect[0], options.aspect[1]);
  const pixels = width * height;
  const minArea = options.area[0] * pixels;
  const maxArea = options.area[1] * pixels;
  const lowest = Math.round(Math.sqrt(minArea / aspect));
  let highest = Math.round(Math.sqrt(maxArea / aspect));
  // The widest box that fits, when the largest area is too wide for the picture.
  if (Math.round(highest * aspect) > width) highest = Math.floor((width + 0.5 - 1e-7) / aspect);
  highest = Math.min(highest, height);
  let h = lowest >= highest ? highest : lowest + rng.int(highest - lowest + 1);
  let w = Math.round(h * aspect);
  // Rounding may have left the area's range by a row.
  if (w * h < minArea) w = Math.round(++h * aspect);
  if (w * h > maxArea) w = Math.round(--h * aspect);
  const area = w * h;
  if (area < minArea || area > maxArea || area < options.minCovered * pixels) return null;
  if (w > width || h > height || w < 1 || h < 1) return null;
  // TensorFlow never takes the very last place; neither do we.
  const y = h < height ? rng.int(height - h) : 0;
  const x = w < width ? rng.int(width - w) : 0;
  return [x / width, y / height, (x + w) / width, (y + h) / height];
}
