/** Videos of an index that show the same, all of it or a part. Exact: every window is compared with every other. */
import { throwIfAborted } from '../checks.js';
import { HeldVectors, type Pair, timelineOf, type Video } from './held-vectors.js';
import { bestOverlap, type Overlap, type Timeline } from './overlap.js';
import type { StoreView } from './store.js';
import { type Chance, chanceOf, expectedByChance, thresholdFor } from './threshold.js';
import { floatRows } from './vectors.js';

export interface DuplicateOptions {
  /** Mean cosine from which on two stretches count as the same. Default: chosen on the data for `precision`. */
  readonly threshold?: number;
  /** Share of the found pairs that should be duplicates, expected. Default 0.95. */
  readonly precision?: number;
  readonly signal?: AbortSignal | undefined;
}

/** A stretch of a video, in seconds of the file. */
export interface Stretch {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

/**
 * same: nearly all of both; contained: nearly all of one (`first` is part of `second`, or the other way round); overlap: a
 * part of each.
 */
export type DuplicateKind = 'same' | 'contained' | 'overlap';

export interface DuplicatePair {
  readonly first: Stretch;
  readonly second: Stretch;
  readonly kind: DuplicateKind;
  /** Mean cosine of the windows that lie over one another. */
  readonly similarity: number;
  /** Seconds of the second for one of the first. */
  readonly pace: number;
}

export interface Duplicates {
  readonly threshold: number;
  /** Share of `pairs` that are duplicates, as expected from how alike pairs are by chance; null: too few videos to say. */
  readonly expectedPrecision: number | null;
  /** Most alike first. */
  readonly pairs: readonly DuplicatePair[];
  /** Paths of videos that are the same as one another, by way of others too; the larger first. */
  readonly clusters: readonly (readonly string[])[];
}

/** Nearest windows that are looked at for each, beside those of its own video. */
const NEIGHBOURS = 24;
/** Pairs drawn to learn how alike videos are by chance; with fewer than LEAST of them nothing can be said. */
const DRAWN = 2000;
const LEAST_DRAWN = 20;
/** Windows that are looked for together. */
const GROUP_WINDOWS = 512;
/** Without enough videos to learn from. */
const FALLBACK = 0.95;
/** Of a video: nearly all. */
const NEARLY_ALL = 0.8;

interface Alike {
  readonly a: Video;
  readonly b: Video;
  readonly overlap: Overlap;
}

export async function findDuplicates(view: StoreView, options: DuplicateOptions): Promise<Duplicates> {
  const { threshold, precision = 0.95, signal } = options;
  const videos: Video[] = [];
  for await (const { id, record } of view.videos())
    videos.push({ id, path: record.path, timeline: timelineOf(record) });
  const vectors = new HeldVectors(view);
  const total = (videos.length * (videos.length - 1)) / 2;
  const drawn = drawPairs(videos.length).map(([i, j]) => [videos[i]!, videos[j]!] as const);
  const bar = await barOf(vectors, drawn, signal);
  const byChance: number[] = [];
  if (drawn.length >= LEAST_DRAWN)
    for await (const [a, b, scores] of vectors.compare(drawn, signal))
      byChance.push(bestOverlap(a.timeline, b.timeline, scores, bar).similarity);
  const chance = byChance.length > 0 ? chanceOf(byChance) : null;
  const alike: Alike[] = [];
  const candidates = await candidatesOf(view, videos, bar, signal);
  for await (const [a, b, scores] of vectors.compare(candidates, signal))
    alike.push({ a, b, overlap: bestOverlap(a.timeline, b.timeline, scores, bar) });
  alike.sort((x, y) => y.overlap.similarity - x.overlap.similarity);
  const chosen = choose(alike, total, chance, threshold, precision);
  const found = alike.filter(({ overlap }) => overlap.similarity >= chosen.threshold);
  const pairs = found.map(pairOf);
  return { ...chosen, pairs, clusters: clustersOf(pairs) };
}

function choose(
  alike: readonly Alike[],
  total: number,
  chance: Chance | null,
  given: number | undefined,
  precision: number,
): Pick<Duplicates, 'threshold' | 'expectedPrecision'> {
  const similarities = alike.map(({ overlap }) => overlap.similarity);
  if (given === undefined && chance)
    return thresholdFor(chance, total, similarities, precision) ?? { threshold: 1, expectedPrecision: null };
  const threshold = given ?? FALLBACK;
  const count = similarities.filter((similarity) => similarity >= threshold).length;
  if (!chance || count === 0) return { threshold, expectedPrecision: null };
  return {
    threshold,
    expectedPrecision: Math.max(0, 1 - expectedByChance(chance, total, threshold) / count),
  };
}

/** Pairs of different videos, spread evenly over all; all of them where they are few. The same each time. */
function drawPairs(count: number): [number, number][] {
  const total = (count * (count - 1)) / 2;
  const pairs: [number, number][] = [];
  const step = Math.max(1, total / DRAWN);
  for (let at = 0; Math.floor(at) < total; at += step) {
    // pair number n in the order (0,1), (0,2), (1,2), (0,3)...
    const n = Math.floor(at);
    const j = Math.floor((1 + Math.sqrt(1 + 8 * n)) / 2);
    pairs.push([n - (j * (j - 1)) / 2, j]);
  }
  return pairs;
}

/** A likeness that one window in a hundred has to a window of another video by chance. */
async function barOf(
  vectors: HeldVectors,
  drawn: readonly Pair[],
  signal: AbortSignal | undefined,
): Promise<number> {
  const scores: number[] = [];
  for await (const score of vectors.draw(drawn.slice(0, 500), 8, signal)) scores.push(score);
  scores.sort((a, b) => a - b);
  return scores[Math.floor(0.99 * scores.length)] ?? 0;
}

/** Pairs of videos of which a window of one is among the nearest of the other's, and above the bar. Each pair once. */
async function candidatesOf(
  view: StoreView,
  videos: readonly Video[],
  bar: number,
  signal: AbortSignal | undefined,
): Promise<Pair[]> {
  const rows = await view.rows(null);
  const numbers = new Map(videos.map(({ id }, number) => [id, number]));
  const seen = new Set<number>();
  const pairs: Pair[] = [];
  for (const group of groupsOf(videos)) {
    throwIfAborted(signal);
    const queries: Float32Array[] = [];
    for await (const { rows: own } of view.read(group.map(({ id }) => id))) queries.push(floatRows(own));
    const most = Math.max(...group.map(nearestOf));
    const each = await rows.nearest(joined(queries), most, signal);
    for (const video of group) {
      const i = numbers.get(video.id)!;
      for (const { video: other, score } of each
        .splice(0, video.timeline.starts.length)
        .flatMap((found) => found.slice(0, nearestOf(video)))) {
        const j = numbers.get(other)!;
        const key = Math.min(i, j) * videos.length + Math.max(i, j);
        if (i === j || score < bar || seen.has(key)) continue;
        seen.add(key);
        pairs.push([videos[Math.min(i, j)]!, videos[Math.max(i, j)]!]);
      }
    }
  }
  return pairs;
}

function nearestOf({ timeline }: Video): number {
  return NEIGHBOURS + timeline.starts.length;
}

/** Videos whose windows are looked for together. */
function* groupsOf(videos: readonly Video[]): Generator<Video[]> {
  let [group, windows]: [Video[], number] = [[], 0];
  for (const [i, video] of videos.entries()) {
    group.push(video);
    windows += video.timeline.starts.length;
    if (windows < GROUP_WINDOWS && i < videos.length - 1) continue;
    yield group;
    [group, windows] = [[], 0];
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function pairOf({ a, b, overlap }: Alike): DuplicatePair {
  const { similarity, pace } = overlap;
  const share = ([start, end]: readonly [number, number], { starts, ends }: Timeline) => {
    const all = ends.at(-1)! - starts[0]!;
    return all > 0 ? (end - start) / all : 1;
  };
  const [of, by] = [share(overlap.first, a.timeline), share(overlap.second, b.timeline)];
  const nearly = (x: number) => x >= NEARLY_ALL;
  const kind = nearly(of) && nearly(by) ? 'same' : nearly(of) || nearly(by) ? 'contained' : 'overlap';
  return {
    first: { path: a.path, start: overlap.first[0], end: overlap.first[1] },
    second: { path: b.path, start: overlap.second[0], end: overlap.second[1] },
    ...{ kind, similarity, pace },
  };
}

/** Videos that are the same, or one in the other; those that share a part alone stay apart. */
function clustersOf(pairs: readonly DuplicatePair[]): string[][] {
  const parent = new Map<string, string>();
  const rootOf = (path: string): string => {
    let root = path;
    while (parent.has(root)) root = parent.get(root)!;
    return root;
  };
  const paths = new Set<string>();
  for (const { first, second, kind } of pairs) {
    if (kind === 'overlap') continue;
    paths.add(first.path).add(second.path);
    const [x, y] = [rootOf(first.path), rootOf(second.path)];
    if (x !== y) parent.set(y, x);
  }
  const clusters = new Map<string, string[]>();
  for (const path of paths) {
    const root = rootOf(path);
    clusters.set(root, [...(clusters.get(root) ?? []), path]);
  }
  return [...clusters.values()].sort((a, b) => b.length - a.length);
}
