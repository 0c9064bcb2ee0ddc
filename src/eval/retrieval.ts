/** Retrieval: how often the right thing is among the k nearest of a gallery (R@k). */
import { invalidArgument } from '../errors.js';
import type { FeatureMatrix } from './feature-matrix.js';
import { expectedPrecisionAtR, precisionAtR } from './map-at-r.js';
import { forEachQuery } from './neighbours.js';

/** The ks that the literature reports. */
export const recallRanks: readonly number[] = [1, 5, 10, 20, 50];

export interface RetrievalResult {
  readonly queries: number;
  readonly gallery: number;
  /** Share of the queries with a match among the k nearest, by k (those not above the gallery's size). */
  readonly recall: Readonly<Record<number, number>>;
  /** What a random order would give, by k. */
  readonly chance: Readonly<Record<number, number>>;
  /** Median over queries of the place of the first match (1: nearest); null when no query has a match. */
  readonly medianRank: number | null;
  /** Queries with no match anywhere in the gallery: misses at every k. */
  readonly unmatched: number;
  /** Place of the first match of each query, 0 when it has none. */
  readonly ranks: Int32Array;
  /** Of each query, and what a random order would give it; see map-at-r.ts. */
  readonly precisionAtR: { readonly found: Float64Array; readonly chance: Float64Array };
}

/**
 * Label retrieval as in VCOP, CATE and TCGL: a hit at k when any of the k gallery videos nearest to a query (cosine)
 * has its label. Of equal similarities the lower gallery row counts as nearer. Throws ERR_VSSL_INVALID_ARGUMENT.
 */
export async function retrieveByLabel(
  query: FeatureMatrix,
  queryLabels: Int32Array,
  gallery: FeatureMatrix,
  galleryLabels: Int32Array,
  options: { readonly ranks?: readonly number[]; readonly signal?: AbortSignal } = {},
): Promise<RetrievalResult> {
  if (queryLabels.length !== query.rows)
    throw invalidArgument('queryLabels', `${query.rows} labels`, queryLabels);
  if (galleryLabels.length !== gallery.rows)
    throw invalidArgument('galleryLabels', `${gallery.rows} labels`, galleryLabels);
  const count = new Map<number, number>();
  for (const label of galleryLabels) count.set(label, (count.get(label) ?? 0) + 1);
  return retrieve(
    query,
    gallery,
    (row, candidate) => queryLabels[row] === galleryLabels[candidate],
    (row) => count.get(queryLabels[row]!) ?? 0,
    options,
  );
}

/**
 * Instance retrieval: query i is another window of the video whose window is gallery row i; a hit at k when its own
 * video is among the k nearest. An encoder that gives all videos one vector gets chance, not 1.
 */
export async function retrieveInstance(
  query: FeatureMatrix,
  gallery: FeatureMatrix,
  options: { readonly ranks?: readonly number[]; readonly signal?: AbortSignal } = {},
): Promise<RetrievalResult> {
  if (query.rows !== gallery.rows)
    throw invalidArgument('query', `${gallery.rows} rows, one a gallery row`, query.rows);
  return retrieve(
    query,
    gallery,
    (row, candidate) => row === candidate,
    () => 1,
    options,
  );
}

async function retrieve(
  query: FeatureMatrix,
  gallery: FeatureMatrix,
  isMatch: (query: number, candidate: number) => boolean,
  matchesOf: (query: number) => number,
  options: { readonly ranks?: readonly number[]; readonly signal?: AbortSignal },
): Promise<RetrievalResult> {
  if (gallery.rows === 0) throw invalidArgument('gallery', 'at least one row', 0);
  const ranks = new Int32Array(query.rows);
  const found = new Float64Array(query.rows);
  await forEachQuery(
    query,
    gallery,
    (row, similarities) => {
      let best = Number.NEGATIVE_INFINITY;
      let at = -1;
      const matches: number[] = [];
      for (let j = 0; j < similarities.length; j++) {
        if (!isMatch(row, j)) continue;
        matches.push(j);
        if (at >= 0 && !(similarities[j]! > best)) continue;
        best = similarities[j]!;
        at = j;
      }
      if (at < 0) return;
      found[row] = Number.isNaN(best) ? 0 : precisionAtR(similarities, matches);
      let rank = 1;
      for (let j = 0; j < similarities.length; j++)
        if (similarities[j]! > best || (similarities[j] === best && j < at)) rank++;
      // a vector of NaN is near to nothing: last place
      ranks[row] = Number.isNaN(best) ? gallery.rows : rank;
    },
    options.signal,
  );
  const chance = Float64Array.from(ranks, (_, row) => expectedPrecisionAtR(gallery.rows, matchesOf(row)));
  const summary = summarize(ranks, gallery.rows, matchesOf, options.ranks ?? recallRanks);
  return { ...summary, precisionAtR: { found, chance } };
}

function summarize(
  ranks: Int32Array,
  gallery: number,
  matchesOf: (query: number) => number,
  at: readonly number[],
): Omit<RetrievalResult, 'precisionAtR'> {
  const recall: Record<number, number> = {};
  const chance: Record<number, number> = {};
  const queries = ranks.length;
  for (const k of at) {
    if (k > gallery || queries === 0) continue;
    let hits = 0;
    let expected = 0;
    for (let row = 0; row < queries; row++) {
      if (ranks[row]! > 0 && ranks[row]! <= k) hits++;
      expected += 1 - missProbability(gallery, matchesOf(row), k);
    }
    recall[k] = hits / queries;
    chance[k] = expected / queries;
  }
  const found = Array.from(ranks)
    .filter((rank) => rank > 0)
    .sort((a, b) => a - b);
  const middle = found.length >> 1;
  const medianRank =
    found.length === 0 ? null : found.length % 2 ? found[middle]! : (found[middle - 1]! + found[middle]!) / 2;
  return { queries, gallery, recall, chance, medianRank, unmatched: queries - found.length, ranks };
}

/** Probability that k different gallery rows drawn at random hold none of `matches`: C(n - m, k) / C(n, k). */
function missProbability(gallery: number, matches: number, k: number): number {
  let p = 1;
  for (let i = 0; i < k; i++) p *= Math.max(0, gallery - matches - i) / (gallery - i);
  return p;
}
