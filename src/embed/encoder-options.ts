/** What VideoEncoder's calls take, and the checks that come before any work. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkCount, checkOptions, checkSignal, LIMITS } from '../checks.js';
import type { InputKind } from '../data/plan.js';
import { invalidArgument, VsslError } from '../errors.js';
import type { EngineAddon, Floats } from '../native/bindings.js';

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
