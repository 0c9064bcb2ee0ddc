/** Parts of a small grey picture as a grid of means, and how alike two grids are. */

/** Cells of a side: a crop of four fifths still has more than a pixel for each. */
const CELLS = 16;
export const GRID_SIZE = CELLS * CELLS;
/** Pixels of a side of the picture. */
export const SIDE = 32;

/** A part of a picture, as shares of its width and height: a square crop, as both are squeezed alike. */
export interface Crop {
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

export const WHOLE: Crop = { x: 0, y: 0, size: 1 };

/** Of each cell along a side, its first pixel and how much of the three from there lies in it. */
interface Bands {
  readonly first: Int32Array;
  readonly weights: Float32Array;
}

export interface Grid {
  readonly across: Bands;
  readonly down: Bands;
}

/** A cell is two pixels wide at most, so three hold it. */
const TAPS = 3;

function bandsOf(from: number, size: number): Bands {
  const first = new Int32Array(CELLS);
  const weights = new Float32Array(CELLS * TAPS);
  const width = (size * SIDE) / CELLS;
  for (let cell = 0; cell < CELLS; cell++) {
    const begin = from * SIDE + cell * width;
    first[cell] = Math.max(0, Math.min(SIDE - TAPS, Math.floor(begin + 1e-9)));
    for (let tap = 0; tap < TAPS; tap++) {
      const pixel = first[cell]! + tap;
      const share = Math.min(begin + width, pixel + 1) - Math.max(begin, pixel);
      weights[cell * TAPS + tap] = Math.max(0, share) / width;
    }
  }
  return { first, weights };
}

export function gridOf({ x, y, size }: Crop): Grid {
  return { across: bandsOf(x, size), down: bandsOf(y, size) };
}

const rows = new Float32Array(SIDE * CELLS);

/** Picture number `picture` of (n, 32, 32) through the grid, to GRID_SIZE numbers of `out` from `at` on. */
export function resample(
  grey: Uint8Array,
  picture: number,
  { across, down }: Grid,
  out: Float32Array,
  at: number,
): void {
  const base = picture * SIDE * SIDE;
  const { first, weights } = across;
  for (let y = 0; y < SIDE; y++)
    for (let cell = 0; cell < CELLS; cell++) {
      const from = base + y * SIDE + first[cell]!;
      const w = cell * TAPS;
      rows[y * CELLS + cell] =
        weights[w]! * grey[from]! + weights[w + 1]! * grey[from + 1]! + weights[w + 2]! * grey[from + 2]!;
    }
  for (let row = 0; row < CELLS; row++) {
    const w = row * TAPS;
    const from = down.first[row]! * CELLS;
    for (let cell = 0; cell < CELLS; cell++)
      out[at + row * CELLS + cell] =
        down.weights[w]! * rows[from + cell]! +
        down.weights[w + 1]! * rows[from + CELLS + cell]! +
        down.weights[w + 2]! * rows[from + 2 * CELLS + cell]!;
  }
}

/** Cells of a side, for a first look. */
const COARSE = 8;
export const COARSE_SIZE = COARSE * COARSE;

/** Grids (n, GRID_SIZE) as (n, COARSE_SIZE) without their mean and of length 1: products are correlations. */
export function coarsen(grids: Float32Array): Float32Array {
  const count = grids.length / GRID_SIZE;
  const out = new Float32Array(count * COARSE_SIZE);
  for (let i = 0; i < count; i++) {
    const cells = out.subarray(i * COARSE_SIZE, (i + 1) * COARSE_SIZE);
    let sum = 0;
    for (let cell = 0; cell < COARSE_SIZE; cell++) {
      const at = i * GRID_SIZE + 2 * CELLS * Math.floor(cell / COARSE) + 2 * (cell % COARSE);
      cells[cell] = (grids[at]! + grids[at + 1]! + grids[at + CELLS]! + grids[at + CELLS + 1]!) / 4;
      sum += cells[cell]!;
    }
    let squares = NOISE * COARSE_SIZE;
    for (let cell = 0; cell < COARSE_SIZE; cell++) {
      cells[cell]! -= sum / COARSE_SIZE;
      squares += cells[cell]! * cells[cell]!;
    }
    for (let cell = 0; cell < COARSE_SIZE; cell++) cells[cell]! /= Math.sqrt(squares);
  }
  return out;
}

/** Variance that coding leaves in a grey level of a grid: what varies no more is like nothing. */
export const NOISE = 3;

/**
 * Correlation of two rows of numbers over their places, -1 to 1, whatever their brightness and contrast:
 * cov(a, b) / sqrt((var a + noise) (var b + noise)).
 */
export function correlation(
  a: Float32Array,
  at: number,
  b: Float32Array,
  from: number,
  size: number,
): number {
  let [sa, sb, aa, bb, ab] = [0, 0, 0, 0, 0];
  for (let i = 0; i < size; i++) {
    const x = a[at + i]!;
    const y = b[from + i]!;
    sa += x;
    sb += y;
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  const floor = NOISE * size;
  const vary = (square: number, sum: number) => square - (sum * sum) / size + floor;
  return (ab - (sa * sb) / size) / Math.sqrt(vary(aa, sa) * vary(bb, sb));
}
