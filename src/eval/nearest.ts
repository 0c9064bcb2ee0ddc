/**
 * Nearest neighbours by cosine similarity: the one search that kNN, retrieval and the pixel floors share.
 * Deterministic: sums run in a fixed order, and of equal similarities the lower gallery row comes first.
 */
import { isFloat32Array, throwIfAborted } from '../checks.js';
import { invalidArgument } from '../errors.js';

/** Rows of float features: `data` holds rows x dim values. */
export interface FeatureMatrix {
  readonly data: Float32Array;
  readonly rows: number;
  readonly dim: number;
}

/** The k nearest gallery rows of every query, nearest first: both arrays are (queries, k). */
export interface Neighbours {
  readonly k: number;
  readonly indices: Int32Array;
  readonly similarities: Float32Array;
}

/** Longest that the search keeps the event loop, in milliseconds. */
const kSlice = 30;
/** Norms below this count as zero, as in F.normalize. */
const kEpsilon = 1e-12;

/** Checks that a matrix is one, and makes it. Throws ERR_VSSL_INVALID_ARGUMENT. */
export function featureMatrix(data: Float32Array, dim: number, name = 'features'): FeatureMatrix {
  if (!isFloat32Array(data)) throw invalidArgument(name, 'a Float32Array', data);
  if (!Number.isInteger(dim) || dim < 1) throw invalidArgument('dim', 'a whole number of at least 1', dim);
  if (data.length % dim !== 0) throw invalidArgument(name, `rows x ${dim} values`, data);
  return { data, rows: data.length / dim, dim };
}

/** Rows scaled to length 1; a row of zeros stays zeros. A copy. */
export function normalizeRows(matrix: FeatureMatrix): FeatureMatrix {
  const { data, rows, dim } = matrix;
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const at = row * dim;
    let sum = 0;
    for (let i = at; i < at + dim; i++) sum += data[i]! * data[i]!;
    const scale = 1 / Math.max(Math.sqrt(sum), kEpsilon);
    for (let i = at; i < at + dim; i++) out[i] = data[i]! * scale;
  }
  return { data: out, rows, dim };
}

/** The rows of a matrix named by `rows`, in that order. A copy. */
export function selectRows(matrix: FeatureMatrix, rows: ArrayLike<number>): FeatureMatrix {
  const { data, dim } = matrix;
  const out = new Float32Array(rows.length * dim);
  for (let i = 0; i < rows.length; i++) out.set(data.subarray(rows[i]! * dim, (rows[i]! + 1) * dim), i * dim);
  return { data: out, rows: rows.length, dim };
}

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
export async function findNearest(
  query: FeatureMatrix,
  gallery: FeatureMatrix,
  options: { readonly k: number; readonly signal?: AbortSignal },
): Promise<Neighbours> {
  if (!Number.isInteger(options.k) || options.k < 1)
    throw invalidArgument('k', 'a whole number of at least 1', options.k);
  const k = Math.min(options.k, gallery.rows);
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
