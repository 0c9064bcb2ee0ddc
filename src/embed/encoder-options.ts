/** What VideoEncoder's calls take, and the checks that come before any work. */
import {
  checkCount,
  checkFits,
  checkOneOf,
  checkOptions,
  checkPositive,
  checkRate,
  checkSignal,
  checkText,
  type DeviceChoice,
  isFloat32Array,
  LIMITS,
  requireOptions,
} from '../checks.js';
import { INPUT_KINDS, type InputKind } from '../data/plan.js';
import { invalidArgument, type VsslError } from '../errors.js';
import type { Floats } from '../native/bindings.js';
import type { EncoderDescription } from '../weights/encoder-file.js';

/** Default of EmbedOptions.maxBytes. */
const kMaxBytes = 2 ** 30;

/** Of a network's activations, and of the weights that meet them. */
export type Precision = 'fp32' | 'bf16';

/** Where and how an encoder runs. */
export interface EncoderOptions {
  /**
   * Default `auto`: the GPU where there is one that can be used. The first call of a process that needs the engine decides
   * which build of it is loaded: that for the CPU cannot be followed by `cuda`.
   */
  readonly device?: DeviceChoice;
  /** Threads of libtorch (for the whole process) and of the decoder. Default: libtorch's own; all processors. */
  readonly threads?: number;
  /**
   * Of embed and embedMany; forward is always fp32. Default bf16 where the processor multiplies it, which is about twice
   * as fast and turns a vector by a cosine distance of about 1e-5; else fp32.
   */
  readonly precision?: Precision;
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

/** Of embedRows and embedWindows, whose videos share batches. */
export interface EmbedRowsOptions extends EmbedOptions {
  /**
   * Milliseconds for which a batch waits for more videos, where they come one by one and each has to be done soon. Default:
   * until it is full.
   */
  readonly maxWaitMs?: number;
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

/** What an untrained encoder is, by its options; `rest` says where and how it runs. */
export function describeNew(options: CreateEncoderOptions): {
  readonly description: EncoderDescription;
  readonly seed: number;
  readonly rest: EncoderOptions;
} {
  requireOptions(options, ['arch', 'width', 'seed', 'clip', 'input', 'device', 'threads', 'precision']);
  const { arch, width = 1, seed = 0, clip = {}, input = 'rgb', ...rest } = options;
  checkText('arch', 'the name of an architecture, such as r3d_18', arch);
  checkPositive('width', width);
  checkCount('seed', seed, 0);
  checkOptions(clip, ['frames', 'stride', 'size', 'fps'], 'clip');
  checkOneOf('input', input, INPUT_KINDS);
  const { frames = 16, stride = 2, size = 112, fps = null } = clip;
  if (fps !== null) checkRate('clip.fps', fps);
  checkCount('clip.frames', frames, 1, LIMITS.frames);
  checkCount('clip.stride', stride, 1, LIMITS.stride);
  checkCount('clip.size', size, 8, LIMITS.side);
  const clipBytes = 3 * Float32Array.BYTES_PER_ELEMENT * frames * size * size;
  checkFits('clip', `a clip of ${frames} frames of ${size} x ${size}`, clipBytes);
  const description: EncoderDescription = {
    ...{ method: 'none', encoder: 'encoder', model: { arch, width } },
    ...{
      clip: { frames, stride, size, fps },
      input,
      mean: [0, 0, 0],
      std: [1, 1, 1],
      shrink: 'auto',
      step: 0,
    },
  };
  return { description, seed, rest };
}

/** Checks what forward is given: clips of a shape. */
export function checkClips(clips: unknown, shape: readonly number[]): void {
  if (!Array.isArray(shape) || shape.length !== 5) throw invalidArgument('shape', '[N, 3, T, H, W]', shape);
  for (const extent of shape) checkCount('shape', extent);
  if (shape[1] !== 3) throw invalidArgument('shape[1]', '3 channels', shape[1]);
  const size = shape.reduce((a, b) => a * b, 1);
  if (!isFloat32Array(clips) || clips.length !== size)
    throw invalidArgument('clips', `a Float32Array of ${size} values`, clips);
}

/** Options of embed that are checked and have their defaults. */
export interface CheckedEmbedOptions {
  readonly windows: number;
  readonly crops: 1 | 3;
  readonly maxBytes: number;
  readonly signal: AbortSignal | undefined;
}

export function checkEmbedOptions(options: EmbedOptions, more: readonly string[] = []): CheckedEmbedOptions {
  checkOptions(options, ['clips', 'crops', 'maxBytes', 'signal', ...more]);
  const { clips = 3, crops = 1, maxBytes = kMaxBytes, signal } = options;
  checkOneOf('crops', crops, [1, 3]);
  return {
    windows: checkCount('clips', clips, 1, LIMITS.windows),
    crops,
    maxBytes: checkCount('maxBytes', maxBytes),
    signal: checkSignal(signal),
  };
}

/** How long a batch waits for more videos; undefined: until it is full. */
export function checkWait({ maxWaitMs }: EmbedRowsOptions): number | undefined {
  return maxWaitMs === undefined ? undefined : checkCount('maxWaitMs', maxWaitMs, 0, 2 ** 31 - 1);
}
