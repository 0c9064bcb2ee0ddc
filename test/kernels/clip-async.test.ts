import test from 'ava';
import {
  dct,
  dctAsync,
  dctMotion,
  dctMotionAsync,
  emaUpdate,
  emaUpdateAsync,
  frameDifference,
  frameDifferenceAsync,
} from '#src/kernels/index.js';
import { bytes, floats, INVALID } from './clip-values.js';

const frames = 16;

test('give what the synchronous calls give', async (t) => {
  for (const clip of [floats(frames * 1001), bytes(frames * 1001)]) {
    t.deepEqual(await dctAsync(clip, { frames, keep: 5 }), dct(clip, { frames, keep: 5 }));
    t.deepEqual(await dctAsync(clip, { frames, inverse: true }), dct(clip, { frames, inverse: true }));
    t.deepEqual(await dctMotionAsync(clip, { frames, dropLow: 3 }), dctMotion(clip, { frames, dropLow: 3 }));
    t.deepEqual(
      await dctMotionAsync(clip, { frames, output: 'energy' }),
      dctMotion(clip, { frames, output: 'energy' }),
    );
    t.deepEqual(await frameDifferenceAsync(clip, { frames }), frameDifference(clip, { frames }));
  }
  const [target, source] = [floats(5000, 2), floats(5000, 3)];
  const expected = target.slice();
  emaUpdate(expected, source, 0.99);
  t.is(await emaUpdateAsync(target, source, 0.99), undefined);
  t.deepEqual(target, expected);
});

test('take inputs at the call and write `out` when they resolve', async (t) => {
  const clip = floats(frames * 5000);
  const expected = dct(clip, { frames });
  const calls = Array.from({ length: 8 }, async () => {
    const own = clip.slice();
    const out = new Float32Array(clip.length);
    const call = dctAsync(own, { frames, out, threads: 2 });
    own.fill(Number.NaN);
    t.true(out.every((value) => value === 0));
    t.is(await call, out);
    t.deepEqual(out, expected);
  });
  await Promise.all(calls);
  const both = clip.slice();
  await dctAsync(both, { frames, out: both });
  t.deepEqual(both, expected);
});

test('emaUpdateAsync starts from the target at the call', async (t) => {
  const [target, source] = [floats(5000, 2), floats(5000, 3)];
  const expected = target.slice();
  emaUpdate(expected, source, 0.9);
  const call = emaUpdateAsync(target, source, 0.9);
  target.fill(Number.NaN);
  source.fill(Number.NaN);
  await call;
  t.deepEqual(target, expected);
});

test('arrays transferred away while they run do no harm', async (t) => {
  const clip = floats(frames * 5000);
  const out = new Float32Array(clip.length);
  const call = dctAsync(clip, { frames, out });
  structuredClone(out.buffer, { transfer: [out.buffer] });
  structuredClone(clip.buffer, { transfer: [clip.buffer as ArrayBuffer] });
  await t.throwsAsync(call, { ...INVALID, message: /out/ });
  const target = floats(5000);
  const update = emaUpdateAsync(target, floats(5000, 2), 0.5);
  structuredClone(target.buffer, { transfer: [target.buffer as ArrayBuffer] });
  await t.throwsAsync(update, { ...INVALID, message: /target/ });
});

test('an error has the stack of the caller', async (t) => {
  async function theCaller() {
    const out = new Float32Array(frames * 5000);
    const call = dctMotionAsync(floats(frames * 5000), { frames, out });
    structuredClone(out.buffer, { transfer: [out.buffer] });
    await call;
  }
  const error = await t.throwsAsync(theCaller());
  t.regex(error?.stack ?? '', /theCaller/);
});
