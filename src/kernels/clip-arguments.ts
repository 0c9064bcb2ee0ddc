import { isFloat32Array, isUint8Array } from '../checks.js';
import { invalidArgument } from '../errors.js';
import type { Floats } from '../native/bindings.js';
import { checkFloats, checkMemory } from './arguments.js';

/** Values of a clip, frames outermost; bytes count as 0..255. */
export type Clip = Float32Array | Uint8Array;

export const MOST_FRAMES = 64;

/** Values per frame of a clip of `rows` frames (or coefficients, as `meaning` says). */
export function checkClip(clip: unknown, rows: number, meaning: string): number {
  if (!isFloat32Array(clip) && !isUint8Array(clip)) {
    throw invalidArgument('clip', 'a Float32Array or a Uint8Array', clip);
  }
  checkMemory('clip', clip);
  if (clip.length === 0 || clip.length % rows !== 0) {
    throw invalidArgument('clip', `a multiple of ${rows} values (${meaning})`, `${clip.length} values`);
  }
  return clip.length / rows;
}

/** `out`, or a new array of `length`. */
export function outputOf(out: unknown, length: number, meaning: string, clip: Clip): Floats {
  if (out === undefined) return new Float32Array(length);
  checkFloats('out', out, length, meaning);
  const target = out as Floats; // checkFloats refuses shared memory
  const begins = isFloat32Array(clip) && clip.byteOffset === target.byteOffset;
  if (overlaps(target, clip) && !begins) {
    throw invalidArgument(
      'out',
      'memory that begins where the floats of clip begin or lies beside them',
      'overlapping memory',
    );
  }
  return target;
}

/** Whether two arrays share memory. */
export function overlaps(a: Clip, b: Clip): boolean {
  return (
    a.buffer === b.buffer &&
    a.byteOffset < b.byteOffset + b.byteLength &&
    b.byteOffset < a.byteOffset + a.byteLength
  );
}
