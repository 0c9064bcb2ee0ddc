/** The pictures of a video, small, grey and at a steady rate: what two videos are compared by when one is laid over the other. */
import { throwIfAborted } from '../checks.js';
import { plainAugment } from '../data/augment/draw-augment.js';
import { luma } from '../data/luma.js';
import { type ClipPlan, PLAN_VERSION } from '../data/plan.js';
import { clipFailure } from '../embed/clip-failure.js';
import { readFacts, videoRow } from '../embed/video-facts.js';
import type { VsslError } from '../errors.js';
import type { EngineAddon, NativeLoader } from '../native/bindings.js';
import { type Crop, coarsen, GRID_SIZE, gridOf, resample, SIDE, WHOLE } from './resample.js';

/** Pictures a second, each from the middle of its time: of two videos that show the same, one is 1/16 s off at most. */
export const RATE = 8;

export interface FrameTrack {
  /** Seconds of the file: the first picture, and where the video ends. */
  readonly start: number;
  readonly end: number;
  readonly count: number;
  /** (count, SIDE, SIDE) from 0 to 255: all of the picture, squeezed to a square. */
  readonly grey: Uint8Array;
  /** (count, GRID_SIZE): the same by a grid of means. */
  readonly whole: Float32Array;
  /** (count, COARSE_SIZE), of length 1: all of each picture and its middle, for a first look. */
  readonly coarse: { readonly whole: Float32Array; readonly middle: Float32Array };
}

/** Pictures that are decoded by one call: 6 MB. */
const CHUNK = 512;
/** What a crop leaves, about: it lies nearer to it than to all of the picture. */
const MIDDLE: Crop = { x: 0.05, y: 0.05, size: 0.9 };
/** Bytes of tracks that are kept for the next pair: some seven hours of video. */
const KEPT_BYTES = 2 ** 29;

/** Tracks of videos; what was read lately is there at once. */
export class TrackReader {
  readonly #engine: Pick<EngineAddon, 'indexVideo'>;
  readonly #loader: Pick<NativeLoader, 'load'>;
  readonly #kept = new Map<string, Promise<FrameTrack>>();
  #bytes = 0;

  constructor(engine: Pick<EngineAddon, 'indexVideo'>, loader: Pick<NativeLoader, 'load'>) {
    this.#engine = engine;
    this.#loader = loader;
  }

  /** From `start` to `end` seconds of the file; all of it where `end` is not after `start`. Throws ERR_VSSL_VIDEO_*. */
  async read(path: string, start: number, end: number, signal?: AbortSignal): Promise<FrameTrack> {
    const key = `${start} ${end} ${path}`;
    const kept = this.#kept.get(key);
    if (kept) {
      // the last is the one that was used last
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      return kept;
    }
    const reading = this.#decode(path, start, end, signal);
    this.#kept.set(key, reading);
    const track = await reading;
    this.#bytes += bytesOf(track);
    await this.#forget(key);
    return track;
  }

  /** Those that were not used for longest, until the others have room. */
  async #forget(except: string): Promise<void> {
    for (const [key, reading] of this.#kept) {
      if (this.#bytes <= KEPT_BYTES) return;
      if (key === except) continue;
      this.#kept.delete(key);
      const track = await reading.catch(() => null);
      if (track) this.#bytes -= bytesOf(track);
    }
  }

  async #decode(path: string, from: number, to: number, signal?: AbortSignal): Promise<FrameTrack> {
    const row = await videoRow(path);
    const { width, height, times, end: last } = await readFacts(this.#engine, row);
    const [start, end] = to > from ? [from, Math.min(to, last)] : [times[0] ?? 0, last];
    const count = Math.max(1, Math.round((end - start) * RATE));
    const grey = new Uint8Array(count * SIDE * SIDE);
    const base: Omit<ClipPlan, 'times'> = {
      ...{ source: row.source, modality: 'rgb', height: SIDE, width: SIDE },
      // means over whole pixels first: a plain small picture would leave most of them out
      shrink: Math.max(1, Math.floor(Math.min(height, width) / SIDE)),
      ...{ augment: [plainAugment([0, 0, 1, 1])], input: 'rgb', mean: [0, 0, 0], std: [1, 1, 1] },
    };
    let fault: VsslError | null = null;
    let sound = 0;
    for (const spans: Span[] = chunksOf(count); spans.length > 0; ) {
      throwIfAborted(signal);
      const [at, many] = spans.pop()!;
      const clip = { ...base, times: Array.from({ length: many }, (_, i) => start + (at + i + 0.5) / RATE) };
      const { batch, failures } = await this.#loader.load({
        version: PLAN_VERSION,
        views: [{ name: 'frames', clips: [clip] }],
      });
      try {
        if (failures[0]) {
          fault ??= clipFailure(failures[0]);
          // damage takes a second of pictures, not all of them: what is not known stays black, and is like nothing
          if (many > RATE) spans.push(...halvesOf(at, many));
          continue;
        }
        greyOf(batch.toFloat32('frames'), grey.subarray(at * SIDE * SIDE));
        sound += many;
      } finally {
        batch.dispose();
      }
    }
    if (fault && sound === 0) throw fault;
    return trackOf(start, end, grey);
  }
}

/** `grey`: (n, SIDE, SIDE), n pictures from `start` on. */
export function trackOf(start: number, end: number, grey: Uint8Array): FrameTrack {
  const count = grey.length / (SIDE * SIDE);
  const whole = gridsOf(grey, count, WHOLE);
  const coarse = { whole: coarsen(whole), middle: coarsen(gridsOf(grey, count, MIDDLE)) };
  return { start, end, count, grey, whole, coarse };
}

type Span = readonly [at: number, count: number];

/** The first one last. */
function chunksOf(count: number): Span[] {
  const chunks: Span[] = [];
  for (let at = 0; at < count; at += CHUNK) chunks.unshift([at, Math.min(CHUNK, count - at)]);
  return chunks;
}

function halvesOf(at: number, count: number): Span[] {
  const half = count >> 1;
  return [
    [at + half, count - half],
    [at, half],
  ];
}

function bytesOf({ grey, whole, coarse }: FrameTrack): number {
  return grey.byteLength + whole.byteLength + 2 * coarse.whole.byteLength;
}

function greyOf(rgb: Float32Array, out: Uint8Array): void {
  for (let i = 0; 3 * i < rgb.length; i++)
    out[i] = Math.min(
      255,
      Math.max(0, Math.round(255 * luma(rgb[3 * i]!, rgb[3 * i + 1]!, rgb[3 * i + 2]!))),
    );
}

function gridsOf(grey: Uint8Array, count: number, crop: Crop): Float32Array {
  const grids = new Float32Array(count * GRID_SIZE);
  const grid = gridOf(crop);
  for (let i = 0; i < count; i++) resample(grey, i, grid, grids, i * GRID_SIZE);
  return grids;
}
