import test from 'ava';
import { clipFormatOf } from '#src/data/clip-plan.js';
import type { ClipPlan, VideoFacts } from '#src/data/plan.js';
import { Rng } from '#src/data/rng.js';
import { bareRow } from '#src/data/rows.js';
import { loadConfig, resolveConfig, type TrainConfig } from '#src/methods/config.js';
import { getMethod } from '#src/methods/registry.js';

const factsOf = (frames: number): VideoFacts => {
  const times = Float64Array.from({ length: frames }, (_, i) => i / 25);
  return { path: 'a', codec: 'h264', width: 320, height: 240, times, end: frames / 25, warnings: [] };
};
const frameOf = (time: number) => Math.floor(time * 25);
const RATES = [1, 0.8, 0.6, 0.4, 0.2];

/** Clips of 10 frames with stride 2, and the targets beside them. */
function drawn(cstp: TrainConfig['cstp'], seed: number, frames = 400, data: object = {}) {
  const config = resolveConfig({
    method: 'cstp',
    cstp,
    data: { clip: { frames: 10, stride: 2, size: 64 }, ...data },
  });
  const { views } = getMethod('cstp').planViews(
    {
      ...{ row: bareRow('a', 'a', { kind: 'file', path: 'a' }), facts: factsOf(frames), labels: [] },
      ...{ format: clipFormatOf(config), augment: config.data.augment, stream: 'train' },
      ...{ progress: { step: 0, totalSteps: 1, epoch: 0 }, rng: new Rng(seed) },
    },
    config,
  );
  const clips = views.flatMap(({ clip }) => (clip ? [clip] : [])) as [ClipPlan, ClipPlan];
  const targets = Object.fromEntries(
    views.flatMap((view) => (view.clip ? [] : [[view.name, view.values as number[]]])),
  ) as Record<string, number[] | undefined>;
  return { clips, targets };
}

const area = ([x0, y0, x1, y1]: readonly number[]) => Math.max(0, x1! - x0!) * Math.max(0, y1! - y0!);

test('targets are what is measured on the clips: overlap in time and space, and speed', (t) => {
  const seen: Record<string, Set<number>> = {};
  for (let seed = 0; seed < 400; seed++) {
    const { clips, targets } = drawn({}, seed);
    const [a, b] = clips;
    const stride = frameOf(a.times[1]!) - frameOf(a.times[0]!);
    t.is(frameOf(b.times[1]!) - frameOf(b.times[0]!), stride);
    t.deepEqual(targets.speed, [[2, 4, 8, 16].indexOf(stride), [2, 4, 8, 16].indexOf(stride)]);
    const shift = Math.abs(frameOf(a.times[0]!) - frameOf(b.times[0]!));
    t.true(Math.abs(1 - shift / (10 * stride) - RATES[targets.time![0]!]!) < 1e-9);
    const [p, q] = [a.augment[0]!.crop, b.augment[0]!.crop];
    const both = [0, 1, 2, 3].map((i) => (i < 2 ? Math.max(p[i]!, q[i]!) : Math.min(p[i]!, q[i]!)));
    t.true(Math.abs(area(both) / area(p) - RATES[targets.space![0]!]!) < 1e-9);
    t.is(targets.rotation!.length, 2);
    for (const [name, values] of Object.entries(targets))
      for (const value of values!) {
        seen[name] ??= new Set<number>();
        seen[name].add(value);
      }
  }
  t.deepEqual(Object.fromEntries(Object.entries(seen).map(([name, values]) => [name, values.size])), {
    space: 5,
    time: 5,
    speed: 4,
    rotation: 4,
  });
});

test('a short video has the speeds and overlaps that fit; one shorter than a clip has no overlap in time', (t) => {
  for (let seed = 0; seed < 60; seed++) {
    const { clips, targets } = drawn({}, seed, 40);
    t.true(targets.speed![0]! <= 1);
    for (const { times } of clips)
      for (let i = 1; i < times.length; i++) t.true(times[i]! > times[i - 1]!, 'not looped');
    const looped = drawn({}, seed, 12);
    t.is(looped.targets.time, undefined);
    t.deepEqual(looped.targets.speed, [0, 0]);
    t.is(looped.targets.space!.length, 1);
  }
});

test('a weight of 0 leaves out the head and what is drawn for it', (t) => {
  const none = { weights: { space: 0, time: 0, speed: 0, rotation: 0 } };
  let different = 0;
  for (let seed = 0; seed < 40; seed++) {
    const { clips, targets } = drawn(none, seed);
    t.deepEqual(targets, {});
    t.is(frameOf(clips[0].times[1]!) - frameOf(clips[0].times[0]!), 2);
    if (Math.abs(area(clips[0].augment[0]!.crop) - area(clips[1].augment[0]!.crop)) > 1e-9) different++;
  }
  t.true(different > 30);
  t.deepEqual(Object.keys(drawn({ weights: { rotation: 0 } }, 1).targets), ['space', 'time', 'speed']);
});

test('colour, grey and blur are for some clips alone', (t) => {
  const changed = (strong: number) => {
    let count = 0;
    for (let seed = 0; seed < 200; seed++)
      for (const { augment } of drawn({ strong }, seed).clips) {
        const { color, gray, blur } = augment[0]!;
        if (color.length > 0 || gray || blur > 0) count++;
      }
    return count / 400;
  };
  t.is(changed(0), 0);
  t.true(Math.abs(changed(0.3) - 0.3 * 0.92) < 0.07);
  t.true(changed(1) > 0.85);
});

test('the engine is told of the heads that count, and of m', (t) => {
  const config = loadConfig({ preset: 'cstp', set: ['cstp.weights.rotation=0', 'cstp.weights.time=2'] });
  const method = getMethod('cstp');
  t.like(method.nativeOptions(config), {
    contrast: 0.1,
    headHidden: 4096,
    headDim: 512,
    predictionHidden: 0,
  });
  t.deepEqual(method.nativeOptions(config).predictions, [
    { name: 'space', input: 'pair', classes: 5, weight: 1 },
    { name: 'time', input: 'pair', classes: 5, weight: 2 },
    { name: 'speed', input: 'each', classes: 4, weight: 1 },
  ]);
  t.deepEqual(method.hyper(config, { step: 3, totalSteps: 9 }), { momentum: 0.996 });
});

test('what cannot be is refused with its key', (t) => {
  const refused = (set: string[], key: RegExp) =>
    t.throws(() => loadConfig({ preset: 'cstp', set }), { code: 'ERR_VSSL_CONFIG', message: key });
  refused(['data.clip.frames=2', 'data.clip.stride=1'], /cstp\.overlaps.*some are the same/s);
  refused(['cstp.overlaps=[1, 0.5, 0.5]'], /cstp\.overlaps/);
  refused(['cstp.speeds=[1, 1]'], /cstp\.speeds/);
  refused(['cstp.weights={contrast: 0, space: 0, time: 0, speed: 0, rotation: 0}'], /cstp\.weights/);
  refused(['data.augment.crop=null'], /data\.augment\.crop/);
  refused(['data.augment.perFrame=true'], /data\.augment\.perFrame/);
  t.notThrows(() => loadConfig({ preset: 'cstp', set: ['data.augment.crop=null', 'cstp.weights.space=0'] }));
});
