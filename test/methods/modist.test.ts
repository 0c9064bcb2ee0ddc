import test from 'ava';
import { mergeRaw, type RawConfig } from '#src/config/raw.js';
import { packedSource } from '#src/data/packed.js';
import type { ClipPlan, VideoFacts } from '#src/data/plan.js';
import { Rng } from '#src/data/rng.js';
import type { VideoRow } from '#src/data/rows.js';
import { loadConfig, resolveConfig, type TrainConfig } from '#src/methods/config.js';
import { getMethod } from '#src/methods/registry.js';
import { planClips } from '../helpers/view-context.js';

const RATE = 25;

function factsOf(frames: number): VideoFacts {
  const times = Float64Array.from({ length: frames }, (_, i) => i / RATE);
  return { path: 'a.mp4', codec: 'h264', width: 320, height: 240, times, end: frames / RATE, warnings: [] };
}

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

const base: TrainConfig = { method: 'modist', data: { clip: { frames: 8, stride: 2, size: 64 } } };

function views(options: RawConfig, seed: number, frames = 400, row = ROW): Record<string, ClipPlan> {
  const config = resolveConfig(mergeRaw(base as RawConfig, { modist: options }) as TrainConfig);
  const rng = new Rng(seed);
  const planned = planClips(config, { row, facts: factsOf(frames), rng });
  return Object.fromEntries(planned.map(({ name, clip }) => [name, clip]));
}

const frameOf = (time: number) => Math.floor(time * RATE);
const startOf = (clip: ClipPlan | undefined) => frameOf(clip!.times[0]!);

test('queries and keys lie 0.5 to 10 seconds apart; pictures and motion of one kind together', (t) => {
  const shifts: number[] = [];
  for (let seed = 0; seed < 400; seed++) {
    const { v1, v2, m1, m2 } = views({}, seed);
    t.is(startOf(v1), startOf(m1));
    t.is(startOf(v2), startOf(m2));
    shifts.push(startOf(v2) - startOf(v1));
    for (const clip of [v1, v2, m1, m2])
      clip!.times.slice(1).forEach((time, i) => {
        const step = frameOf(time) - frameOf(clip!.times[i]!);
        // The video's last frame has the motion towards it.
        t.true(
          step === 2 || (step === 1 && clip!.modality !== 'rgb' && frameOf(clip!.next![i + 1]!) === 399),
        );
      });
  }
  const sizes = shifts.map(Math.abs);
  t.true(Math.min(...sizes) >= 13 && Math.min(...sizes) < 17);
  t.true(Math.max(...sizes) <= 250 && Math.max(...sizes) > 235);
  // Uniform, and either comes first.
  t.true(Math.abs(sizes.reduce((a, b) => a + b) / 400 - 131.5) < 10);
  t.true(Math.abs(shifts.filter((shift) => shift > 0).length - 200) < 50);
});

test('aligned: a query of pictures and its key of motion show the same moment', (t) => {
  for (let seed = 0; seed < 50; seed++) {
    const { v1, v2, m1, m2 } = views({ aligned: true }, seed);
    t.is(startOf(v1), startOf(m2));
    t.is(startOf(v2), startOf(m1));
    t.true(Math.abs(startOf(v1) - startOf(v2)) >= 13);
  }
});

test('a video too short for the shift has its clips in the upper half of what it allows', (t) => {
  for (let seed = 0; seed < 30; seed++) {
    // 8 frames with stride 2 reach over 15; 20 frames leave 6 starts.
    const { v1, v2 } = views({}, seed, 20);
    const shift = Math.abs(startOf(v1) - startOf(v2));
    t.true(shift >= 3 && shift <= 5, String(shift));
    // Shorter than a clip: looped, half the video apart.
    const short = views({}, seed, 10);
    t.is((startOf(short.v1) - startOf(short.v2) + 10) % 10, 5);
    for (const clip of Object.values(short)) t.true(clip.times.every((time) => time >= 0 && time < 0.4));
    t.is(views({}, seed, 1).m1!.next![0], views({}, seed, 1).m1!.times[0]);
  }
});

test('a clip of motion: neighbouring frames, geometry alone, no normalisation', (t) => {
  for (let seed = 0; seed < 60; seed++) {
    const planned = views({ motion: { frames: 12, stride: 3 } }, seed, 40);
    for (const name of ['m1', 'm2']) {
      const clip = planned[name]!;
      t.is(clip.modality, 'flow-edges');
      t.deepEqual([clip.times.length, clip.next!.length, clip.height], [12, 12, 64]);
      clip.times.forEach((time, i) => {
        t.is(frameOf(clip.next![i]!) - frameOf(time), 1);
      });
      for (const augment of clip.augment) {
        const { crop, flip, ...rest } = augment;
        t.is(crop.length, 4);
        t.is(typeof flip, 'boolean');
        t.deepEqual(rest, { color: [], gray: false, blur: 0, blurRadius: 0, solarize: null });
      }
      t.deepEqual([clip.input, clip.mean, clip.std], ['rgb', [0, 0, 0], [1, 1, 1]]);
    }
    t.true(startOf(planned.v1) + 33 < 40, 'both kinds of clip fit where they begin');
    t.notDeepEqual(planned.m1!.augment, planned.v1!.augment);
    t.deepEqual(planned, views({ motion: { frames: 12, stride: 3 } }, seed, 40));
  }
});

test('what no loss needs is not planned', (t) => {
  const names = (options: RawConfig) => Object.keys(views(options, 1)).join(' ');
  t.is(names({}), 'v1 v2 m1 m2');
  t.is(names({ lambda: 0 }), 'v1 v2');
  t.is(names({ weights: { mv: 0 } }), 'v1 v2 m2');
  t.is(names({ weights: { vm: 0 } }), 'v1 v2 m1');
  t.is(names({ weights: { vv: 0, mv: 0 } }), 'v1 m2');
  // Leaving a term out changes nothing about the clips of the others.
  t.deepEqual(views({ lambda: 0 }, 5).v1, views({}, 5).v1);
});

test('pairs of motion are neighbouring pictures of the video, whatever the rate of the clips', (t) => {
  for (const own of [15, 25, 29.97, 60]) {
    const times = Float64Array.from({ length: 200 }, (_, i) => 1 + i / own);
    const facts = { ...factsOf(1), times, end: 1 + 200 / own };
    const shown = (time: number) => times.findLastIndex((start) => start <= time);
    for (const fps of [6, 18, 30, 120, null]) {
      for (const window of [{}, { start: 3.01, end: 5.02 }]) {
        const config = resolveConfig(
          mergeRaw(base as RawConfig, {
            data: { clip: { fps } },
            modist: { motion: { stride: 3 } },
          }) as TrainConfig,
        );
        for (let seed = 0; seed < 20; seed++) {
          const planned = planClips(config, { row: { ...ROW, ...window }, facts, rng: new Rng(seed) });
          const [v1, m1] = ['v1', 'm1'].map((name) => planned.find((view) => view.name === name)!.clip);
          t.is(shown(m1!.times[0]!), shown(v1!.times[0]!), 'motion begins at the picture of its time');
          m1!.times.forEach((time, i) => {
            t.is(shown(m1!.next![i]!) - shown(time), 1, `${own} under ${fps}`);
          });
        }
      }
    }
  }
});

test('flow comes from the copy, whatever the rate of the clips', (t) => {
  const source = packedSource('a.rgb8', { frames: 400, height: 240, width: 320, fps: RATE }, 'a.flow16');
  const row = { ...ROW, source };
  for (const preset of ['modist', 'modist-tiny']) {
    const config = loadConfig({ preset, set: ['modist.motion.input=flow'] });
    for (const { name, clip } of planClips(config, { row, facts: factsOf(400), rng: new Rng(1) }))
      t.is(clip.flow?.path, name.startsWith('m') ? 'a.flow16' : undefined, `${preset}, ${name}`);
  }
  t.deepEqual(views({}, 1, 400, row).m1!.flow, {
    path: 'a.flow16',
    offset: 0,
    frames: 399,
    height: 240,
    width: 320,
    fps: RATE,
  });
  t.is(views({ motion: { input: 'difference' } }, 1, 400, row).m1!.flow, undefined);
  t.is(views({}, 1, 400, row).v1!.flow, undefined);
});

test('the engine is given both networks and the four weights', (t) => {
  const native = (preset: string, set: string[] = []) => {
    const config = loadConfig({ preset, set });
    return getMethod('modist').nativeOptions(config);
  };
  t.deepEqual(native('modist'), {
    temperature: 0.1,
    queue: 65536,
    decay: 1,
    decayOn: 'logit',
    ageUnit: 'enqueue',
    normGroups: 8,
    shuffle: true,
    skipOwnKeys: false,
    headLayers: 1,
    headDim: 128,
    headNorm: false,
    headHidden: 2048,
    lambda: 1,
    vv: 1,
    vm: 1,
    mv: 1,
    mm: 0,
    motionModel: { arch: 'r3d_50', width: 0.5 },
  });
  t.like(native('modist-tiny'), { queue: 192, motionModel: { arch: 'r3d_10', width: 0.125 } });
  t.like(native('modist-tiny', ['modist.motion={arch: c3d, width: 0.5, input: flow}']), {
    motionModel: { arch: 'c3d', width: 0.5 },
  });
  t.is(
    (loadConfig({ preset: 'modist-tiny' }).modist as { motion: { input: string } }).motion.input,
    'difference',
  );
  const tiny = loadConfig({ preset: 'modist-tiny' });
  t.is(getMethod('modist').hyper(tiny, { step: 0, totalSteps: 10 }).momentum, 0.99);
});
