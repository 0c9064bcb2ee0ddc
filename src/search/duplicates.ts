/** Videos of an index that show the same, all of it or a part. Exact: every window is compared with every other. */
import { throwIfAborted } from '../checks.js';
import { type Library, type LibraryVideo, nearVideos, openLibrary } from './library.js';
import { bestOverlap, type Overlap, type Timeline } from './overlap.js';
import type { StoreView } from './store.js';
import { type Chance, chanceOf, expectedByChance, thresholdFor } from './threshold.js';
import { dots } from './top-k.js';

export interface DuplicateOptions {
  /** Likeness from which on two stretches count as the same, above 0 to 1. Default: chosen on the data for `precision`. */
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
  /** How much of the video it is; 1: all. */
  readonly share: number;
}

/**
 * same: nearly all of both, a `share` of 0.8 or more; contained: nearly all of one, whose `share` says which; overlap: a part
 * of each.
 */
export type DuplicateKind = 'same' | 'contained' | 'overlap';

export interface DuplicatePair {
  readonly first: Stretch;
  readonly second: Stretch;
  readonly kind: DuplicateKind;
  /** Mean likeness of the windows that lie over one another, and of one more that has nothing in common: 0 to 1. */
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
/** Without enough videos to learn from. */
const FALLBACK = 0.95;
/** Of a video: nearly all. */
const NEARLY_ALL = 0.8;

interface Alike {
  readonly a: LibraryVideo;
  readonly b: LibraryVideo;
  readonly overlap: Overlap;
  readonly similarity: number;
}

export async function findDuplicates(view: StoreView, options: DuplicateOptions): Promise<Duplicates> {
  const { threshold, precision = 0.95, signal } = options;
  const library = await openLibrary(view, signal);
  const { videos } = library;
  const total = (videos.length * (videos.length - 1)) / 2;
  const drawn = drawPairs(videos.length);
  const bar = barOf(library, drawn);
  const compare = (i: number, j: number) => alikeOf(library, videos[i]!, videos[j]!, bar);
  const chance =
    drawn.length < LEAST_DRAWN ? null : chanceOf(drawn.map(([i, j]) => compare(i, j).similarity));
  const alike: Alike[] = [];
  for await (const [i, j] of candidates(library, bar, signal)) alike.push(compare(i, j));
  alike.sort((x, y) => y.similarity - x.similarity);
  const chosen = choose(alike, total, chance, threshold, precision);
  const pairs = alike.filter(({ similarity }) => similarity >= chosen.threshold).map(pairOf);
  return { ...chosen, pairs, clusters: clustersOf(pairs) };
}

function choose(
  alike: readonly Alike[],
  total: number,
  chance: Chance | null,
  given: number | undefined,
  precision: number,
): Pick<Duplicates, 'threshold' | 'expectedPrecision'> {
  const similarities = alike.map(({ similarity }) => similarity);
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

/** A likeness that one window in ten has to a window of another video by chance. */
function barOf({ videos, dim }: Library, drawn: readonly [number, number][]): number {
  const scores: number[] = [];
  for (const [i, j] of drawn.slice(0, 500)) {
    const [a, b] = [videos[i]!, videos[j]!];
    const row = ({ vectors }: LibraryVideo, at: number) => vectors.subarray(at * dim, (at + 1) * dim);
    for (let k = 0; k < 8; k++) {
      const from = (k * 7) % a.timeline.starts.length;
      const to = (k * 5) % b.timeline.starts.length;
      scores.push(dots(row(a, from), row(b, to), dim)[0]!);
    }
  }
  scores.sort((a, b) => a - b);
  return scores[Math.floor(0.9 * scores.length)] ?? 0;
}

/** A short stretch that is alike says less than a long one: as if one more window had nothing in common. */
function alikeOf({ dim, whitened }: Library, a: LibraryVideo, b: LibraryVideo, bar: number): Alike {
  const overlap = bestOverlap(a.timeline, b.timeline, dots(a.vectors, b.vectors, dim), bar);
  const { similarity, windows } = overlap;
  return { a, b, overlap, similarity: whitened ? (similarity * windows) / (windows + 1) : similarity };
}

/** Pairs of videos of which a window of one is among the nearest of the other's, and above the bar. Each pair once. */
async function* candidates(
  library: Library,
  bar: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<[number, number]> {
  const { videos } = library;
  const seen = new Set<number>();
  for (const video of videos) {
    throwIfAborted(signal);
    const i = video.number;
    for (const j of await nearVideos(library, video, { most: NEIGHBOURS, bar, signal })) {
      const key = Math.min(i, j) * videos.length + Math.max(i, j);
      if (i === j || seen.has(key)) continue;
      seen.add(key);
      yield [Math.min(i, j), Math.max(i, j)];
    }
  }
}

function pairOf({ a, b, overlap, similarity }: Alike): DuplicatePair {
  const { pace } = overlap;
  const share = ([start, end]: readonly [number, number], { starts, ends }: Timeline) => {
    const all = ends.at(-1)! - starts[0]!;
    return all > 0 ? (end - start) / all : 1;
  };
  const [of, by] = [share(overlap.first, a.timeline), share(overlap.second, b.timeline)];
  const nearly = (x: number) => x >= NEARLY_ALL;
  const kind = nearly(of) && nearly(by) ? 'same' : nearly(of) || nearly(by) ? 'contained' : 'overlap';
  return {
    first: { path: a.path, start: overlap.first[0], end: overlap.first[1], share: of },
    second: { path: b.path, start: overlap.second[0], end: overlap.second[1], share: by },
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
