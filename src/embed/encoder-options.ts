/** What VideoEncoder's calls take, and the checks that come before any work. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { checkCount, checkOptions, checkRate, checkSignal, isUint8Array, LIMITS } from '../checks.js';
import type { InputKind } from '../data/plan.js';
import { invalidArgument, VsslError } from '../errors.js';
import type { EngineAddon, Floats } from '../native/bindings.js';
import { isEncodedVideo, isUrl, pathOf } from './video-kinds.js';

/** Default of EmbedOptions.maxBytes. */
const kMaxBytes = 2 ** 30;

/** Where and how an encoder runs. */
export interface EncoderOptions {
  /** Default `auto`: the GPU when libtorch can use one. */
  readonly device?: 'auto' | 'cpu' | 'cuda';
  /** Threads of libtorch (for the whole process) and of the decoder. Default: libtorch's own; all processors. */
  readonly threads?: number;
  /** Of embed and embedMany; forward is always fp32. Default fp32. */
  readonly precision?: 'fp32' | 'bf16';
}

/** An untrained encoder. */
export interface CreateEncoderOptions extends EncoderOptions {
  /** r3d_10, r3d_18, r3d_34, r3d_50, mc3_18, r2plus1d_18 or c3d. */
  readonly arch: string;
  /** Factor on every channel count. Default 1. */
  readonly width?: number;
  /** Of the weights. Default 0. */
  readonly seed?: number;
  /**
   * Clips that embed cuts: pictures, their distance in frames, pixels; frames a second that the stride counts, null for
   * each video's own. Default 16, 2, 112, null.
   */
  readonly clip?: {
    readonly frames?: number;
    readonly stride?: number;
    readonly size?: number;
    readonly fps?: number | null;
  };
  /** Default rgb. */
  readonly input?: InputKind;
}

export interface EmbedOptions {
  /** Windows, evenly spaced over the video, whose vectors are averaged. Default 3. */
  readonly clips?: number;
  /** Crops of each window: 1, the centre; 3, both ends of the longer side and the centre. Default 1. */
  readonly crops?: 1 | 3;
  /**
   * Bytes that an encoded video may have that is not a file on disk (an array, a Blob, a stream). One that has more is
   * refused with ERR_VSSL_TOO_LARGE before memory is taken for it, and its stream is destroyed. Default 2 ** 30 (1 GiB).
   */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

/** A vector, and what was wrong with the video. */
export interface EmbedResult {
  /** As embed gives it without `details`. */
  readonly vector: Floats;
  /** Sentences about a damaged or unusual video, and about what of it could not be decoded. Empty for a sound one. */
  readonly warnings: readonly string[];
}

/** What embedMany gives for each video. */
export type EmbedManyResult = {
  /** The path; a Blob's name where it has one (a File); else `#` and the index. */
  readonly path: string;
  /** Number of the video in the order of the input, from 0. */
  readonly index: number;
} & (EmbedResult | { readonly error: VsslError });

/**
 * An encoded video file that is not on disk: its bytes, or a stream of them. The bytes are copied while a call runs, so
 * leave an array as it is until then. A stream is read to its end by the call and by nothing else; it is destroyed
 * when the call fails or is aborted.
 */
export type EncodedVideo =
  | Uint8Array
  | ArrayBuffer
  | SharedArrayBuffer
  | Blob
  | Readable
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>;

/**
 * Frames in memory: uint8 RGB of shape (T, H, W, 3), `fps` of them a second. Without `fps` they are taken to come at the
 * rate that the encoder's clips are cut at, so that its stride counts them as they are.
 */
export interface FramesInput {
  readonly frames: Uint8Array;
  readonly shape: readonly [t: number, h: number, w: number, channels: 3];
  readonly fps?: number;
}

/** A video file by its path or file URL (or a folder of pictures), an encoded video in memory, or its frames. */
export type VideoInput = string | URL | EncodedVideo | FramesInput;

export interface InputSize {
  readonly frames: number;
  readonly stride: number;
  readonly fps: number | null;
  readonly height: number;
  readonly width: number;
}

/** The weights file behind a path: the file itself, or that of a run folder. Throws ERR_VSSL_FILE. */
export async function weightsFile(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  if (!found?.isDirectory()) return path;
  const inside = join(path, 'weights.safetensors');
  if (await stat(inside).catch(() => null)) return inside;
  throw new VsslError(
    'ERR_VSSL_FILE',
    `${path} holds no weights.safetensors: training writes it with its first checkpoint; give a run folder or a weights file`,
    { details: { path } },
  );
}

/** `auto` is the GPU when there is one. Throws ERR_VSSL_CUDA_UNAVAILABLE when one was asked for. */
export function chooseDevice(engine: EngineAddon, device: 'auto' | 'cpu' | 'cuda'): 'cpu' | 'cuda' {
  if (device === 'cpu') return 'cpu';
  const { cudaAvailable, cudaReason } = engine.info();
  if (cudaAvailable) return 'cuda';
  if (device === 'auto') return 'cpu';
  throw new VsslError(
    'ERR_VSSL_CUDA_UNAVAILABLE',
    `device 'cuda' was asked for: ${cudaReason || 'there is none'}`,
  );
}

/** Options of embed, with their defaults. */
export function checkEmbedOptions(
  options: EmbedOptions,
  more: readonly string[] = [],
): {
  windows: number;
  crops: 1 | 3;
  maxBytes: number;
  signal: AbortSignal | undefined;
} {
  checkOptions(options, ['clips', 'crops', 'maxBytes', 'signal', ...more]);
  const { clips = 3, crops = 1, maxBytes = kMaxBytes, signal } = options;
  if (crops !== 1 && crops !== 3) throw invalidArgument('crops', '1 or 3', crops);
  return {
    windows: checkCount('clips', clips, 1, LIMITS.windows),
    crops,
    maxBytes: checkCount('maxBytes', maxBytes),
    signal: checkSignal(signal),
  };
}

/** Refuses what is no video. */
export function checkVideo(video: VideoInput): VideoInput {
  if (typeof video === 'string' || isUrl(video)) {
    pathOf(video);
    return video;
  }
  if (isEncodedVideo(video)) return video;
  const expected =
    'a path, a file URL, the bytes of an encoded file (Uint8Array, Blob, stream) or { frames: Uint8Array, shape: [T, H, W, 3], fps? }';
  if (typeof video !== 'object' || video === null || !('frames' in video))
    throw invalidArgument('video', expected, video);
  checkOptions(video, ['frames', 'shape', 'fps'], 'video');
  const { frames, shape, fps } = video;
  if (fps !== undefined) checkRate('video.fps', fps);
  if (!Array.isArray(shape) || shape.length !== 4 || shape[3] !== 3)
    throw invalidArgument('video.shape', '[T, H, W, 3]', shape);
  for (const [i, extent] of shape.entries())
    checkCount('video.shape', extent, 1, i === 1 || i === 2 ? LIMITS.side : undefined);
  const bytes = shape.reduce((a, b) => a * b, 1);
  if (!isUint8Array(frames) || frames.length !== bytes)
    throw invalidArgument('video.frames', `a Uint8Array of ${bytes} bytes`, frames);
  return video;
}
