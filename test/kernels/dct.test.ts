import test from 'ava';
import { type DctOptions, dct, dctAsync } from '#src/kernels/index.js';
import {
  assertNear,
  bytes,
  dctOf,
  floats,
  INVALID,
  inverseDctOf,
  wrongClips,
  wrongOptions,
} from './clip-values.js';

const lengths = [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64];

test('agrees with the formula, there and back', (t) => {
  for (const frames of lengths) {
    const clip = floats(frames * 5 * 7);
    const coefficients = dct(clip, { frames });
    assertNear(t, coefficients, dctOf(clip, frames), 1e-5);
    assertNear(t, dct(coefficients, { frames, inverse: true }), clip, 1e-5);
    assertNear(t, dct(clip, { frames, inverse: true }), inverseDctOf(clip, frames), 1e-5);
  }
});

test('bytes count as 0 to 255', (t) => {
  for (const frames of lengths) {
    const clip = bytes(frames * 19);
    t.deepEqual(dct(clip, { frames }), dct(Float32Array.from(clip), { frames }));
    assertNear(t, dct(clip, { frames }), dctOf(clip, frames), 2e-3);
  }
  t.deepEqual(dct(Buffer.from(bytes(64)), { frames: 16 }), dct(bytes(64), { frames: 16 }));
});

test('keep leaves the first coefficients; the inverse takes missing ones for 0', (t) => {
  for (const frames of [5, 16, 64]) {
    const pixels = 33;
    const clip = floats(frames * pixels);
    const all = dct(clip, { frames });
    for (const keep of [1, 2, frames - 1, frames]) {
      const kept = dct(clip, { frames, keep });
      t.deepEqual(kept, all.slice(0, keep * pixels));
      const padded = new Float32Array(frames * pixels);
      padded.set(kept);
      const inverse = dct(kept, { frames, inverse: true, keep });
      t.is(inverse.length, clip.length);
      assertNear(t, inverse, dct(padded, { frames, inverse: true }), 1e-6);
    }
  }
});

test('writes to `out`, at any address, and in place', (t) => {
  const clip = floats(16 * 35);
  const expected = dct(clip, { frames: 16 });
  const out = new Float32Array(new ArrayBuffer(4 * (clip.length + 2)), 4, clip.length).fill(Number.NaN);
  t.is(dct(clip, { frames: 16, out }), out);
  t.deepEqual(out, expected);
  t.deepEqual(new Float32Array(out.buffer, 0, 1), new Float32Array(1));
  const both = clip.slice();
  t.is(dct(both, { frames: 16, out: both }), both);
  t.deepEqual(both, expected);
});

test('large clips: the same bits for any number of threads, at any address', (t) => {
  const frames = 16;
  for (const pixels of [200_000, 200_003]) {
    const clip = floats(frames * pixels);
    const one = dct(clip, { frames, threads: 1 });
    const out = new Float32Array(clip.length + 1).subarray(1);
    for (const threads of [2, 5]) t.deepEqual(dct(clip, { frames, threads, out }), one);
    const corner = Float32Array.from({ length: frames }, (_, f) => clip[(f + 1) * pixels - 1]!);
    const corners = Float32Array.from({ length: frames }, (_, k) => one[(k + 1) * pixels - 1]!);
    t.deepEqual(dct(corner, { frames }), corners);
  }
});

test('NaN stays within its pixel', (t) => {
  const clip = floats(16 * 20);
  clip[3 * 20 + 7] = Number.NaN;
  for (const [i, value] of dct(clip, { frames: 16 }).entries()) t.is(Number.isNaN(value), i % 20 === 7);
});

const wrong: [string, unknown, unknown][] = [
  ...wrongClips.map(([what, clip]): [string, unknown, unknown] => [what, clip, { frames: 4 }]),
  ...wrongOptions.map(([what, options]): [string, unknown, unknown] => [what, floats(24), options]),
  ['65 frames', floats(130), { frames: 65 }],
  ['keep 0', floats(24), { frames: 4, keep: 0 }],
  ['keep above frames', floats(24), { frames: 4, keep: 5 }],
  ['keep as text', floats(24), { frames: 4, keep: '2' }],
  ['inverse as a number', floats(24), { frames: 4, inverse: 1 }],
  ['out for all coefficients', floats(24), { frames: 4, keep: 2, out: new Float32Array(24) }],
  ['coefficients that keep does not divide', floats(25), { frames: 4, inverse: true, keep: 2 }],
];
for (const [what, clip, options] of wrong) {
  test(`wrong argument: ${what}`, async (t) => {
    const error = t.throws(() => dct(clip as Float32Array, options as DctOptions), INVALID);
    t.is(error?.name, 'VsslError');
    await t.throwsAsync(dctAsync(clip as Float32Array, options as DctOptions), INVALID);
  });
}

test('an output that overlaps the clip is refused, unless it begins where the clip begins', async (t) => {
  const memory = floats(64);
  const clip = memory.subarray(8, 32);
  const wrongOut = memory.subarray(9, 33);
  t.throws(() => dct(clip, { frames: 4, out: wrongOut }), { ...INVALID, message: /out/ });
  await t.throwsAsync(dctAsync(clip, { frames: 4, out: wrongOut }), INVALID);
  const aligned = new Uint8Array(memory.buffer, 32, 24);
  t.throws(() => dct(aligned, { frames: 4, out: clip }), INVALID);
  t.notThrows(() => dct(clip, { frames: 4, out: memory.subarray(32, 56) }));
});

test('messages name the argument, what was expected and what came', (t) => {
  const error = t.throws(() => dct(floats(25), { frames: 4 }), INVALID);
  t.regex(error?.message ?? '', /multiple of 4 values.*clip.*25 values/);
});
