/** Pictures for files that cost a decoder what recordings cost it: a textured scene that the camera pans over, with grain. */
import { uniformBytes, uniformFloats } from '../random.js';

const GRAIN = 10; // of 255, to either side
const COARSEST = 64; // pixels between the points of the coarsest octave
const OCTAVES = 5;

/** Uint8 RGB (frames, height, width, 3). */
export function panOverTexture(
  frames: number,
  { height, width }: { readonly height: number; readonly width: number },
  seed: number,
): Uint8Array {
  const reach = Math.floor(Math.min(height, width) / 4);
  const scene = { height: height + 2 * reach, width: width + 2 * reach };
  const texture = makeTexture(scene, seed);
  const grain = uniformBytes(2 * height * width * 3, seed + 1);
  const pictures = new Uint8Array(frames * height * width * 3);
  const row = width * 3;
  for (let t = 0; t < frames; t++) {
    const turn = (2 * Math.PI * t) / 75 + seed;
    const top = Math.round(reach * (1 + Math.sin(turn)));
    const left = Math.round(reach * (1 + Math.cos(0.7 * turn)));
    const noise = grain.subarray(((t * 7919) % height) * row);
    for (let y = 0; y < height; y++) {
      const from = ((top + y) * scene.width + left) * 3;
      const to = (t * height + y) * row;
      for (let x = 0; x < row; x++)
        pictures[to + x] = texture[from + x]! + (((noise[y * row + x]! * (2 * GRAIN + 1)) >> 8) - GRAIN);
    }
  }
  return pictures;
}

/** Smooth noise at five scales, brighter and darker more than coloured; far enough from 0 and 255 for the grain. */
function makeTexture({ height, width }: { height: number; width: number }, seed: number): Uint8Array {
  const sums = new Float32Array(height * width * 3).fill(118);
  for (let octave = 0; octave < OCTAVES; octave++) {
    const step = COARSEST >> octave;
    const across = Math.ceil(width / step) + 1;
    const points = uniformFloats((Math.ceil(height / step) + 1) * across * 4, seed * 31 + octave);
    const strength = 130 / (octave + 1);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const at = (Math.floor(y / step) * across + Math.floor(x / step)) * 4;
        const fy = (y % step) / step;
        const fx = (x % step) / step;
        const between = (c: number) => {
          const above = points[at + c]! * (1 - fx) + points[at + 4 + c]! * fx;
          const below = points[at + 4 * across + c]! * (1 - fx) + points[at + 4 * across + 4 + c]! * fx;
          return above * (1 - fy) + below * fy;
        };
        const bright = between(3);
        for (let c = 0; c < 3; c++)
          sums[(y * width + x) * 3 + c]! += strength * (0.7 * bright + 0.3 * between(c));
      }
  }
  return Uint8Array.from(sums, (value) => Math.min(255 - GRAIN, Math.max(GRAIN, Math.round(value))));
}
