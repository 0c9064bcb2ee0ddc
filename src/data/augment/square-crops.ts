import { invalidArgument } from '../../errors.js';
import type { CropBox } from './random-crop.js';

/** The square of the short side's length in the middle of the picture. */
export function centerSquare(width: number, height: number): CropBox {
  return squareAt(width, height, 0.5);
}

/** Evaluation crops: 1 is the centre square, 3 are the squares at both ends of the long side and the centre. */
export function squareCrops(width: number, height: number, crops: number): CropBox[] {
  if (crops === 1) return [centerSquare(width, height)];
  if (crops === 3) return [0, 0.5, 1].map((place) => squareAt(width, height, place));
  throw invalidArgument('crops', '1 or 3', crops);
}

function squareAt(width: number, height: number, place: number): CropBox {
  const side = Math.min(width, height);
  const x = (place * (width - side)) / width;
  const y = (place * (height - side)) / height;
  return [x, y, x + side / width, y + side / height];
}
