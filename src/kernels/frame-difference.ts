import { checkCount, requireOptions } from '../checks.js';
import { coded, codedAsync } from '../errors.js';
import type { Floats, KernelsAddon } from '../native/bindings.js';
import { loadKernels } from '../native/load.js';
import { checkThreads } from './arguments.js';
import { type Clip, checkClip, outputOf } from './clip-arguments.js';

export interface FrameDifferenceOptions {
  /** The leading axis, at least 2. */
  readonly frames: number;
  /** Where to write; default: a new array. May begin where a Float32Array `clip` begins. */
  readonly out?: Float32Array;
  /** Upper bound of threads; default: one per physical core. Does not change a bit of the result. */
  readonly threads?: number;
}

const OPTION_KEYS = ['frames', 'out', 'threads'];
const MOST_FRAMES = 2 ** 20;

/**
 * Difference of successive frames of a clip (frames, ...): out_t = x_{t+1} - x_t.
 *
 * @returns (frames - 1, ...)
 * @throws VsslError ERR_VSSL_INVALID_ARGUMENT on wrong arguments, before any native work
 */
export function frameDifference(clip: Clip, options: FrameDifferenceOptions): Floats {
  const args = checkArguments(clip, options);
  coded(() => loadKernels().frameDifference(...args));
  return args[1];
}

/**
 * As frameDifference(), off the event loop. The clip is copied at the call; `out` is written when the promise
 * resolves. Wrong arguments reject the promise.
 */
export async function frameDifferenceAsync(clip: Clip, options: FrameDifferenceOptions): Promise<Floats> {
  const args = checkArguments(clip, options);
  await codedAsync(() => loadKernels().frameDifferenceAsync(...args));
  return args[1];
}

function checkArguments(
  clip: Clip,
  options: FrameDifferenceOptions,
): Parameters<KernelsAddon['frameDifference']> {
  requireOptions(options, OPTION_KEYS);
  const { frames, out, threads } = options;
  checkCount('frames', frames, 2, MOST_FRAMES);
  const pixels = checkClip(clip, frames, 'frames');
  const target = outputOf(out, (frames - 1) * pixels, '(frames - 1) * pixels', clip);
  return [clip, target, frames, pixels, checkThreads(threads)];
}
