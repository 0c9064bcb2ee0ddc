import { checkCount, checkOneOf, requireOptions } from '../checks.js';
import { coded, codedAsync } from '../errors.js';
import type { Floats, KernelsAddon } from '../native/bindings.js';
import { loadKernels } from '../native/load.js';
import { checkThreads } from './arguments.js';
import { type Clip, checkClip, MOST_FRAMES, outputOf } from './clip-arguments.js';

/** 'signal': what is left of every frame; 'energy': its sum of squares over time. */
export type MotionOutput = 'signal' | 'energy';

export interface DctMotionOptions {
  /** T, the leading axis: 1 to 64. */
  readonly frames: number;
  /** How many of the lowest temporal coefficients are set to 0, up to `frames`. Default 1: the temporal mean. */
  readonly dropLow?: number;
  /** Default 'signal'. */
  readonly output?: MotionOutput;
  /** Where to write; default: a new array. May begin where a Float32Array `clip` begins. */
  readonly out?: Float32Array;
  /** Upper bound of threads; default: one per physical core. Does not change a bit of the result. */
  readonly threads?: number;
}

const OPTION_KEYS = ['frames', 'dropLow', 'output', 'out', 'threads'];

/**
 * A clip (frames, ...) without its slowest changes: dct(), the first `dropLow` coefficients set to 0, inverse dct().
 * With dropLow 1 that is x_t - mean_t(x), the motion enhancement of TCGL (Liu et al. 2022). The energy of a pixel is
 * sum_t m_t^2 over this signal, which is sum_{k >= dropLow} X_k^2. A pixel that does not change gives exactly 0
 * (dropLow >= 1).
 *
 * @returns (frames, ...), or one value per pixel with output 'energy'
 * @throws VsslError ERR_VSSL_INVALID_ARGUMENT on wrong arguments, before any native work
 */
export function dctMotion(clip: Clip, options: DctMotionOptions): Floats {
  const args = checkArguments(clip, options);
  coded(() => loadKernels().dctMotion(...args));
  return args[1];
}

/**
 * As dctMotion(), off the event loop. The clip is copied at the call; `out` is written when the promise resolves.
 * Wrong arguments reject the promise.
 */
export async function dctMotionAsync(clip: Clip, options: DctMotionOptions): Promise<Floats> {
  const args = checkArguments(clip, options);
  await codedAsync(() => loadKernels().dctMotionAsync(...args));
  return args[1];
}

function checkArguments(clip: Clip, options: DctMotionOptions): Parameters<KernelsAddon['dctMotion']> {
  requireOptions(options, OPTION_KEYS);
  const { frames, dropLow = 1, output = 'signal', out, threads } = options;
  checkCount('frames', frames, 1, MOST_FRAMES);
  checkCount('dropLow', dropLow, 0, frames);
  checkOneOf('output', output, ['signal', 'energy']);
  const pixels = checkClip(clip, frames, 'frames');
  const target =
    output === 'energy'
      ? outputOf(out, pixels, 'pixels', clip)
      : outputOf(out, frames * pixels, 'frames * pixels', clip);
  return [clip, target, frames, pixels, dropLow, output, checkThreads(threads)];
}
