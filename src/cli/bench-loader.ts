/** The cases of `bench loader`: one batch of clips, from videos, from copies of them, and from pictures in memory. */
import { basename } from 'node:path';
import type { BenchCase, PeerSpec } from '../bench/case.js';
import { type LoadOptions, loadCase } from '../bench/engine/load.js';
import { BenchFiles, type LoaderBenchSizes } from './bench-loader-files.js';

const SIZES: LoaderBenchSizes = { videos: 16, frames: 16, size: 112, pictures: 100, height: 256, width: 340 };
const VIEWS = 2; // of CVRL, whose draws and augmentations these are
const CACHE_BYTES = 2 ** 31;

/**
 * How far clips of other libraries may be from ours, relative to the norm of a clip. They round to 8 bits after every
 * operation, take hue in steps of two degrees, and place the chroma of a decoded picture a quarter of a pixel elsewhere;
 * on the textures all of this comes to 0.02 to 0.08. An operation that is left out of all clips is 0.24 or more off in
 * some of them.
 */
const PEER_TOLERANCE = 0.1;

const peers = (...names: string[]): PeerSpec[] =>
  names.map((name) => ({ module: 'load', name, tolerance: PEER_TOLERANCE }));

/** The cases, and what removes the files that they made. */
export interface LoaderBench {
  readonly cases: readonly BenchCase[];
  close(): Promise<void>;
}

/** `data`: some videos of it instead of made ones. Nothing is read or made before a case is prepared. */
export function openLoaderBench(data: string | null, sizes: Partial<LoaderBenchSizes> = {}): LoaderBench {
  const files = new BenchFiles(data, { ...SIZES, ...sizes });
  const { videos, frames, size, height, width } = files.sizes;
  const what = data === null ? `${width}x${height}` : basename(data);
  const clips = VIEWS * videos;
  const make = (
    name: string,
    options: Pick<LoadOptions, 'limit' | 'open' | 'peers' | 'call' | 'cacheBytes'>,
  ) =>
    loadCase({
      name: `${name}, ${what}: ${clips} clips ${frames}x${size}x${size}`,
      parameters: { clips, frames, size, data: what },
      clips,
      values: clips * frames * size * size * 3,
      ...options,
    });
  const decoding = peers('PyAV and OpenCV', 'OpenCV');
  const cases = [
    make('decoding alone', {
      ...{ call: 'alone', limit: 'decoding alone', open: () => files.videos() },
      peers: peers('PyAV, pictures dropped', 'OpenCV, pictures dropped'),
    }),
    make('decoding and augmentation', {
      ...{ limit: 'decoding alone', open: () => files.videos(), peers: decoding },
    }),
    make('augmentation alone', {
      ...{ limit: 'widening copy', open: () => files.memory() },
      peers: peers('torchvision by frame', 'torchvision by clip', 'OpenCV'),
    }),
    make('warm cache', {
      ...{ cacheBytes: CACHE_BYTES, limit: 'widening copy', open: () => files.videos(), peers: [] },
    }),
    make('raw copy', {
      ...{ limit: 'widening copy', open: () => files.copy('raw'), peers: peers('NumPy and OpenCV') },
    }),
    make('JPEG copy', { limit: 'decoding alone', open: () => files.copy('jpeg'), peers: decoding }),
  ];
  return { cases, close: () => files.remove() };
}
