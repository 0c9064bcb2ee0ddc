import test from 'ava';
import type { VideoFacts } from '#src/data/plan.js';
import { Rng } from '#src/data/rng.js';
import type { VideoRow } from '#src/data/rows.js';
import { drawSnippetStarts } from '#src/data/samplers/snippets.js';
import { loadConfig, resolveConfig, type TrainConfig } from '#src/methods/config.js';
import { getMethod } from '#src/methods/registry.js';
import { buildSessionSpec } from '#src/train/session-spec.js';
import { planClips, planSample } from '../helpers/view-context.js';

const ROW: VideoRow = {
  id: 'a.mp4',
  path: 'a.mp4',
  label: undefined,
  group: undefined,
  start: undefined,
  end: undefined,
  extra: {},
  source: { kind: 'file', path: 'a.mp4' },
};

/** A video of so many pictures, 25 a second. */
function factsOf(frames: number): VideoFacts {
  const times = Float64Array.from({ length: frames }, (_, i) => i / 25);
  return { path: 'a.mp4', codec: 'h264', width: 320, height: 240, times, end: frames / 25, warnings: [] };
}

/** Numbers of the pictures of each snippet of a video of `frames` pictures. */
function snippets(config: Omit<TrainConfig, 'method'>, seed: number, frames = 100) {
  const resolved = resolveConfig({ method: 'tcgl', ...config } as TrainConfig);
  return planClips(resolved, { row: ROW, facts: factsOf(frames), rng: new Rng(seed) }).map(
    ({ name, clip }) => ({
      name,
      clip,
      frames: clip.times.map((time) => Math.floor(time * 25)),
    }),
  );
}

const options = (set: string[], preset = 'tcgl') => {
  const config = loadConfig({ preset, set });
  return getMethod('tcgl').nativeOptions(config);
};

test('three snippets of 16 frames in a row, 8 frames apart, in the order of time', (t) => {
  const firsts = new Set<number>();
  for (let seed = 0; seed < 300; seed++) {
    const planned = snippets({}, seed, 70);
    t.deepEqual(
      planned.map(({ name }) => name),
      ['snippet1', 'snippet2', 'snippet3'],
    );
    const first = planned[0]!.frames[0]!;
    firsts.add(first);
    planned.forEach(({ frames }, p) => {
      t.deepEqual(
        frames,
        Array.from({ length: 16 }, (_, i) => first + 24 * p + i),
      );
    });
  }
  t.deepEqual([...firsts].sort(), [0, 1, 2, 3, 4, 5, 6], 'every start that leaves 64 frames within 70');
});

test('each snippet has its own crop and no other augmentation; its temporal mean is removed', (t) => {
  for (let seed = 0; seed < 30; seed++) {
    const planned = snippets({}, seed);
    const crops = planned.map(({ clip }) => clip.augment[0]!.crop);
    t.is(new Set(crops.map(String)).size, 3);
    for (const { clip } of planned) {
      t.is(clip.input, 'temporal-mean-removed');
      t.is(clip.augment.length, 1);
      const { crop, ...rest } = clip.augment[0]!;
      t.deepEqual(rest, { flip: false, color: [], gray: false, blur: 0, blurRadius: 0, solarize: null });
      const area = (crop[2] - crop[0]) * (crop[3] - crop[1]);
      t.true(area >= 0.55 && area <= 0.6, '112 x 112 of 128 x 171');
    }
  }
});

test('snippets of a short video move together, keep their order, and are looped at last', (t) => {
  for (let length = 1; length < 70; length++) {
    const span = { length, frames: 8, stride: 2 };
    for (let seed = 0; seed < 20; seed++) {
      const starts = drawSnippetStarts(span, 3, 4, new Rng(seed));
      const [a, b, c] = starts as [number, number, number];
      t.is(c - b, b - a);
      if (length >= 53) t.is(b - a, 19, 'as asked for: 15 frames and a gap of 4');
      else t.is(b - a, Math.max(1, Math.floor((length - 15) / 2)), 'as far apart as the video allows');
      t.true(a >= 0 && a < length);
      if (length >= 17) t.true(c + 14 < length, 'within the video');
    }
  }
  const looped = snippets({}, 1, 5);
  t.true(looped.every(({ frames }) => frames.length === 16 && frames.every((i) => i >= 0 && i < 5)));
});

test('separate views: a second crop of the same frames of each snippet', (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const shared = snippets({}, seed);
    const both = snippets({ tcgl: { views: 'separate' } }, seed);
    t.deepEqual(both.slice(0, 3), shared, 'the first crops are those of shared views');
    t.is(both.length, 6);
    both.slice(3).forEach(({ clip }, p) => {
      t.deepEqual(clip.times, shared[p]!.clip.times);
      t.notDeepEqual(clip.augment, shared[p]!.clip.augment);
    });
  }
  t.like(options(['tcgl.views=separate', 'tcgl.negatives=batch']), {
    separateViews: true,
    batchNegatives: true,
    heldOut: false,
  });
});

test('a part of the videos is held out, the same in every epoch', (t) => {
  const held = (id: string, seed: number, part = 0.1) => {
    const config = loadConfig({ preset: 'tcgl-tiny', set: [`tcgl.heldOut=${part}`] });
    const { side } = planSample(config, { row: { ...ROW, id }, facts: factsOf(100), rng: new Rng(seed) });
    t.is(side?.length ?? 0, part > 0 ? 1 : 0);
    if (part === 0) return 0;
    t.like(side![0]!, { name: 'heldOut', dtype: 'int64', shape: [] });
    return Number(side![0]!.values[0]);
  };
  let count = 0;
  for (let i = 0; i < 2000; i++) count += held(`v${i}`, i);
  t.true(count > 150 && count < 250, String(count));
  for (let i = 0; i < 20; i++) t.is(held(`v${i}`, 1), held(`v${i}`, 2));
  held('v', 0, 0);
});

test('more or fewer snippets: what all have in common stays as it is', (t) => {
  const [two, four] = [2, 4].map((count) => snippets({ tcgl: { snippets: count } }, 3, 200));
  t.is(two!.length, 2);
  t.is(four!.length, 4);
  t.deepEqual(two![1]!.clip.augment, four![1]!.clip.augment);
});

test('the engine drops what the snippets have not lost yet', (t) => {
  t.like(options([]), { snippets: 3, sets: 4, dropLow: 1, intraWeight: 1, interWeight: 1, orderWeight: 1 });
  t.false('gap' in options([]));
  t.is(options([]).dim, 0);
  t.is(options(['data.input=rgb']).dropLow, 0, 'pictures stay pictures');
  t.is(options(['data.input=difference', 'tcgl.dropLow=2']).dropLow, 0);
  t.is(options(['tcgl.dropLow=3']).dropLow, 3);
  t.like(options(['tcgl.dim=64', 'tcgl.weights.order=0.5']), { dim: 64, orderWeight: 0.5 });
});

test('options that do not fit the clip are refused with their key', (t) => {
  const refused = (set: string[], key: RegExp) =>
    t.regex(t.throws(() => options(set), { code: 'ERR_VSSL_CONFIG' })!.message, key);
  refused(['tcgl.sets=3'], /tcgl\.sets.*divisor of data\.clip\.frames \(16\)/);
  refused(['tcgl.sets=16'], /tcgl\.sets.*nothing is left/);
  refused(['tcgl.dropLow=4'], /tcgl\.dropLow.*nothing is left/);
  refused(['tcgl.weights={intra: 0, inter: 0, order: 0}'], /tcgl\.weights/);
  t.notThrows(() => options(['tcgl.sets=16', 'data.input=rgb']));
});

test('every step has an order and a corruption of its own, drawn from the seed', (t) => {
  const hyper = (step: number, seed = 0) =>
    getMethod('tcgl').hyper(loadConfig({ preset: 'tcgl', set: [`train.seed=${seed}`] }), {
      step,
      totalSteps: 100,
    });
  t.deepEqual(hyper(4), hyper(4));
  t.not(hyper(4).orderSeed, hyper(5).orderSeed);
  t.not(hyper(4).corruptionSeed, hyper(5).corruptionSeed);
  t.not(hyper(4).orderSeed, hyper(4).corruptionSeed);
  t.not(hyper(4).orderSeed, hyper(4, 1).orderSeed);
});

test('the preset tcgl has the published settings', (t) => {
  const { model, data, train, tcgl } = loadConfig({ preset: 'tcgl' });
  t.deepEqual(model, { arch: 'r3d_18', width: 1, checkpoint: 'none' });
  t.like(data, { input: 'temporal-mean-removed', clip: { frames: 16, stride: 1, size: 112, fps: null } });
  t.like(data.normalize, { mean: [0, 0, 0], std: [1, 1, 1] });
  t.is(train.batch, 24);
  t.is(train.epochs, 300);
  t.like(train.optimizer, { name: 'sgd', lr: 3e-3, momentum: 0.9, weightDecay: 5e-4 });
  t.like(tcgl as object, { snippets: 3, gap: 8, sets: 4, edgeDrop: 0.2, featureMask: 0.1, temperature: 0.5 });
  t.like(tcgl as object, {
    weights: { intra: 1, inter: 1, order: 1 },
    gates: true,
    dropout: 0.1,
    gcnLayers: 1,
  });
});

test('every arm of every claim is a session that the engine would take, at full and at tiny size', (t) => {
  const method = getMethod('tcgl');
  for (const preset of ['tcgl', 'tcgl-tiny'] as const) {
    for (const { name, arms } of method.claims) {
      for (const arm of arms) {
        const config = resolveConfig({ extends: preset, ...arm.config } as TrainConfig);
        t.notThrows(() => buildSessionSpec(config, { accumulate: 1, device: 'cpu' }), `${preset}: ${name}`);
      }
    }
  }
});
