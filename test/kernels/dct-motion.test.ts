import test from 'ava';
import { type DctMotionOptions, dct, dctMotion, dctMotionAsync } from '#src/kernels/index.js';
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

test('sets the first dropLow coefficients to 0 and inverts', (t) => {
  for (const frames of [1, 2, 4, 5, 16, 33, 64]) {
    const pixels = 21;
    const clip = floats(frames * pixels);
    for (const dropLow of new Set([0, 1, Math.min(2, frames), frames >> 1, frames - 1, frames])) {
      const coefficients = dctOf(clip, frames).map((value, i) => (i < dropLow * pixels ? 0 : value));
      const signal = dctMotion(clip, { frames, dropLow });
      assertNear(t, signal, inverseDctOf(coefficients, frames), 1e-5);
      const energy = dctMotion(clip, { frames, dropLow, output: 'energy' });
      const expected = Array.from({ length: pixels }, (_, p) =>
        Array.from({ length: frames }, (_, k) => coefficients[k * pixels + p]! ** 2).reduce((a, b) => a + b),
      );
      assertNear(t, energy, expected, 1e-4);
    }
  }
});

test('by default takes the temporal mean off', (t) => {
  const [frames, pixels] = [16, 50];
  const clip = bytes(frames * pixels);
  const signal = dctMotion(clip, { frames });
  for (let p = 0; p < pixels; p++) {
    const values = Array.from({ length: frames }, (_, f) => clip[f * pixels + p]!);
    const mean = values.reduce((a, b) => a + b) / frames;
    for (let f = 0; f < frames; f++) t.true(Math.abs(signal[f * pixels + p]! - (values[f]! - mean)) < 1e-4);
  }
  t.deepEqual(signal, dctMotion(clip, { frames, dropLow: 1, output: 'signal' }));
  t.deepEqual(signal, dctMotion(Float32Array.from(clip), { frames }));
  t.true(dct(signal, { frames, keep: 1 }).every((value) => Math.abs(value) < 1e-3));
});

test('a still clip has no motion at all, whatever its length', (t) => {
  for (let frames = 1; frames <= 64; frames++) {
    const still = new Float32Array(frames * 3).fill(0.1);
    t.true(dctMotion(still, { frames }).every((value) => value === 0));
    t.true(dctMotion(still, { frames, output: 'energy' }).every((value) => value === 0));
  }
});

test('writes to `out` and in place', (t) => {
  const clip = floats(16 * 35);
  for (const output of ['signal', 'energy'] as const) {
    const expected = dctMotion(clip, { frames: 16, output });
    const out = new Float32Array(expected.length + 1).subarray(1).fill(Number.NaN);
    t.is(dctMotion(clip, { frames: 16, output, out }), out);
    t.deepEqual(out, expected);
    const both = clip.slice();
    t.deepEqual(dctMotion(both, { frames: 16, output, out: both.subarray(0, expected.length) }), expected);
  }
});

const wrong: [string, unknown, unknown][] = [
  ...wrongClips.map(([what, clip]): [string, unknown, unknown] => [what, clip, { frames: 4 }]),
  ...wrongOptions.map(([what, options]): [string, unknown, unknown] => [what, floats(24), options]),
  ['65 frames', floats(130), { frames: 65 }],
  ['negative dropLow', floats(24), { frames: 4, dropLow: -1 }],
  ['dropLow above frames', floats(24), { frames: 4, dropLow: 5 }],
  ['fractional dropLow', floats(24), { frames: 4, dropLow: 0.5 }],
  ['unknown output', floats(24), { frames: 4, output: 'power' }],
  ['out of frames for the energy', floats(24), { frames: 4, output: 'energy', out: new Float32Array(24) }],
];
for (const [what, clip, options] of wrong) {
  test(`wrong argument: ${what}`, async (t) => {
    const error = t.throws(() => dctMotion(clip as Float32Array, options as DctMotionOptions), INVALID);
    t.is(error?.name, 'VsslError');
    await t.throwsAsync(dctMotionAsync(clip as Float32Array, options as DctMotionOptions), INVALID);
  });
}
