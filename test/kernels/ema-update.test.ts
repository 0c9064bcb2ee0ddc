import test from 'ava';
import { emaUpdate, emaUpdateAsync } from '#src/kernels/index.js';
import { assertNear, detached, floats, INVALID } from './clip-values.js';

test('is m target + (1 - m) source, in place', (t) => {
  for (const momentum of [0, 0.3, 0.5, 0.9, 0.999, 1]) {
    for (const size of [0, 1, 15, 16, 17, 1000, 300_001]) {
      const [before, source] = [floats(size, 2), floats(size, 3)];
      const target = new Float32Array(size + 1).subarray(1);
      target.set(before);
      t.is(emaUpdate(target, source, momentum), undefined);
      const expected = Float64Array.from(
        before,
        (value, i) => momentum * value + (1 - momentum) * source[i]!,
      );
      assertNear(t, target, expected, 3e-7);
    }
  }
});

test('equal values stay, m = 1 changes nothing, m = 0 copies', (t) => {
  const [target, source] = [floats(999, 2), floats(999, 3)];
  for (const momentum of [0.1, 0.7, 0.996]) {
    const same = source.slice();
    emaUpdate(same, source, momentum);
    emaUpdate(same, same, momentum);
    t.deepEqual(same, source);
  }
  emaUpdate(target, source, 1);
  t.deepEqual(target, floats(999, 2));
  emaUpdate(target, source, 0);
  t.deepEqual(target, source);
});

test('NaN stays with its value', (t) => {
  const [target, source] = [floats(40, 2), floats(40, 3)];
  source[21] = Number.NaN;
  emaUpdate(target, source, 0.9);
  for (const [i, value] of target.entries()) t.is(Number.isNaN(value), i === 21);
});

const memory = floats(32);
const wrong: [string, unknown, unknown, unknown][] = [
  ['doubles for target', new Float64Array(8), floats(8), 0.5],
  ['bytes for source', floats(8), new Uint8Array(8), 0.5],
  ['a list', floats(8), Array.from(floats(8)), 0.5],
  ['null', null, floats(8), 0.5],
  ['different lengths', floats(8), floats(9), 0.5],
  ['shared target', new Float32Array(new SharedArrayBuffer(32)), floats(8), 0.5],
  ['shared source', floats(8), new Float32Array(new SharedArrayBuffer(32)), 0.5],
  ['detached target', detached(8), new Float32Array(0), 0.5],
  ['detached source', new Float32Array(0), detached(8), 0.5],
  ['overlap', memory.subarray(0, 16), memory.subarray(1, 17), 0.5],
  ['negative momentum', floats(8), floats(8), -0.1],
  ['momentum above 1', floats(8), floats(8), 1.1],
  ['NaN momentum', floats(8), floats(8), Number.NaN],
  ['momentum as text', floats(8), floats(8), '0.5'],
  ['momentum missing', floats(8), floats(8), undefined],
];
for (const [what, target, source, momentum] of wrong) {
  test(`wrong argument: ${what}`, async (t) => {
    const call = [target as Float32Array, source as Float32Array, momentum as number] as const;
    const error = t.throws(() => emaUpdate(...call), INVALID);
    t.is(error?.name, 'VsslError');
    await t.throwsAsync(emaUpdateAsync(...call), INVALID);
  });
}
