// The usual perceptual hash of video, as a baseline: 64-bit difference hashes (dHash) of pictures at a steady rate, and the
// mean or median number of equal bits where two videos agree best when one is laid over the other in time.
import { lookInto, momentsOf, picturesOf } from './recut.mjs';

/** Pictures a second: a piece that begins between two of the other's is 1/16 s off at most. */
const RATE = 8;
/** Of the shorter video, the least that has to lie over the other. */
const LEAST = 0.8;

/** A hash for each moment: 8 rows of 8 bits, each whether a pixel is brighter than its right neighbour, as two words. */
export async function hashVideo(path) {
  const video = await lookInto(path);
  // means over whole pixels first: a plain small picture would leave most of them out
  const shrink = Math.max(1, Math.floor(Math.min(video.width / 9, video.height / 8)));
  const rgb = await picturesOf(video, momentsOf(0, video.seconds, RATE), { width: 9, height: 8, shrink });
  const count = rgb.length / 216;
  const words = new Uint32Array(2 * count);
  const luma = (at) => 0.299 * rgb[3 * at] + 0.587 * rgb[3 * at + 1] + 0.114 * rgb[3 * at + 2];
  for (let picture = 0; picture < count; picture++)
    for (let bit = 0; bit < 64; bit++) {
      const at = 72 * picture + 9 * (bit >> 3) + (bit & 7);
      if (luma(at) > luma(at + 1)) words[2 * picture + (bit >> 5)] |= 1 << (bit & 31);
    }
  return words;
}

function ones(word) {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function meanOf(values, count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += values[i];
  return sum / count;
}

const medianOf = (values, count) => values.subarray(0, count).sort()[count >> 1];

const distances = new Uint8Array(4096);

/** Share of equal bits at the place where two videos agree best; `average`: 'mean' or 'median' over pictures. */
export function likenessOf(a, b, average) {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  const [m, n] = [short.length / 2, long.length / 2];
  const slack = Math.floor((1 - LEAST) * m);
  let best = 64;
  for (let shift = -slack; shift <= n - m + slack; shift++) {
    let count = 0;
    for (let i = Math.max(0, -shift); i < m && i + shift < n; i++) {
      const j = i + shift;
      distances[count++] = ones(short[2 * i] ^ long[2 * j]) + ones(short[2 * i + 1] ^ long[2 * j + 1]);
    }
    best = Math.min(best, average === 'mean' ? meanOf(distances, count) : medianOf(distances, count));
  }
  return 1 - best / 64;
}
