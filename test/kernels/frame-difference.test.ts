import test from 'ava';
import { type FrameDifferenceOptions, frameDifference, frameDifferenceAsync } from '#src/kernels/index.js';
import { bytes, floats, INVALID, wrongClips, wrongOptions } from './clip-values.js';

test('is the next frame less this one, exactly', (t) => {
  for (const frames of [2, 3, 16, 100]) {
    for (const pixels of [1, 17, 1000]) {
      for (const clip of [floats(frames * pixels), bytes(frames * pixels)]) {
        const expected = Float32Array.from({ length: (frames - 1) * pixels }, (_, i) =>
          Math.fround(clip[i + pixels]! - clip[i]!),
        );
        t.deepEqual(frameDifference(clip, { frames }), expected);
      }
    }
  }
});

test('writes to `out` and in place, with the same bits for any number of threads', (t) => {
  const [frames, pixels] = [8, 400_001];
  const clip = floats(frames * pixels);
  const expected = frameDifference(clip, { frames, threads: 1 });
  const out = new Float32Array(expected.length + 3).subarray(3).fill(Number.NaN);
  t.is(frameDifference(clip, { frames, threads: 3, out }), out);
  t.deepEqual(out, expected);
  t.deepEqual(frameDifference(clip, { frames, out: clip.subarray(0, expected.length) }), expected);
});

const wrong: [string, unknown, unknown][] = [
  ...wrongClips.map(([what, clip]): [string, unknown, unknown] => [what, clip, { frames: 4 }]),
  ...wrongOptions.map(([what, options]): [string, unknown, unknown] => [what, floats(24), options]),
  ['a single frame', floats(24), { frames: 1 }],
  ['out of all frames', floats(24), { frames: 4, out: new Float32Array(24) }],
];
for (const [what, clip, options] of wrong) {
  test(`wrong argument: ${what}`, async (t) => {
    const error = t.throws(
      () => frameDifference(clip as Float32Array, options as FrameDifferenceOptions),
      INVALID,
    );
    t.is(error?.name, 'VsslError');
    await t.throwsAsync(
      frameDifferenceAsync(clip as Float32Array, options as FrameDifferenceOptions),
      INVALID,
    );
  });
}
