/** Pairs of videos that may show the same, by their vectors: of half a million pairs some thousands. */
import { throwIfAborted } from '../checks.js';
import { type Library, type LibraryVideo, nearVideos } from './library.js';
import { dots } from './top-k.js';

/** Nearest windows that are looked at for each, beside those of its own video. */
const NEIGHBOURS = 24;
/** Pairs drawn to learn how alike videos are by chance. */
const DRAWN = 2000;

/** Pairs of different videos, spread evenly over all; all of them where they are few. The same each time. */
export function drawPairs(count: number): [number, number][] {
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
export function barOf({ videos, dim }: Library, drawn: readonly [number, number][]): number {
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

/** Pairs of videos of which a window of one is among the nearest of the other's, and above the bar. Each pair once. */
export async function* candidates(
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
