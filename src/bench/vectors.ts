/** Double-precision vector arithmetic of the checks. */

type Values = ArrayLike<number>;

export function dot(a: Values, b: Values, from = 0, count = a.length, fromB = from): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += a[from + i]! * b[fromB + i]!;
  return sum;
}

/** target[at ..] += scale * source[from ..], `count` values. */
export function addScaled(
  target: Float64Array,
  at: number,
  scale: number,
  source: Float64Array,
  from: number,
  count: number,
): void {
  for (let k = 0; k < count; k++) target[at + k]! += scale * source[from + k]!;
}

export function norm(a: Values): number {
  return Math.sqrt(dot(a, a));
}

export function distance(a: Values, b: Values): number {
  let sum = 0;
  for (let i = 0; i < b.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return a.length === b.length ? Math.sqrt(sum) : Number.NaN;
}

/** |a - b| / |b|, and 0 for two zero vectors. */
export function relativeDistance(a: Values, b: Values): number {
  const apart = distance(a, b);
  return apart === 0 ? 0 : apart / norm(b);
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** The nearest bf16 value, ties to even. */
export function toBf16(x: number): number {
  float[0] = x;
  bits[0] = (bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000;
  return float[0]!;
}
