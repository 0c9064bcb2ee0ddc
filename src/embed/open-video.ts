/** From what a caller gives as a video to what a planner needs: a row, its facts, and how to let go of what is held. */

import type { VideoFacts } from '../data/plan.js';
import { bareRow, type VideoRow } from '../data/rows.js';
import { toVsslError, VsslError } from '../errors.js';
import type { EngineAddon, NativeLoader } from '../native/bindings.js';
import { keepBytes } from './video-bytes.js';
import { evenTimes, readFacts, videoRow } from './video-facts.js';
import {
  type EncodedVideo,
  type FramesInput,
  isEncodedVideo,
  isUrl,
  pathOf,
  type VideoInput,
} from './video-input.js';

/** For frames in memory without a rate, when strides count frames: any rate gives the same clips. */
const kMemoryRate = 25;

export interface OpenVideo {
  readonly row: VideoRow;
  readonly facts: VideoFacts;
  /** Frees the copy that is held of bytes or frames. */
  close(): void;
}

export interface OpenVideoOptions {
  readonly engine: EngineAddon;
  readonly loader: NativeLoader;
  /** Rate of frames in memory that come without one. */
  readonly fps: number | null;
  /** Limit of an encoded video that is not a file. */
  readonly maxBytes: number;
  readonly signal: AbortSignal | undefined;
}

/** Throws ERR_VSSL_VIDEO_* for a video that cannot be used, and what keepBytes throws. */
export async function openVideo(video: VideoInput, options: OpenVideoOptions): Promise<OpenVideo> {
  if (typeof video === 'string' || isUrl(video)) return openFile(pathOf(video), options.engine);
  return isEncodedVideo(video) ? openBytes(video, options) : openFrames(video, options);
}

/** A video file, or a folder of pictures. */
export async function openFile(path: string, engine: EngineAddon): Promise<OpenVideo> {
  try {
    const row = await videoRow(path);
    return { row, facts: await readFacts(engine, row), close: () => {} };
  } catch (error) {
    throw naming(error, path, { path });
  }
}

async function openBytes(video: EncodedVideo, options: OpenVideoOptions): Promise<OpenVideo> {
  const { loader, maxBytes, signal } = options;
  const id = await keepBytes(loader, video, maxBytes, signal);
  const close = () => loader.removeMemoryFile(id);
  try {
    const { codec, width, height, times, end, warnings } = await loader.indexMemoryFile(id);
    const row = bareRow('the video', 'the video', { kind: 'bytes', id });
    return { row, facts: { path: row.path, codec, width, height, times, end, warnings }, close };
  } catch (error) {
    close();
    throw naming(error, 'the video', {});
  }
}

function openFrames({ frames, shape, fps }: FramesInput, options: OpenVideoOptions): OpenVideo {
  const [t, height, width] = shape;
  const rate = fps ?? options.fps ?? kMemoryRate;
  const id = options.loader.addMemoryClip(frames, t, height, width);
  const row = bareRow('frames in memory', 'frames in memory', { kind: 'memory', id, fps: rate });
  return {
    row,
    facts: { path: row.path, codec: 'raw', width, height, warnings: [], ...evenTimes(t, rate) },
    close: () => options.loader.removeMemoryClip(id),
  };
}

/** The error with the video's name in its message, where it has none. */
function naming(error: unknown, name: string, details: Record<string, unknown>): VsslError {
  const known = toVsslError(error);
  if (known.message.includes(name)) return known;
  return new VsslError(known.code, `${name}: ${known.message}`, {
    details: { ...details, ...known.details },
    cause: error,
  });
}
