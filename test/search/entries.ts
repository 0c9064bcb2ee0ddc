/** Videos whose vectors can be told from their paths. */
import { createHash } from 'node:crypto';
import type { IndexEntry } from '#src/search/index-options.js';

export const DIM = 16;
export const ENCODER = { digest: 'sha256:test', dim: DIM };

/** A vector of length 1 that belongs to a path and a number. */
export function vectorOf(path: string, window: number, dim = DIM): Float32Array {
  const vector = new Float32Array(dim);
  for (let i = 0; i < dim; i += 16) {
    const bytes = createHash('sha256').update(`${path} ${window} ${i}`).digest();
    for (let j = 0; j < Math.min(16, dim - i); j++) vector[i + j] = bytes.readInt16LE(2 * j) / 32768;
  }
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}

export function entryOf(
  path: string,
  windows: number,
  dim = DIM,
  more: Partial<IndexEntry> = {},
): IndexEntry {
  return {
    path,
    ...more,
    windows: Array.from({ length: windows }, (_, i) => ({
      ...{ start: i, end: i + 1, vector: vectorOf(path, i, dim) },
    })),
  };
}
