/** Pairs of videos whose windows are compared, each with each. */
import { throwIfAborted } from '../checks.js';
import type { Timeline } from './overlap.js';
import type { VideoRecord } from './row-lines.js';
import type { StoreView, VideoId } from './store.js';
import { dots } from './top-k.js';
import { floatRows } from './vectors.js';

export interface Video {
  readonly id: VideoId;
  readonly path: string;
  readonly timeline: Timeline;
}

export type Pair = readonly [Video, Video];

/** Numbers of vectors that are held at once. */
const MOST_HELD = 2 ** 26;

/** One vector for all of a video has no times. */
export function timelineOf({ times }: VideoRecord): Timeline {
  const count = Math.max(1, times.length / 2);
  const at = (i: number) => times[i] ?? 0;
  return {
    starts: Array.from({ length: count }, (_, i) => at(2 * i)),
    ends: Array.from({ length: count }, (_, i) => at(2 * i + 1)),
  };
}

/** Vectors of some videos at a time: those of all may be more than there is memory. */
export class HeldVectors {
  readonly #view: StoreView;
  readonly #held = new Map<Video, Float32Array>();
  #numbers = 0;

  constructor(view: StoreView) {
    this.#view = view;
  }

  /** Of each pair the likeness of each window of the first video to each of the second, (first, second). */
  async *compare(
    pairs: readonly Pair[],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<readonly [Video, Video, Float32Array]> {
    const { dim } = this.#view.header;
    for await (const [some, of] of this.#some(pairs, signal))
      for (const [a, b] of some) yield [a, b, dots(of.get(a)!, of.get(b)!, dim)];
  }

  /** Windows of a pair. */
  async *draw(
    pairs: readonly Pair[],
    count: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<number> {
    const { dim } = this.#view.header;
    for await (const [some, of] of this.#some(pairs, signal))
      for (const [a, b] of some) {
        const row = (video: Video, i: number) => {
          const at = (i % video.timeline.starts.length) * dim;
          return of.get(video)!.subarray(at, at + dim);
        };
        for (let k = 0; k < count; k++) yield dots(row(a, 7 * k), row(b, 5 * k), dim)[0]!;
      }
  }

  /** As many of the pairs at a time as there is room for the vectors of. */
  async *#some(
    pairs: readonly Pair[],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<readonly [Pair[], ReadonlyMap<Video, Float32Array>]> {
    const { dim } = this.#view.header;
    let [some, missing]: [Pair[], Set<Video>] = [[], new Set()];
    let numbers = this.#numbers;
    for (const [i, pair] of pairs.entries()) {
      some.push(pair);
      for (const video of pair) {
        if (this.#held.has(video) || missing.has(video)) continue;
        missing.add(video);
        numbers += video.timeline.starts.length * dim;
      }
      if (numbers < MOST_HELD && i < pairs.length - 1) continue;
      throwIfAborted(signal);
      await this.#load([...missing]);
      yield [some, this.#held];
      if (numbers >= MOST_HELD) this.#held.clear();
      this.#numbers = numbers >= MOST_HELD ? 0 : numbers;
      [some, missing, numbers] = [[], new Set(), this.#numbers];
    }
  }

  async #load(videos: readonly Video[]): Promise<void> {
    const byId = new Map(videos.map((video) => [video.id, video]));
    for await (const { id, rows } of this.#view.read([...byId.keys()]))
      this.#held.set(byId.get(id)!, floatRows(rows));
  }
}
