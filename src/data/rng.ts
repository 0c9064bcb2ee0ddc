import { invalidArgument } from '../errors.js';
import { philox4x32 } from './philox.js';

/**
 * Counter-based random numbers (Philox4x32-10, Salmon et al. 2011), keyed by a list of numbers and strings such as
 * (seed, 'order', epoch). The same keys give the same numbers in the same order, on any platform and in any process,
 * so that every draw of a run can be addressed by its position alone.
 *
 * Only integer arithmetic and the four exactly rounded floating operations (and the square root) are used.
 */
export class Rng {
  readonly #hash: readonly [number, number, number, number];
  readonly #key: Uint32Array;
  readonly #counter: Uint32Array;
  readonly #block = new Uint32Array(4);
  #used = 4;
  #spare: number | null = null;

  constructor(...keys: readonly (number | string)[]) {
    this.#hash = hashKeys(keys);
    this.#key = Uint32Array.of(this.#hash[0], this.#hash[1]);
    this.#counter = Uint32Array.of(0, 0, this.#hash[2], this.#hash[3]);
  }

  /** A generator of its own, keyed by this one's keys and `keys`; what was drawn so far does not matter. */
  fork(...keys: readonly (number | string)[]): Rng {
    return new Rng('fork', ...this.#hash, ...keys);
  }

  /** 32 random bits. */
  bits(): number {
    if (this.#used === 4) {
      philox4x32(this.#block, this.#counter, this.#key);
      // The counter's low two words count blocks; its high two, and the key, come from the hash of the keys.
      this.#counter[0] = (this.#counter[0] as number) + 1;
      if (this.#counter[0] === 0) this.#counter[1] = (this.#counter[1] as number) + 1;
      this.#used = 0;
    }
    return this.#block[this.#used++] as number;
  }

  /** Uniform in [0, 1), a multiple of 2^-53. */
  next(): number {
    const high = this.bits() >>> 5;
    const low = this.bits() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** A whole number in [0, n), n from 1 to 2^32. */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 4294967296)
      throw invalidArgument('n', 'a whole number from 1 to 2^32', n);
    return Math.floor(this.next() * n);
  }

  /** Uniform in [a, b). */
  uniform(a: number, b: number): number {
    return a + (b - a) * this.next();
  }

  /** True with probability p. */
  bool(p: number): boolean {
    return this.next() < p;
  }

  /** Standard normal (Marsaglia's polar method). */
  normal(): number {
    if (this.#spare !== null) {
      const spare = this.#spare;
      this.#spare = null;
      return spare;
    }
    for (;;) {
      const u = 2 * this.next() - 1;
      const v = 2 * this.next() - 1;
      const s = u * u + v * v;
      if (s >= 1 || s === 0) continue;
      const factor = Math.sqrt((-2 * naturalLog(s)) / s);
      this.#spare = v * factor;
      return u * factor;
    }
  }

  /** Shuffles in place (Fisher-Yates) and returns the array. */
  shuffle<A extends { readonly length: number; [place: number]: unknown }>(array: A): A {
    for (let i = array.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      [array[i], array[j]] = [array[j], array[i]] as [A[number], A[number]];
    }
    return array;
  }
}

/** Of one number at a time. */
const bytes = new DataView(new ArrayBuffer(8));

/** 128 bits of hash of a list of keys. (1, 2) and (12), or 1 and '1', are different lists. */
function hashKeys(keys: readonly (number | string)[]): [number, number, number, number] {
  const words: number[] = [];
  for (const key of keys) {
    if (typeof key === 'number') {
      // `+ 0` makes -0 and 0 one key; a NaN would hide a mistake.
      if (Number.isNaN(key)) throw invalidArgument('key', 'numbers and strings', key);
      bytes.setFloat64(0, key + 0, true);
      words.push(1, bytes.getUint32(0, true), bytes.getUint32(4, true));
    } else {
      words.push(2, key.length);
      for (let i = 0; i < key.length; i++) words.push(key.charCodeAt(i));
    }
  }
  words.push(3, keys.length);

  // Four lanes of a multiply-rotate hash (the finaliser is MurmurHash3's).
  const h = [0x9e3779b9 | 0, 0x243f6a88, 0xb7e15162 | 0, 0x7f4a7c15] as [number, number, number, number];
  for (const word of words) {
    for (let lane = 0; lane < 4; lane++) {
      const k = Math.imul(rotate(Math.imul(word ^ (lane * 0x61c88647), 0xcc9e2d51), 15), 0x1b873593);
      const mixed = rotate((h[lane] as number) ^ k, 13);
      h[lane] = (Math.imul(mixed, 5) + 0xe6546b64 + (h[(lane + 1) & 3] as number)) | 0;
    }
  }
  for (let round = 0; round < 2; round++) {
    for (let lane = 0; lane < 4; lane++)
      h[lane] = finalize((h[lane] as number) + (h[(lane + 3) & 3] as number));
  }
  return h.map((x) => x >>> 0) as [number, number, number, number];
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

function finalize(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** ln(x) for 0 < x < 1 from exactly rounded operations alone: Math.log may differ in the last bit between engines. */
function naturalLog(x: number): number {
  let mantissa = x;
  let exponent = 0;
  while (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent--;
  }
  // ln m = 2 (s + s^3/3 + s^5/5 ...), s = (m - 1) / (m + 1); |s| < 0.172, so 12 terms reach 1e-18.
  const s = (mantissa - 1) / (mantissa + 1);
  const square = s * s;
  let sum = 0;
  for (let k = 23; k >= 1; k -= 2) sum = sum * square + 1 / k;
  return exponent * Math.LN2 + 2 * s * sum;
}
