import { isFloat32Array } from '../checks.js';
import { coded, codedAsync, invalidArgument } from '../errors.js';
import type { KernelsAddon } from '../native/bindings.js';
import { loadKernels } from '../native/load.js';
import { checkFloats, checkMemory } from './arguments.js';
import { overlaps } from './clip-arguments.js';

/**
 * Exponential moving average, in place: target <- m target + (1 - m) source (MoCo, He et al. 2020, eq. 2), computed
 * as target + (1 - m)(source - target), or source + m (target - source) for m < 1/2, so that equal values stay as
 * they are.
 *
 * @param target as long as `source`; may be the same memory, but not overlap it otherwise
 * @param momentum m, 0 to 1
 * @throws VsslError ERR_VSSL_INVALID_ARGUMENT on wrong arguments, before any native work
 */
export function emaUpdate(target: Float32Array, source: Float32Array, momentum: number): void {
  const args = checkArguments(target, source, momentum);
  coded(() => loadKernels().emaUpdate(...args));
}

/**
 * As emaUpdate(), off the event loop. Both arrays are copied at the call; `target` is written when the promise
 * resolves. Wrong arguments reject the promise.
 */
export async function emaUpdateAsync(
  target: Float32Array,
  source: Float32Array,
  momentum: number,
): Promise<void> {
  const args = checkArguments(target, source, momentum);
  await codedAsync(() => loadKernels().emaUpdateAsync(...args));
}

function checkArguments(
  target: Float32Array,
  source: Float32Array,
  momentum: number,
): Parameters<KernelsAddon['emaUpdate']> {
  if (!isFloat32Array(target)) throw invalidArgument('target', 'a Float32Array', target);
  checkMemory('target', target);
  checkFloats('source', source, target.length, 'as many as target');
  if (typeof momentum !== 'number' || !(momentum >= 0 && momentum <= 1)) {
    throw invalidArgument('momentum', 'a number from 0 to 1', momentum);
  }
  if (overlaps(target, source) && target.byteOffset !== source.byteOffset) {
    throw invalidArgument('source', 'the memory of target or memory beside it', 'overlapping memory');
  }
  return [target, source, target.length, momentum];
}
