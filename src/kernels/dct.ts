import { checkBoolean, checkCount, requireOptions } from '../checks.js';
import { coded, codedAsync } from '../errors.js';
import type { Floats, KernelsAddon } from '../native/bindings.js';
import { loadKernels } from '../native/load.js';
import { checkThreads } from './arguments.js';
import { type Clip, checkClip, MOST_FRAMES, outputOf } from './clip-arguments.js';

export interface DctOptions {
  /** T, the leading axis: 1 to 64. */
  readonly frames: number;
  /** true: from coefficients to frames (DCT-III). Default false. */
  readonly inverse?: boolean;
  /** Coefficients of the result, or of `clip` with `inverse` (the missing ones count as 0). Default: as many as frames. */
  readonly keep?: number;
  /** Where to write; default: a new array. May begin where a Float32Array `clip` begins. */
  readonly out?: Float32Array;
  /** Upper bound of threads; default: one per physical core. Does not change a bit of the result. */
  readonly threads?: number;
}

const OPTION_KEYS = ['frames', 'inverse', 'keep', 'out', 'threads'];

/**
 * Orthonormal DCT-II over the leading axis of a clip (frames, ...), or its inverse, the DCT-III:
 * X_k = c_k sum_t x_t cos(pi (2t + 1) k / 2T), x_t = sum_k c_k X_k cos(pi (2t + 1) k / 2T),
 * c_0 = sqrt(1 / T), c_k = sqrt(2 / T) (Ahmed, Natarajan & Rao 1974).
 *
 * @param clip (frames, ...), or (keep, ...) with `inverse`
 * @returns (keep, ...), or (frames, ...) with `inverse`
 * @throws VsslError ERR_VSSL_INVALID_ARGUMENT on wrong arguments, before any native work
 */
export function dct(clip: Clip, options: DctOptions): Floats {
  const args = checkArguments(clip, options);
  coded(() => loadKernels().dct(...args));
  return args[1];
}

/**
 * As dct(), off the event loop. The clip is copied at the call; `out` is written when the promise resolves. Wrong
 * arguments reject the promise.
 */
export async function dctAsync(clip: Clip, options: DctOptions): Promise<Floats> {
  const args = checkArguments(clip, options);
  await codedAsync(() => loadKernels().dctAsync(...args));
  return args[1];
}

function checkArguments(clip: Clip, options: DctOptions): Parameters<KernelsAddon['dct']> {
  requireOptions(options, OPTION_KEYS);
  const { frames, inverse = false, keep = frames, out, threads } = options;
  checkCount('frames', frames, 1, MOST_FRAMES);
  checkBoolean('inverse', inverse);
  checkCount('keep', keep, 1, frames);
  const pixels = inverse ? checkClip(clip, keep, 'coefficients') : checkClip(clip, frames, 'frames');
  const target = inverse
    ? outputOf(out, frames * pixels, 'frames * pixels', clip)
    : outputOf(out, keep * pixels, 'coefficients * pixels', clip);
  return [clip, target, frames, pixels, inverse, keep, checkThreads(threads)];
}
