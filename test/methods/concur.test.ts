import test from 'ava';
import { clipFormatOf } from '#src/data/clip-plan.js';
import type { VideoFacts } from '#src/data/plan.js';
import { Rng } from '#src/data/rng.js';
import { bareRow } from '#src/data/rows.js';
import { loadConfig, resolveConfig, type TrainConfig } from '#src/methods/config.js';
import { getMethod } from '#src/methods/registry.js';

const factsOf = (frames: number): VideoFacts => {
  const times = Float64Array.from({ length: frames }, (_, i) => i / 25);
  return { path: 'a', codec: 'h264', width: 320, height: 240, times, end: frames / 25, warnings: [] };
};
const ROW = bareRow('a', 'a', { kind: 'file', path: 'a' });
const frameOf = (time: number) => Math.floor(time * 25);

/** Signed distance in frames of the two clips, and the target beside them. */
function drawn(concur: TrainConfig['concur'], step: number, seed: number, frames = 115) {
  const config = resolveConfig({
    method: 'concur',
    concur,
    data: { clip: { frames: 8, stride: 2, size: 64 } },
  });
  const { views } = getMethod('concur').planViews(
    {
      ...{ row: ROW, facts: factsOf(frames), format: clipFormatOf(config), augment: config.data.augment },
      ...{ labels: [], stream: 'train', progress: { step, totalSteps: 100, epoch: 0 }, rng: new Rng(seed) },
    },
    config,
  );
  const starts = views.flatMap(({ clip }) => (clip ? [frameOf(clip.times[0]!)] : []));
  const target = views.find(({ name }) => name === 'distance') as { values: number[] } | undefined;
  return { gap: starts[1]! - starts[0]!, target: target?.values, views };
}

// 115 frames, clips of 15: they begin at most 100 frames apart. Half a clip of 8 frames with stride 2 is 8 frames.
const farthest = (concur: TrainConfig['concur'], step: number) =>
  Math.max(...Array.from({ length: 600 }, (_, seed) => Math.abs(drawn(concur, step, seed).gap)));

test('the farthest distance follows the schedule', (t) => {
  const ends = (schedule: 'up' | 'down' | 'step' | 'small' | 'large') =>
    [0, 39, 41, 99].map((step) => farthest({ schedule }, step));
  t.deepEqual(ends('small'), [8, 8, 8, 8]);
  const near = (found: number[], wanted: number[]) =>
    t.true(
      found.every((value, i) => value <= wanted[i]! && value >= wanted[i]! - 5),
      found.join(),
    );
  near(ends('large'), [100, 100, 100, 100]);
  near(ends('up'), [8, 52, 55, 100]);
  near(ends('down'), [100, 55, 53, 8]);
  near(ends('step'), [8, 8, 100, 100]);
});

test('distances are uniform and either clip comes first', (t) => {
  const gaps = Array.from({ length: 2000 }, (_, seed) => drawn({ schedule: 'large' }, 0, seed).gap);
  t.true(Math.abs(gaps.reduce((sum, gap) => sum + gap, 0) / 2000) < 5);
  t.true(Math.abs(gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / 2000 - 50) < 2.5);
});

test('the target is the distance in units of what the video allows, whatever the schedule', (t) => {
  for (let seed = 0; seed < 200; seed++) {
    const number = { form: 'number' } as const;
    const { gap, target } = drawn({ distance: number }, 50, seed);
    t.deepEqual(target, [gap / 100]);
    t.deepEqual(drawn({ distance: { ...number, signed: false } }, 50, seed).target, [Math.abs(gap) / 100]);
    t.deepEqual(drawn({}, 50, seed).target, [Math.min(7, Math.floor((gap / 100 + 1) * 4))]);
    t.deepEqual(drawn({ distance: { signed: false, classes: 5 } }, 50, seed).target, [
      Math.min(4, Math.floor((Math.abs(gap) / 100) * 5)),
    ]);
  }
});

test('a video that leaves no distance has no target, and one shorter than a clip is looped', (t) => {
  t.deepEqual([drawn({}, 0, 1, 15).target, Math.abs(drawn({}, 0, 1, 15).gap)], [undefined, 7]);
  const looped = drawn({}, 0, 1, 10);
  t.is(looped.target, undefined);
  t.is(Math.abs(looped.gap), 5);
  t.is(drawn({ distance: { weight: 0 } }, 0, 1).target, undefined);
});

test('the engine is told of the head that is there', (t) => {
  const options = (set: string[]) => {
    const config = loadConfig({ preset: 'concur', set });
    return getMethod('concur').nativeOptions(config);
  };
  t.like(options([]), { temperature: 0.1, predictionHidden: 0, headLayers: 1 });
  t.deepEqual(options([]).predictions, [{ name: 'distance', input: 'pair', classes: 8, weight: 0.5 }]);
  t.deepEqual(options(['concur.distance={form: number, weight: 1}']).predictions, [
    { name: 'distance', input: 'pair', classes: 0, weight: 1 },
  ]);
  t.deepEqual(options(['concur.distance.weight=0']).predictions, []);
});

test('what cannot be is refused with its key', (t) => {
  const refused = (set: string, key: RegExp) =>
    t.throws(() => loadConfig({ preset: 'concur', set: [set] }), { code: 'ERR_VSSL_CONFIG', message: key });
  refused('concur.until=1.5', /concur\.until/);
  refused('concur.schedule=sideways', /concur\.schedule/);
  refused('concur.distance.classes=1', /concur\.distance\.classes/);
});
