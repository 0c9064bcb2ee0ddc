/** All windows of an index side by side, to be compared with one another: a copy, as floats and whitened. */

import { isFloat32Array } from '../checks.js';
import { halfToFloat } from '../data/half.js';
import type { FoundVideo, IndexView } from './index-view.js';
import type { Timeline } from './overlap.js';
import { rowsToSearch } from './search-view.js';
import { topRows } from './top-k.js';
import { newRows } from './vectors.js';
import { whiten } from './whiten.js';

export interface LibraryVideo extends FoundVideo {
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

export async function openLibrary(view: IndexView, signal: AbortSignal | undefined): Promise<Library> {
  const { dim } = view.header;
  const shards = await rowsToSearch(view, { top: 1, perVideo: false, filter: null, signal });
  const held = new Map(shards.map((shard) => [shard.view, shard.held]));
  const total = shards.reduce((sum, shard) => sum + shard.held.count, 0);
  const rows = newRows('fp32', total, dim) as Float32Array;
  const owners = new Int32Array(total);
  const videos: LibraryVideo[] = [];
  let at = 0;
  for (const video of view.videos()) {
    const { lines } = video.view.shard;
    const from = held.get(video.view)!;
    const count = lines.vectorsOf(video.line);
    const first = from.rowOf(lines.first(video.line)) * dim;
    const vectors = rows.subarray(at * dim, (at + count) * dim);
    for (let i = 0; i < vectors.length; i++) {
      const value = from.rows[first + i]!;
      vectors[i] = isFloat32Array(from.rows) ? value : halfToFloat(value);
    }
    owners.fill(videos.length, at, at + count);
    videos.push({ ...video, number: videos.length, timeline: timelineOf(video, count), vectors });
    at += count;
  }
  const whitened = videos.length >= LEAST_VIDEOS;
  if (whitened) await whiten(rows, dim, signal);
  return { dim, videos, rows, owners, whitened };
}

/** One vector for all of a video has no times. */
function timelineOf({ record: { times } }: FoundVideo, count: number): Timeline {
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
