import test from 'ava';
import type { NtXentOptions } from '#src/kernels/index.js';
import { ntXent, ntXentAsync } from '#src/kernels/index.js';

const INVALID = { code: 'ERR_VSSL_INVALID_ARGUMENT' };

/** Deterministic values around 0, the same on every machine. */
function values(count: number, seed = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** The loss from its formula, in double precision. */
function lossOf(x: ArrayLike<number>, rows: number, dim: number, tau: number): number {
  const z = Array.from({ length: rows }, (_, i) => {
    const row = Array.from({ length: dim }, (_, k) => x[i * dim + k]!);
    const norm = Math.max(Math.hypot(...row), 1e-12);
    return row.map((value) => value / norm);
  });
  let loss = 0;
  for (let i = 0; i < rows; i++) {
    const s = z.map((other) => other.reduce((sum, value, k) => sum + value * z[i]![k]!, 0) / tau);
    const sum = s.reduce((total, value, j) => (j === i ? total : total + Math.exp(value)), 0);
    loss += (Math.log(sum) - s[(i + rows / 2) % rows]!) / rows;
  }
  return loss;
}

test('loss and gradient agree with the formula', (t) => {
  const [rows, dim, temperature] = [12, 7, 0.2];
  const x = values(rows * dim);
  const { loss, gradient, gradTemperature } = ntXent(x, { rows, dim, temperature });
  t.true(Math.abs(loss - lossOf(x, rows, dim, temperature)) < 1e-5);
  const step = 1e-4;
  const wide = Float64Array.from(x);
  for (let i = 0; i < x.length; i++) {
    const shifted = (by: number) => lossOf(wide.with(i, wide[i]! + by), rows, dim, temperature);
    const slope = (shifted(step) - shifted(-step)) / (2 * step);
    t.true(Math.abs(gradient![i]! - slope) < 1e-4, `entry ${i}`);
  }
  const slope =
    (lossOf(x, rows, dim, temperature + step) - lossOf(x, rows, dim, temperature - step)) / (2 * step);
  t.true(Math.abs(gradTemperature! - slope) < 1e-3 * Math.abs(slope));
});

test('defaults are temperature 0.1, normalised rows, fp32', (t) => {
  const x = values(16 * 8);
  const plain = ntXent(x, { rows: 16, dim: 8 });
  const spelt = ntXent(x, {
    rows: 16,
    dim: 8,
    temperature: 0.1,
    normalize: true,
    precision: 'fp32',
    gradient: true,
  });
  t.deepEqual(plain, spelt);
  const scaled = ntXent(
    x.map((value) => value * 4),
    { rows: 16, dim: 8 },
  );
  t.is(scaled.loss, plain.loss);
  t.not(ntXent(x, { rows: 16, dim: 8, normalize: false }).loss, plain.loss);
});

test('gradient: true allocates, an array is written to, false leaves it out', (t) => {
  const x = values(6 * 5);
  const options = { rows: 6, dim: 5 };
  const own = ntXent(x, options);
  const target = new Float32Array(new ArrayBuffer(4 * 31), 4, 30).fill(Number.NaN);
  const given = ntXent(x, { ...options, gradient: target });
  t.is(given.gradient, target);
  t.deepEqual(target, own.gradient);
  const none = ntXent(x, { ...options, gradient: false });
  t.deepEqual(Object.keys(none), ['loss']);
  t.is(none.loss, own.loss);
});

test('a single pair has no negatives: loss and gradient are 0', (t) => {
  const { loss, gradient } = ntXent(values(2 * 9), { rows: 2, dim: 9 });
  t.is(loss, 0);
  t.true(gradient!.every((value) => value === 0));
});

test('NaN and infinity in the data give a NaN loss', async (t) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const x = values(64 * 16);
    x[777] = bad;
    t.true(Number.isNaN(ntXent(x, { rows: 64, dim: 16 }).loss));
    t.true(Number.isNaN((await ntXentAsync(x, { rows: 64, dim: 16, normalize: false })).loss));
  }
});

test('bf16 is near fp32', (t) => {
  const x = values(130 * 64);
  const fp32 = ntXent(x, { rows: 130, dim: 64 });
  const bf16 = ntXent(x, { rows: 130, dim: 64, precision: 'bf16' });
  t.true(Math.abs(bf16.loss - fp32.loss) < 1e-2 * fp32.loss);
  const off = Math.hypot(...bf16.gradient!.map((value, i) => value - fp32.gradient![i]!));
  t.true(off < 2e-2 * Math.hypot(...fp32.gradient!));
});

test('threads do not change a bit', (t) => {
  const x = values(300 * 65);
  const one = ntXent(x, { rows: 300, dim: 65, threads: 1 });
  for (let threads = 2; threads <= 8; threads++) {
    t.deepEqual(ntXent(x, { rows: 300, dim: 65, threads }), one);
  }
});

const detached = (length: number) => {
  const array = new Float32Array(length);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
};
// Newer than the library that TypeScript is told of.
const ResizableBuffer = ArrayBuffer as unknown as new (
  length: number,
  o: { maxByteLength: number },
) => ArrayBuffer;
const resizable = new Float32Array(new ResizableBuffer(96, { maxByteLength: 192 }));
const good = { rows: 6, dim: 4 };
const wrong: [string, unknown, unknown][] = [
  ['no options', values(24), undefined],
  ['null options', values(24), null],
  ['an array for options', values(24), []],
  ['an unknown key', values(24), { ...good, temprature: 0.1 }],
  ['odd rows', values(24), { rows: 3, dim: 8 }],
  ['no rows', values(0), { rows: 0, dim: 4 }],
  ['negative rows', values(24), { rows: -6, dim: 4 }],
  ['fractional rows', values(24), { rows: 2.5, dim: 4 }],
  ['rows as text', values(24), { rows: '6', dim: 4 }],
  ['rows missing', values(24), { dim: 4 }],
  ['no dim', values(24), { rows: 6, dim: 0 }],
  ['fractional dim', values(24), { rows: 6, dim: 4.5 }],
  ['NaN dim', values(24), { rows: 6, dim: Number.NaN }],
  ['huge dim', values(24), { rows: 6, dim: 2 ** 60 }],
  ['too few values', values(23), good],
  ['too many values', values(25), good],
  ['doubles', new Float64Array(24), good],
  ['a list', Array.from(values(24)), good],
  ['null', null, good],
  ['shared memory', new Float32Array(new SharedArrayBuffer(96)), good],
  ['a resizable buffer', resizable, good],
  ['a detached buffer', detached(24), good],
  ['temperature 0', values(24), { ...good, temperature: 0 }],
  ['negative temperature', values(24), { ...good, temperature: -1 }],
  ['NaN temperature', values(24), { ...good, temperature: Number.NaN }],
  ['infinite temperature', values(24), { ...good, temperature: Number.POSITIVE_INFINITY }],
  ['temperature as text', values(24), { ...good, temperature: '0.1' }],
  ['normalize as a number', values(24), { ...good, normalize: 1 }],
  ['unknown precision', values(24), { ...good, precision: 'fp16' }],
  ['gradient of wrong length', values(24), { ...good, gradient: new Float32Array(23) }],
  ['gradient of wrong type', values(24), { ...good, gradient: new Float64Array(24) }],
  ['gradient as text', values(24), { ...good, gradient: 'yes' }],
  ['detached gradient', values(24), { ...good, gradient: detached(24) }],
  ['shared gradient', values(24), { ...good, gradient: new Float32Array(new SharedArrayBuffer(96)) }],
  ['no threads', values(24), { ...good, threads: 0 }],
  ['fractional threads', values(24), { ...good, threads: 1.5 }],
];

for (const [what, embeddings, options] of wrong) {
  test(`wrong argument: ${what}`, async (t) => {
    const error = t.throws(() => ntXent(embeddings as Float32Array, options as NtXentOptions), INVALID);
    t.is(error?.name, 'VsslError');
    await t.throwsAsync(ntXentAsync(embeddings as Float32Array, options as NtXentOptions), INVALID);
  });
}

test('messages name the argument, what was expected and what came', (t) => {
  const error = t.throws(() => ntXent(values(24), { rows: 6, dim: 4, temperature: -1 }), INVALID);
  t.regex(error?.message ?? '', /temperature/);
  t.regex(error?.message ?? '', /above 0/);
  t.regex(error?.message ?? '', /-1/);
});
