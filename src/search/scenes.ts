/**
 * A scene of several windows, found in time: where in which video does what is seen follow in the same order and at the
 * same pace? Windows that are like one of the scene's name the videos that may have it; in each of them the scene is laid
 * over the video's own windows at every place, and the place where they agree best on average counts. Windows of the scene may
 * stand closer than those of the video: one of them then lies within a fraction of a window beside each of the video's.
 */
import type { IndexView, ShardView } from './index-view.js';
import { bestOfEach, type Found, rowsToSearch, type SearchedShard, type ViewSearch } from './search-view.js';
import { dots } from './top-k.js';

/** The windows of a scene, in order: when each begins, in seconds from the first, and its vector of length 1. */
export interface Scene {
  readonly offsets: readonly number[];
  /** Seconds from the beginning of the first to the end of the last. */
  readonly length: number;
  /** One after the other. */
  readonly vectors: Float32Array;
}

/** A place in a video where a scene was found. */
export interface FoundScene {
  readonly view: ShardView;
  readonly line: number;
  readonly start: number;
  readonly end: number;
  /** Mean over the scene's windows; one that has nothing beside it counts 0. */
  readonly score: number;
}

/** Windows that are looked at for each of the scene's, and videos that it is laid over, for each that is asked for. */
const WINDOWS_EACH = 16;
const VIDEOS_EACH = 4;
const LEAST = 64;

export async function searchScenes(
  view: IndexView,
  scene: Scene,
  options: ViewSearch,
): Promise<FoundScene[]> {
  const { top, perVideo } = options;
  const shards = await rowsToSearch(view, options);
  const each = await bestOfEach(view, shards, scene.vectors, Math.max(LEAST, WINDOWS_EACH * top), options);
  const held = new Map(shards.map((shard) => [shard.view, shard]));
  const places: FoundScene[] = [];
  for (const { view: of, line } of likely(each, Math.max(LEAST, VIDEOS_EACH * top))) {
    const found = placesIn(held.get(of)!, line, scene, view.header.dim);
    places.push(...(perVideo ? found.slice(0, 1) : found));
  }
  return places.sort((a, b) => b.score - a.score).slice(0, top);
}

interface Candidate {
  readonly view: ShardView;
  readonly line: number;
  /** Of each window of the scene the best that was found in the video. */
  readonly best: Map<number, number>;
}

/** The videos that most windows of the scene speak for. */
function likely(each: readonly (readonly Found[])[], most: number): Candidate[] {
  const videos = new Map<ShardView, Map<number, Candidate>>();
  for (const [i, found] of each.entries())
    for (const { view, line, score } of found) {
      const lines = videos.get(view) ?? new Map<number, Candidate>();
      videos.set(view, lines);
      const candidate = lines.get(line) ?? { view, line, best: new Map() };
      lines.set(line, candidate);
      candidate.best.set(i, Math.max(score, candidate.best.get(i) ?? 0));
    }
  const sum = ({ best }: Candidate) => [...best.values()].reduce((a, b) => a + b, 0);
  return [...videos.values()]
    .flatMap((lines) => [...lines.values()])
    .map((candidate) => ({ candidate, sum: sum(candidate) }))
    .sort((a, b) => b.sum - a.sum)
    .slice(0, most)
    .map(({ candidate }) => candidate);
}

/** Places in one video, best first, that do not lie over one another. */
function placesIn({ view, held }: SearchedShard, line: number, scene: Scene, dim: number): FoundScene[] {
  const { lines } = view.shard;
  const { times } = lines.record(line);
  const count = lines.vectorsOf(line);
  if (times.length === 0) return [];
  const starts = Array.from({ length: count }, (_, i) => times[2 * i]!);
  const end = times[2 * count - 1]!;
  const first = held.rowOf(lines.first(line));
  const rows = held.rows.subarray(first * dim, (first + count) * dim);
  const scores = dots(scene.vectors, rows, dim);
  const step = spacing(starts);
  const isFiner = count > 1 && spacing(scene.offsets) < 0.75 * step;
  const agree = isFiner ? agreementOfFiner : agreement;
  const found = shiftsOf(scene, starts, isFiner ? step : 0)
    .map((shift) => ({ shift, score: agree(scene, starts, scores, shift, step) }))
    .sort((a, b) => b.score - a.score);
  const places: FoundScene[] = [];
  for (const { shift, score } of found) {
    const start = Math.max(shift, starts[0]!);
    const stop = Math.min(shift + scene.length, end);
    if (places.some((place) => start < place.end && stop > place.start)) continue;
    places.push({ view, line, start, end: stop, score });
  }
  return places;
}

/**
 * When the scene may begin: one of its windows, of those in its first `within` seconds or the very first, at a window of the
 * video, or any of its windows at the beginning of the video.
 */
function shiftsOf({ offsets }: Scene, starts: readonly number[], within: number): number[] {
  const first = offsets.filter((offset, i) => i === 0 || offset < within - 1e-3);
  const others = offsets.slice(first.length);
  return [
    ...first.flatMap((offset) => starts.map((start) => start - offset)),
    ...others.map((offset) => starts[0]! - offset),
  ];
}

/** Seconds from one window to the next. */
function spacing(starts: readonly number[]): number {
  const gaps = starts.slice(1).map((start, i) => start - starts[i]!);
  return gaps.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...gaps);
}

/** The mean likeness of the scene, laid over the video from `shift` on, to the windows that begin next to its own. */
function agreement(
  { offsets }: Scene,
  starts: readonly number[],
  scores: Float32Array,
  shift: number,
  step: number,
): number {
  const near = step / 2 + 1e-3;
  let sum = 0;
  let place = 0;
  for (const [i, offset] of offsets.entries()) {
    const time = shift + offset;
    while (
      place + 1 < starts.length &&
      Math.abs(starts[place + 1]! - time) <= Math.abs(starts[place]! - time)
    )
      place++;
    if (Math.abs(starts[place]! - time) <= near) sum += scores[i * starts.length + place]!;
  }
  return sum / offsets.length;
}

/** The same for a scene whose windows stand closer: the mean over the video's windows within it, those missing counted as 0. */
function agreementOfFiner(
  { offsets }: Scene,
  starts: readonly number[],
  scores: Float32Array,
  shift: number,
  step: number,
): number {
  const slack = spacing(offsets) / 2 + 1e-3;
  const [from, to] = [shift - slack, shift + offsets.at(-1)! + slack];
  let [sum, count, near] = [0, 0, 0];
  for (let i = firstFrom(starts, from); i < starts.length && starts[i]! <= to; i++) {
    const off = (j: number) => Math.abs(shift + offsets[j]! - starts[i]!);
    while (near + 1 < offsets.length && off(near + 1) <= off(near)) near++;
    sum += scores[near * starts.length + i]!;
    count++;
  }
  const missing = [starts[0]! - from, to - starts.at(-1)!].map((seconds) => Math.floor(seconds / step));
  for (const windows of missing) count += Math.max(0, windows);
  return count > 0 ? sum / count : 0;
}

/** The first window that begins at `time` or later. */
function firstFrom(starts: readonly number[], time: number): number {
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle]! < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
