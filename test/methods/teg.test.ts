import test from 'ava';
import { timeSteps } from '#src/config/architectures.js';
import { clipFormatOf } from '#src/data/clip-plan.js';
import type { VideoFacts } from '#src/data/plan.js';
import { Rng } from '#src/data/rng.js';
import { bareRow } from '#src/data/rows.js';
import { loadConfig, resolveConfig } from '#src/methods/config.js';
import { getMethod } from '#src/methods/registry.js';
import { loadEngine } from '#src/native/load.js';

const factsOf = (frames: number): VideoFacts => {
  const times = Float64Array.from({ length: frames }, (_, i) => i / 25);
  return { path: 'a', codec: 'h264', width: 320, height: 240, times, end: frames / 25, warnings: [] };
};
const frameOf = (time: number) => Math.floor(time * 25);

function drawn(frames: number, seed: number) {
  const config = resolveConfig({ method: 'teg', data: { clip: { frames: 16, stride: 1, size: 64 } } });
  const { views, side } = getMethod('teg').planViews(
    {
      ...{ row: bareRow('a', 'a', { kind: 'file', path: 'a' }), facts: factsOf(frames), labels: [] },
      ...{ format: clipFormatOf(config), augment: config.data.augment, stream: 'train' },
      ...{ progress: { step: 0, totalSteps: 1, epoch: 0 }, rng: new Rng(seed) },
    },
    config,
  );
  const [long, short] = views.map(({ clip }) => clip!.times) as [number[], number[]];
  const values = side![0]!.values;
  return { long, short, side: side![0]!, stamps: [values.slice(0, 16), values.slice(16)] as const };
}

test('the time stamps are those of the frames, and the short clip lies within the long one', (t) => {
  for (let seed = 0; seed < 100; seed++) {
    const { long, short, side, stamps } = drawn(100, seed);
    t.like(side, { name: 'times', dtype: 'float32', shape: [2, 16] });
    for (const [clip, times] of [long, short].entries())
      for (const [i, time] of times.entries())
        t.true(Math.abs(stamps[clip]![i]! - (frameOf(time) - frameOf(long[0]!)) / 25) < 1e-9);
    t.is(frameOf(long[1]!) - frameOf(long[0]!), 4);
    t.true(short[0]! >= long[0]! && short[15]! <= long[15]!);
  }
});

test('time stamps of a looped video go on rising', (t) => {
  const { stamps } = drawn(9, 3);
  for (const times of stamps) for (let i = 1; i < 16; i++) t.true(times[i]! > times[i - 1]!);
});

test('steps in time are what the engine makes', async (t) => {
  for (const [arch, timeStrides] of [
    ['r3d_10', undefined],
    ['r3d_10', [1, 2, 1, 1]],
    ['r2plus1d_18', [2, 1, 1, 2]],
    ['r3d_50', undefined],
    ['mc3_18', undefined],
    ['c3d', undefined],
  ] as const)
    for (const frames of [8, 9, 16]) {
      const model = { arch, width: 1 / 32, ...(timeStrides && { timeStrides }) };
      const encoder = await loadEngine().createEncoder({ ...model, seed: 1, device: 'cpu' });
      const steps = timeSteps({ arch, timeStrides }, frames);
      const loader = loadEngine().createLoader({ threads: 1, cacheBytes: 0 });
      const id = loader.addMemoryClip(new Uint8Array(frames * 32 * 32 * 3), frames, 32, 32);
      const plain = { crop: [0, 0, 1, 1], flip: false, color: [], gray: false, blur: 0, blurRadius: 0 };
      const clip = {
        ...{ source: { kind: 'memory', id, fps: 1 }, modality: 'rgb', height: 32, width: 32, shrink: 1 },
        ...{ times: Array.from({ length: frames }, (_, i) => i + 0.5), input: 'rgb' },
        ...{ augment: [{ ...plain, solarize: null }], mean: [0, 0, 0], std: [1, 1, 1] },
      };
      const { batch } = await loader.load({ version: 2, views: [{ name: 'a', clips: [clip] }] });
      // a grid as fine as the steps is taken, and one finer is not
      const grid = (time: number) => encoder.embed(batch, 'a', [time, 1, 1]);
      await t.notThrowsAsync(() => grid(steps), `${arch} ${timeStrides} ${frames}`);
      await t.throwsAsync(() => grid(steps + 1), { message: /grid/ }, `${arch} ${timeStrides} ${frames}`);
      batch.dispose();
      loader.dispose();
      encoder.dispose();
    }
});

test('what cannot be is refused with its key', (t) => {
  const refused = (set: string[], key: RegExp) =>
    t.throws(() => loadConfig({ preset: 'teg-tiny', set }), { code: 'ERR_VSSL_CONFIG', message: key });
  refused(['model.timeStrides=[1, 2, 2, 2]'], /model\.timeStrides.*one step in time of 8 frames/s);
  refused(['model.timeStrides=[1, 2, 3, 1]'], /model\.timeStrides/);
  refused(['model.arch=c3d', 'model.timeStrides=[1, 2, 1, 1]'], /model\.timeStrides/);
  refused(['teg={fine: 0, persistent: 0}'], /teg\.fine/);
  t.notThrows(() =>
    loadConfig({ preset: 'teg-tiny', set: ['model.timeStrides=[1, 2, 2, 2]', 'teg.fine=0'] }),
  );
  t.notThrows(() => loadConfig({ preset: 'teg-tiny', set: ['data.clip.frames=16'] }));
});
