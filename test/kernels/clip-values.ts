import type { ExecutionContext } from 'ava';

export const INVALID = { code: 'ERR_VSSL_INVALID_ARGUMENT' };

/** Deterministic values around 0, the same on every machine. */
export function floats(count: number, seed = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

export function bytes(count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => (i * 7919) >> 3);
}

/** An array whose memory has been transferred away. */
export function detached(length: number): Float32Array {
  const array = new Float32Array(length);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

/** Orthonormal DCT-II of each pixel, from the formula, in double precision. */
export function dctOf(clip: ArrayLike<number>, frames: number): number[] {
  const pixels = clip.length / frames;
  return Array.from({ length: clip.length }, (_, i) => {
    const k = Math.floor(i / pixels);
    let sum = 0;
    for (let t = 0; t < frames; t++) {
      sum += clip[t * pixels + (i % pixels)]! * Math.cos((Math.PI * (2 * t + 1) * k) / (2 * frames));
    }
    return sum * Math.sqrt((k === 0 ? 1 : 2) / frames);
  });
}

/** Its inverse. */
export function inverseDctOf(coefficients: ArrayLike<number>, frames: number): number[] {
  const pixels = coefficients.length / frames;
  return Array.from({ length: coefficients.length }, (_, i) => {
    const t = Math.floor(i / pixels);
    let sum = 0;
    for (let k = 0; k < frames; k++) {
      const scale = Math.sqrt((k === 0 ? 1 : 2) / frames);
      sum +=
        scale *
        coefficients[k * pixels + (i % pixels)]! *
        Math.cos((Math.PI * (2 * t + 1) * k) / (2 * frames));
    }
    return sum;
  });
}

export function assertNear(
  t: ExecutionContext,
  values: ArrayLike<number>,
  expected: ArrayLike<number>,
  off: number,
): void {
  t.is(values.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    if (!(Math.abs(values[i]! - expected[i]!) <= off)) {
      t.fail(`entry ${i}: ${values[i]} is not ${expected[i]}`);
      return;
    }
  }
}

// Newer than the library that TypeScript is told of.
const ResizableBuffer = ArrayBuffer as unknown as new (
  length: number,
  o: { maxByteLength: number },
) => ArrayBuffer;

/** Clips of 24 values that every function of clips must refuse, given `frames: 4`. */
export const wrongClips: [string, unknown][] = [
  ['too few values', floats(23)],
  ['no values', floats(0)],
  ['doubles', new Float64Array(24)],
  ['signed bytes', new Int8Array(24)],
  ['clamped bytes', new Uint8ClampedArray(24)],
  ['a list', Array.from(floats(24))],
  ['null', null],
  ['shared floats', new Float32Array(new SharedArrayBuffer(96))],
  ['shared bytes', new Uint8Array(new SharedArrayBuffer(24))],
  ['a resizable buffer', new Float32Array(new ResizableBuffer(96, { maxByteLength: 192 }))],
  ['a detached buffer', detached(24)],
];

/** Options that every function of clips must refuse, for clips of 24 floats in 4 frames. */
export const wrongOptions: [string, unknown][] = [
  ['no options', undefined],
  ['null options', null],
  ['a number for options', 4],
  ['an unknown key', { frames: 4, frmes: 4 }],
  ['no frames', { frames: 0 }],
  ['frames missing', {}],
  ['fractional frames', { frames: 1.5 }],
  ['negative frames', { frames: -4 }],
  ['frames as text', { frames: '4' }],
  ['no threads', { frames: 4, threads: 0 }],
  ['fractional threads', { frames: 4, threads: 1.5 }],
  ['out of wrong type', { frames: 4, out: new Float64Array(24) }],
  ['out of wrong length', { frames: 4, out: new Float32Array(7) }],
  ['out null', { frames: 4, out: null }],
  ['detached out', { frames: 4, out: detached(24) }],
  ['shared out', { frames: 4, out: new Float32Array(new SharedArrayBuffer(96)) }],
];
