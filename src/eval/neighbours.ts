/**
 * Nearest neighbours by cosine similarity: the one search that kNN, retrieval and the pixel floors share.
 * Deterministic: sums run in a fixed order, and of equal similarities the lower gallery row comes first.
 */
import { checkCount, throwIfAborted } from '../checks.js';
import { invalidArgument } from '../errors.js';
import { type FeatureMatrix, normalizeRows } from './feature-matrix.js';

/** The k nearest gallery rows of every query, nearest first: both arrays are (queries, k). */
export interface Neighbours {
  readonly k: number;
  readonly indices: Int32Array;
  readonly similarities: Float32Array;
}

/** Longest that the search keeps the event loop, in milliseconds. */
const kSlice = 30;

/**
 * Calls `visit(query, similarities)` for each query row with its cosine similarity to every gallery row. The array
 * is reused. Gives the event loop a turn now and then, and stops when `signal` is aborted (throws its reason).
 */
export async function forEachQuery(
  query: FeatureMatrix,
  gallery: FeatureMatrix,
  visit: (query: number, similarities: Float32Array) => void,
  signal?: AbortSignal,
): Promise<void> {
  if (query.dim !== gallery.dim)
    throw invalidArgument('query', `features of dimension ${gallery.dim}, as the gallery has`, query.dim);
  const q = normalizeRows(query);
  const g = normalizeRows(gallery);
  const block = [0, 1, 2, 3].map(() => new Float32Array(g.rows));
  let since = performance.now();
  for (let first = 0; first < q.rows; first += 4) {
    const count = Math.min(4, q.rows - first);
    fourDots(block, q, first, g);
    for (let i = 0; i < count; i++) visit(first + i, block[i]!);
    if (performance.now() - since < kSlice) continue;
    await new Promise<void>((resolve) => setImmediate(resolve));
    throwIfAborted(signal);
    since = performance.now();
  }
}

/** Dot products of query rows first..first+3 (repeating the last) with every gallery row. */
function fourDots(out: readonly Float32Array[], q: FeatureMatrix, first: number, g: FeatureMatrix): void {
  const { dim } = q;
  const last = q.rows - 1;
  const at = [0, 1, 2, 3].map((i) => Math.min(first + i, last) * dim) as [number, number, number, number];
  const [a, b, c, d] = at;
  const x = q.data;
  const y = g.data;
  for (let row = 0; row < g.rows; row++) {
    const base = row * dim;
    let sa = 0;
    let sb = 0;
    let sc = 0;
    let sd = 0;
    for (let i = 0; i < dim; i++) {
      const v = y[base + i]!;
      sa += x[a + i]! * v;
      sb += x[b + i]! * v;
      sc += x[c + i]! * v;
      sd += x[d + i]! * v;
    }
    out[0]![row] = sa;
    out[1]![row] = sb;
    out[2]![row] = sc;
    out[3]![row] = sd;
  }
}

/** The k nearest gallery rows of each query (all of them when the gallery has fewer than k). */
export async function findNeighbours(
  query: FeatureMatrix,
  gallery: FeatureMatrix,
  options: { readonly k: number; readonly signal?: AbortSignal },
): Promise<Neighbours> {
  const k = Math.min(checkCount('k', options.k), gallery.rows);
  const indices = new Int32Array(query.rows * k);
  const similarities = new Float32Array(query.rows * k);
  await forEachQuery(
    query,
    gallery,
    (row, all) => {
      const at = row * k;
      let held = 0;
      for (let j = 0; j < all.length; j++) {
        // NaN, from a vector that is not finite, is farther than everything
        const s = Number.isNaN(all[j]!) ? Number.NEGATIVE_INFINITY : all[j]!;
        if (held === k && !(s > similarities[at + k - 1]!)) continue;
        let place = held < k ? held++ : k - 1;
        while (place > 0 && s > similarities[at + place - 1]!) {
          similarities[at + place] = similarities[at + place - 1]!;
          indices[at + place] = indices[at + place - 1]!;
          place--;
        }
        similarities[at + place] = s;
        indices[at + place] = j;
      }
    },
    options.signal,
  );
  return { k, indices, similarities };
}
