/**
 * Videos compared by their pictures: vectors say which pairs come into question and where, and then one video is laid over
 * the other. What is found is the same footage, not what looks alike.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { throwIfAborted } from '../checks.js';
import { noneUsable, type UnusableVideo, unusableVideo } from '../embed/unusable.js';
import { isEnvironmentCode, toVsslError } from '../errors.js';
import { openEngine } from '../native/load.js';
import type { Alike, Compared, CompareOptions } from './alike.js';
import { barOf, candidates, drawPairs } from './candidates.js';
import { type FrameTrack, RATE, TrackReader } from './frame-track.js';
import { layOver } from './lay-over.js';
import type { Library, LibraryVideo } from './library.js';
import { chanceBetween, chooseThreshold } from './threshold.js';
import { dots } from './top-k.js';

/** Where nothing can be learned. Fixed on other clips than those of docs/search.md. */
const USUAL = 0.55;
/** Hardly any duplicate is less alike than the second, and what lies between the two says how others fall off. */
const OTHERS = { low: 0.15, high: 0.45, least: 20 };
/** Less is never taken for the same. */
const FLOOR = 0.5;
/** Pictures of both videos together up to which every place is tried, whatever the vectors say. */
const SHORT = 256;
/** Pairs of windows, the most alike ones, that name places of longer videos. */
const HINTS = 12;

export async function comparePictures(
  library: Library,
  { threshold, precision, signal, onProgress }: CompareOptions,
): Promise<Compared> {
  const { videos } = library;
  const bar = library.whitened ? barOf(library, drawPairs(videos.length)) : -1;
  const pairs: [number, number][] = [];
  for await (const pair of candidates(library, bar, signal)) pairs.push(pair);
  // those of one video follow one another: its pictures are read once
  pairs.sort(([i, j], [k, l]) => i - k || j - l);
  const tracks = await openTracks(signal);
  try {
    const alike: Alike[] = [];
    let turn = performance.now();
    for (const [done, [i, j]] of pairs.entries()) {
      throwIfAborted(signal);
      const [a, b] = [videos[i]!, videos[j]!];
      const [first, second] = await Promise.all([tracks.of(a), tracks.of(b)]);
      const laid =
        first && second && layOver(first, second, hintsOf(library, a, b, first, second), nearOf(a, b));
      if (laid) alike.push({ a, b, ...laid, similarity: laid.likeness });
      onProgress?.(done + 1, pairs.length);
      if (performance.now() - turn < 10) continue;
      await nextTurn();
      turn = performance.now();
    }
    const { unread, read } = tracks;
    if (read === 0 && unread.length > 0) throw noneUsable(unread.length, unread);
    const found = alike.map(({ similarity }) => similarity);
    const how = { given: threshold, precision, usual: USUAL, floor: FLOOR };
    return { ...chooseThreshold(chanceBetween(found, OTHERS), found, how), alike, unread };
  } finally {
    tracks.close();
  }
}

/** The pictures of the videos of a library, and which of them cannot be had. */
async function openTracks(signal: AbortSignal | undefined) {
  const engine = await openEngine('cpu');
  const loader = engine.createLoader({ threads: 2, cacheBytes: 0 });
  const reader = new TrackReader(engine, loader);
  const unread = new Map<number, UnusableVideo>();
  const read = new Set<number>();
  return {
    async of({ path, number, timeline: { starts, ends } }: LibraryVideo): Promise<FrameTrack | null> {
      if (unread.has(number)) return null;
      try {
        const track = await reader.read(path, starts[0]!, ends.at(-1)!, signal);
        read.add(number);
        return track;
      } catch (error) {
        throwIfAborted(signal);
        const fault = toVsslError(error);
        if (isEnvironmentCode(fault.code)) throw fault;
        unread.set(number, unusableVideo(path, fault));
        return null;
      }
    },
    get unread() {
      return [...unread.values()];
    },
    get read() {
      return read.size;
    },
    close: () => loader.dispose(),
  };
}

/** Seconds from the beginning of the first's pictures to that of the second's at places that windows are alike at. */
function hintsOf(
  { dim }: Library,
  a: LibraryVideo,
  b: LibraryVideo,
  first: FrameTrack,
  second: FrameTrack,
): number[] | null {
  if (first.count + second.count <= SHORT) return null;
  const scores = dots(a.vectors, b.vectors, dim);
  const count = b.timeline.starts.length;
  const order = Uint32Array.from(scores.keys()).sort((p, q) => scores[q]! - scores[p]!);
  return Array.from(order.subarray(0, HINTS), (at) => {
    const [own, other] = [Math.floor(at / count), at % count];
    return b.timeline.starts[other]! - second.start - (a.timeline.starts[own]! - first.start);
  });
}

/** Seconds by which a window may be off that is the nearest one: half of what lies between two. */
function nearOf(a: LibraryVideo, b: LibraryVideo): number {
  const gap = ({ timeline: { starts } }: LibraryVideo) =>
    starts.length > 1 ? (starts.at(-1)! - starts[0]!) / (starts.length - 1) : 1;
  return Math.max(gap(a), gap(b)) / 2 + 1 / RATE;
}
