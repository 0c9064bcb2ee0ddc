/** What VideoEncoder's calls take, and the checks that come before any work. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkCount, checkOptions, checkRate, checkSignal, isUint8Array, LIMITS } from '../checks.js';
import type { InputKind } from '../data/plan.js';
import { invalidArgument, VsslError } from '../errors.js';
import type { EngineAddon } from '../native/bindings.js';

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
  readonly signal?: AbortSignal;
}

/**
 * A video file, or frames in memory: uint8 RGB of shape (T, H, W, 3), `fps` of them a second. Without `fps` they are
 * taken to come at the rate that the encoder's clips are cut at, so that its stride counts them as they are.
 */
export type VideoInput =
  | string
  | {
      readonly frames: Uint8Array;
      readonly shape: readonly [t: number, h: number, w: number, channels: 3];
      readonly fps?: number;
    };

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
export function checkEmbedOptions(options: EmbedOptions): {
  windows: number;
  crops: 1 | 3;
  signal: AbortSignal | undefined;
} {
  checkOptions(options, ['clips', 'crops', 'signal']);
  const { clips = 3, crops = 1, signal } = options;
  if (crops !== 1 && crops !== 3) throw invalidArgument('crops', '1 or 3', crops);
  return { windows: checkCount('clips', clips, 1, LIMITS.windows), crops, signal: checkSignal(signal) };
}

/** Refuses what is no video. */
export function checkVideo(video: VideoInput): VideoInput {
  if (typeof video === 'string') return video;
  const expected = 'a path or { frames: Uint8Array, shape: [T, H, W, 3], fps? }';
  if (typeof video !== 'object' || video === null) throw invalidArgument('video', expected, video);
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
