/** All windows of an index side by side, to be compared with one another: a copy, as floats and whitened. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { throwIfAborted } from '../checks.js';
import type { Timeline } from './overlap.js';
import type { VideoRecord } from './row-lines.js';
import type { StoreView, VideoId } from './store.js';
import { topRows } from './top-k.js';
import { floatRows, newRows } from './vectors.js';
import { whiten } from './whiten.js';

export interface LibraryVideo {
  readonly path: string;
  readonly number: number;
  readonly timeline: Timeline;
  /** Of length 1, one after the other. */
  readonly vectors: Float32Array;
}

export interface Library {
  readonly dim: number;
  readonly videos: readonly LibraryVideo[];
  /** The vectors of all videos, in their order. */
  readonly rows: Float32Array;
  /** Number of the video that each row is of. */
  readonly owners: Int32Array;
  /** Cosines are about 0 by chance. With fewer than LEAST_VIDEOS nothing is known of chance, and vectors are as they were. */
  readonly whitened: boolean;
}

/** Fewer say nothing about how alike videos are by chance. */
const LEAST_VIDEOS = 7;

/** Videos that are read before others get their turn. */
const READ_A_TURN = 256;

export async function openLibrary(view: StoreView, signal: AbortSignal | undefined): Promise<Library> {
  const { dim } = view.header;
  const found: { id: VideoId; path: string; timeline: Timeline }[] = [];
  for await (const { id, record } of view.videos())
    found.push({ id, path: record.path, timeline: timelineOf(record) });
  const total = found.reduce((sum, { timeline }) => sum + timeline.starts.length, 0);
  const rows = newRows('fp32', total, dim) as Float32Array;
  const owners = new Int32Array(total);
  const videos: LibraryVideo[] = [];
  let at = 0;
  for await (const { rows: kept } of view.read(found.map(({ id }) => id))) {
    const number = videos.length;
    if (number % READ_A_TURN === READ_A_TURN - 1) await nextTurn();
    throwIfAborted(signal);
    const { path, timeline } = found[number]!;
    const end = at + timeline.starts.length;
    const vectors = rows.subarray(at * dim, end * dim);
    vectors.set(floatRows(kept));
    owners.fill(number, at, end);
    videos.push({ path, number, timeline, vectors });
    at = end;
  }
  const whitened = videos.length >= LEAST_VIDEOS;
  if (whitened) await whiten(rows, dim, signal);
  return { dim, videos, rows, owners, whitened };
}

/** One vector for all of a video has no times. */
function timelineOf({ times }: VideoRecord): Timeline {
  const count = Math.max(1, times.length / 2);
  const at = (i: number) => times[i] ?? 0;
  return {
    starts: Array.from({ length: count }, (_, i) => at(2 * i)),
    ends: Array.from({ length: count }, (_, i) => at(2 * i + 1)),
  };
}

/** Videos with a window among the `most` nearest of one of this video's, and above the bar. */
export async function nearVideos(
  { dim, rows, owners }: Library,
  { vectors, timeline }: LibraryVideo,
  {
    most,
    bar,
    signal,
  }: { readonly most: number; readonly bar: number; readonly signal: AbortSignal | undefined },
): Promise<Set<number>> {
  // windows of the video itself are nearest, and take no other's place
  const k = Math.min(most + timeline.starts.length, owners.length);
  const { indices, scores } = await topRows(vectors.slice(), rows, { dim, k, type: 'fp32', signal });
  const near = new Set<number>();
  for (const [at, row] of indices.entries()) if (scores[at]! >= bar) near.add(owners[row]!);
  return near;
}
