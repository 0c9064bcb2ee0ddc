/**
 * A scene of several windows, found in time: where in which video does what is seen follow in the same order and at the
 * same pace? Windows that are like one of the scene's name the videos that may have it; in each of them the scene is laid
 * over the video's own windows at every place, and the place where they agree best on average counts. Windows of the scene may
 * stand closer than those of the video: one of them then lies within a fraction of a window beside each of the video's.
 */
import { throwIfAborted } from '../checks.js';
import type { ViewSearch } from './search-view.js';
import type { Found, NewVideo, StoredVideo, StoreView, VideoId } from './store.js';
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
  readonly video: StoredVideo;
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
  view: StoreView,
  scene: Scene,
  { top, perVideo, filter, signal }: ViewSearch,
): Promise<FoundScene[]> {
  const rows = await view.rows(filter);
  const each = await rows.nearest(scene.vectors, Math.max(LEAST, WINDOWS_EACH * top), signal);
  const places: FoundScene[] = [];
  for await (const video of view.read(likely(each, Math.max(LEAST, VIDEOS_EACH * top)))) {
    throwIfAborted(signal);
    const found = placesIn(video, scene, view.header.dim);
    places.push(...(perVideo ? found.slice(0, 1) : found));
  }
  return places.sort((a, b) => b.score - a.score).slice(0, top);
}

/** The videos that most windows of the scene speak for. */
function likely(each: readonly (readonly Found[])[], most: number): VideoId[] {
  // of each window of the scene the best that was found in the video
  const videos = new Map<VideoId, Map<number, number>>();
  for (const [i, found] of each.entries())
    for (const { video, score } of found) {
      const best = videos.get(video) ?? new Map<number, number>();
      videos.set(video, best);
      best.set(i, Math.max(score, best.get(i) ?? 0));
    }
  return [...videos]
    .map(([video, best]) => ({ video, sum: [...best.values()].reduce((a, b) => a + b, 0) }))
    .sort((a, b) => b.sum - a.sum)
    .slice(0, most)
    .map(({ video }) => video);
}

/** Places in one video, best first, that do not lie over one another. */
function placesIn(video: StoredVideo & NewVideo, scene: Scene, dim: number): FoundScene[] {
  const { record, rows } = video;
  const { times } = record;
  const count = rows.length / dim;
  if (times.length === 0) return [];
  const starts = Array.from({ length: count }, (_, i) => times[2 * i]!);
  const end = times[2 * count - 1]!;
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
    places.push({ video, start, end: stop, score });
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
