// The views of finetune and attentive: one clip, its class beside it, and what the data has to be like.
import test from 'ava';
import { clipFormatOf } from '#src/data/clip-plan.js';
import type { VideoFacts } from '#src/data/plan.js';
import { Rng } from '#src/data/rng.js';
import { bareRow } from '#src/data/rows.js';
import { loadConfig } from '#src/methods/config.js';
import { getMethod } from '#src/methods/registry.js';
import { tunedConfig } from '#src/tune/tuned-config.js';

const times = Float64Array.from({ length: 100 }, (_, i) => i / 25);
const facts: VideoFacts = {
  path: 'a.mp4',
  codec: 'h264',
  width: 320,
  height: 240,
  times,
  end: 4,
  warnings: [],
};
const labels = ['jump', 'run', 'walk'];

function plan(method: 'finetune' | 'attentive', classes: number, label: string | undefined, seed = 0) {
  const config = loadConfig({ preset: `${method}-tiny`, set: [`${method}.classes=${classes}`] });
  return getMethod(method).planViews(
    {
      row: bareRow('a.mp4', 'a.mp4', { kind: 'file', path: 'a.mp4' }, label),
      facts,
      rng: new Rng(seed),
      format: clipFormatOf(config),
      augment: config.data.augment,
      labels,
      progress: { step: 0, totalSteps: 1, epoch: 0 },
      stream: 'train',
    },
    config,
  );
}

for (const method of ['finetune', 'attentive'] as const)
  test(`${method}: one clip and the place of its label`, (t) => {
    for (const [place, label] of labels.entries()) {
      const { views, side } = plan(method, 3, label, place);
      t.deepEqual(
        views.map(({ name }) => name),
        ['clip'],
      );
      t.deepEqual(side, [{ name: 'label', dtype: 'int64', shape: [], values: [place] }]);
      t.deepEqual(plan(method, 3, label, place).views, views, 'a pure function of its context');
    }
    t.notDeepEqual(plan(method, 3, 'run', 1).views, plan(method, 3, 'run', 2).views);
    t.throws(() => plan(method, 4, 'run'), { code: 'ERR_VSSL_CONFIG', message: /expected 3/ });
    t.throws(() => plan(method, 3, undefined), { code: 'ERR_VSSL_DATA', message: /a\.mp4 has no label/ });
  });

test('the engine is given all options; a step is told the seed of its dropout', (t) => {
  const config = loadConfig({ preset: 'finetune-ucf101' });
  t.deepEqual(getMethod('finetune').nativeOptions(config), {
    classes: 101,
    dropout: 0.8,
    smoothing: 0,
    encoderRate: 1,
    depthDecay: 1,
  });
  const seeds = [0, 1].map(
    (step) => getMethod('finetune').hyper(config, { step, totalSteps: 9 }).dropoutSeed,
  );
  t.not(seeds[0], seeds[1]);
  const probe = getMethod('attentive').nativeOptions(loadConfig({ preset: 'attentive-k400' }));
  t.deepEqual(probe, { classes: 400, smoothing: 0, layers: 1, heads: 8, width: 0 });
  t.throws(() => loadConfig({ preset: 'attentive-tiny', set: ['attentive.width=30'] }), {
    message: /divisor of attentive\.width/,
  });
  t.is(loadConfig({ preset: 'finetune-ssv2' }).data.augment.flip, 0, 'left and right are told apart');
  t.is(loadConfig({ preset: 'attentive-ssv2' }).data.augment.flip, 0);
});

test('a run takes its network and clips from the weights, its training from the preset', (t) => {
  const description = {
    method: 'cvrl',
    encoder: 'encoder',
    model: { arch: 'r3d_18', width: 0.5 },
    clip: { frames: 12, stride: 3, size: 96, fps: 15 },
    input: 'difference' as const,
    mean: [0.1, 0.2, 0.3] as const,
    std: [0.5, 0.5, 0.5] as const,
    shrink: 2,
    step: 7,
  };
  const options = {
    protocol: 'finetune',
    preset: 'finetune-ssv2',
    set: ['train.batch=8'],
    seed: 4,
    classes: 9,
  };
  const config = tunedConfig(description, options);
  t.like(config.model, { arch: 'r3d_18', width: 0.5 });
  t.deepEqual(config.data.clip, description.clip);
  t.is(config.data.input, 'difference');
  t.deepEqual(config.data.normalize, { mean: [0.1, 0.2, 0.3], std: [0.5, 0.5, 0.5] });
  t.is(config.data.shrink, 2);
  t.is(config.data.augment.flip, 0);
  t.like(config.train, { batch: 8, seed: 4, epochs: 22 });
  t.like(config.finetune, { classes: 9, dropout: 0.5 });
});
