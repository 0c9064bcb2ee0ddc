import { types } from 'node:util';
import { checkCount, isFloat32Array } from '../checks.js';
import { invalidArgument } from '../errors.js';
import type { Floats } from '../native/bindings.js';

/** How precisely products are taken; accumulation is fp32 either way. */
export type Precision = 'fp32' | 'bf16';

const MOST_THREADS = 4096;

/** 0 stands for one per physical core. */
export function checkThreads(threads: unknown): number {
  return threads === undefined ? 0 : checkCount('threads', threads, 1, MOST_THREADS);
}

/** Throws unless `value` is a Float32Array of `length` over memory that native code may use: attached, of fixed size, not shared. */
export function checkFloats(name: string, value: unknown, length: number, meaning: string): void {
  if (!isFloat32Array(value)) throw invalidArgument(name, 'a Float32Array', value);
  checkMemory(name, value);
  if (value.length !== length) {
    throw invalidArgument(name, `${length} values (${meaning})`, `${value.length} values`);
  }
}

/** Throws unless native code may use the memory of `array`: attached, of fixed size, not shared. */
export function checkMemory(name: string, array: Float32Array | Int8Array | Uint8Array | Uint16Array): void {
  const type = array[Symbol.toStringTag];
  const buffer = array.buffer as ArrayBufferLike & { detached?: boolean; resizable?: boolean };
  if (types.isSharedArrayBuffer(buffer)) {
    throw invalidArgument(name, `a ${type} over an ArrayBuffer`, 'one over a SharedArrayBuffer');
  }
  if (buffer.resizable)
    throw invalidArgument(name, `a ${type} of fixed size`, 'one over a resizable ArrayBuffer');
  if (isDetached(buffer as ArrayBuffer)) throw invalidArgument(name, `an attached ${type}`, 'a detached one');
}

// ArrayBuffer.prototype.detached is newer than Node 20; a view cannot be made over a detached buffer.
function isDetached(buffer: ArrayBuffer & { detached?: boolean }): boolean {
  if (buffer.detached !== undefined) return buffer.detached;
  if (buffer.byteLength > 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/** Where a gradient of `length` goes: null for false, a new array for true, the array itself when it fits. */
export function gradientTarget(gradient: unknown, length: number): Floats | null {
  if (gradient === false) return null;
  if (gradient === true) return new Float32Array(length);
  if (!ArrayBuffer.isView(gradient))
    throw invalidArgument('gradient', 'true, false or a Float32Array', gradient);
  checkFloats('gradient', gradient, length, 'rows * dim');
  return gradient as Floats; // checkFloats refuses shared memory
}
