/** Seeded inputs: the same values for a seed on every machine, a hundred million a second. */

/** Uniform values in [-1, 1). */
export function uniformFloats(length: number, seed: number): Float32Array {
  const values = new Float32Array(length);
  const next = generator(seed);
  for (let i = 0; i < length; i++) values[i] = next() / 2 ** 31;
  return values;
}

/** Uniform bytes. */
export function uniformBytes(length: number, seed: number): Uint8Array {
  const values = new Uint8Array(length);
  const next = generator(seed);
  for (let i = 0; i < length; i++) values[i] = next() >>> 24;
  return values;
}

/** `length` whole numbers below `end`. */
export function uniformIntegers(length: number, end: number, seed: number): Int32Array {
  const values = new Int32Array(length);
  const next = generator(seed);
  for (let i = 0; i < length; i++) values[i] = Math.floor(((next() >>> 0) / 2 ** 32) * end);
  return values;
}

/** Signed 32-bit values: a counter through the finaliser of MurmurHash3, as in SplitMix. */
export function generator(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b9) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
    return word ^ (word >>> 16);
  };
}
