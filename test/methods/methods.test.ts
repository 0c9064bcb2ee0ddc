import test from 'ava';
import { mergeRaw, type RawConfig } from '#src/config/raw.js';
import type { VideoFacts } from '#src/data/plan.js';
import { Rng } from '#src/data/rng.js';
import type { VideoRow } from '#src/data/rows.js';
import type { VsslError } from '#src/errors.js';
import { loadConfig, resolveConfig, type TrainConfig } from '#src/methods/config.js';
import { getMethod, listMethods, listPresets } from '#src/methods/registry.js';
import { planClips, planSample } from '../helpers/view-context.js';

function factsOf(frames: number): VideoFacts {
  const times = Float64Array.from({ length: frames }, (_, i) => i / 25);
  return { path: 'a.mp4', codec: 'h264', width: 320, height: 240, times, end: frames / 25, warnings: [] };
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

function views(config: TrainConfig, seed: number, frames = 100, row: VideoRow = ROW) {
  const resolved = resolveConfig(config);
  return planClips(resolved, { row, facts: factsOf(frames), rng: new Rng(seed) });
}

const frameOf = (time: number) => Math.floor(time * 25);

/** Methods of two views of pictures; others have tests of their views in files of their own. */
const PAIRED = ['cvrl', 'simclr', 'moco', 'videomoco', 'fame'];

test('methods of a pair: two views, right shapes, a pure function of their context', (t) => {
  for (const method of listMethods().filter(({ name }) => PAIRED.includes(name))) {
    const config = { method: method.name, data: { clip: { frames: 8, stride: 3, size: 64 } } } as TrainConfig;
    for (let seed = 0; seed < 40; seed++) {
      const planned = views(config, seed);
      t.deepEqual(
        planned.map((view) => view.name),
        ['view1', 'view2'],
      );
      for (const { clip } of planned) {
        t.is(clip.times.length, 8);
        t.deepEqual([clip.height, clip.width, clip.augment.length, clip.modality], [64, 64, 1, 'rgb']);
        for (let i = 1; i < 8; i++) t.is(frameOf(clip.times[i]!) - frameOf(clip.times[i - 1]!), 3);
      }
      t.deepEqual(planned, views(config, seed));
      t.notDeepEqual(planned[0]!.clip.augment, planned[1]!.clip.augment);
    }
  }
});

test('every method: claims are orderings of at least two arms whose settings are valid', (t) => {
  for (const method of listMethods()) {
    t.is(method.claims.length > 0, !method.labels, method.name);
    t.is(new Set(method.claims.map((claim) => claim.name)).size, method.claims.length);
    for (const claim of method.claims) {
      t.true(claim.arms.length >= 2);
      const arms = claim.arms.map((arm) => {
        const raw = mergeRaw({ method: method.name } as RawConfig, arm.config);
        return JSON.stringify([resolveConfig(raw as TrainConfig), arm.budget ?? 1]);
      });
      t.is(new Set(arms).size, arms.length, `${claim.name}: arms differ`);
    }
  }
});

test('the engine is given what it knows', (t) => {
  const options = (preset: string, set: string[] = []) => {
    const config = loadConfig({ preset, set });
    return getMethod(config.method).nativeOptions(config);
  };
  const head = { headHidden: 0, headDim: 128, headNorm: true };
  t.deepEqual(options('cvrl'), {
    temperature: 0.1,
    lossScale: 2,
    headLayers: 3,
    ownNegatives: false,
    ...head,
  });
  t.deepEqual(options('simclr'), {
    temperature: 0.1,
    lossScale: 1,
    headLayers: 2,
    ownNegatives: false,
    ...head,
  });
  t.deepEqual(options('moco'), {
    temperature: 0.1,
    queue: 65536,
    decay: 1,
    decayOn: 'logit',
    ageUnit: 'enqueue',
    symmetric: false,
    ownNegatives: false,
    normGroups: 8,
    shuffle: true,
    skipOwnKeys: false,
    headLayers: 2,
    headHidden: 0,
    headDim: 128,
    headNorm: false,
  });
  t.deepEqual(
    options('cvrl', ['cvrl.head={hiddenDim: 64, hiddenLayers: 1, dim: 32}', 'cvrl.temperature=0.2']),
    {
      temperature: 0.2,
      lossScale: 2,
      ownNegatives: false,
      headLayers: 1,
      headDim: 32,
      headNorm: true,
      headHidden: 64,
    },
  );
});

test('the engine is given every option of a method, whatever the settings', (t) => {
  for (const method of listMethods()) {
    const settings = [...method.presets, ...method.claims.flatMap(({ arms }) => arms)];
    const given = settings.map(({ config }) =>
      method.nativeOptions(resolveConfig(mergeRaw({ method: method.name }, config) as TrainConfig)),
    );
    for (const options of given) {
      t.deepEqual(Object.keys(options).sort(), Object.keys(given[0]!).sort(), method.name);
      for (const [key, value] of Object.entries(options)) t.not(value, undefined, `${method.name} ${key}`);
    }
  }
});

test('what a step is told besides its rate is a function of its place in the run', (t) => {
  const hyper = (set: string[], step: number) => {
    const config = loadConfig({ preset: 'moco', set });
    return getMethod(config.method).hyper(config, { step, totalSteps: 100 });
  };
  const cvrl = loadConfig({ preset: 'cvrl' });
  t.deepEqual(getMethod('cvrl').hyper(cvrl, { step: 3, totalSteps: 9 }), {});
  t.is(hyper([], 0).momentum, 0.994);
  t.true(Math.abs(hyper([], 50).momentum! - 0.997) < 1e-12);
  t.true(hyper([], 99).momentum! > 0.99999);
  t.is(hyper(['moco.momentumSchedule=constant'], 50).momentum, 0.994);
  t.deepEqual(hyper([], 7), hyper([], 7));
  t.not(hyper([], 7).shuffle, hyper([], 8).shuffle);
  t.not(hyper([], 7).shuffle, hyper(['train.seed=1'], 7).shuffle);
  t.false('shuffle' in hyper(['moco.normGroups=1'], 7));
  t.false('shuffle' in hyper(['moco.shuffle=false'], 7));
});

test('options that the method refuses are refused with the configuration', (t) => {
  const code = 'ERR_VSSL_CONFIG';
  t.throws(() => loadConfig({ preset: 'tcgl', set: ['tcgl.sets=3'] }), { code, message: /tcgl\.sets/ });
  t.throws(() => resolveConfig({ extends: 'tcgl', tcgl: { sets: 3 } }), { code, message: /tcgl\.sets/ });
});

test('an unknown method names those there are', (t) => {
  const error = t.throws(() => getMethod('mocov9'), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  t.regex(error!.message, /cvrl, simclr, moco, videomoco, cate, modist, tcgl, concur, fame, cstp, teg/);
  t.regex(t.throws(() => getMethod('MoCoo')).message, /did you mean 'moco'\?/);
});

test('cvrl: gaps follow the chosen law', (t) => {
  const gaps = (config: TrainConfig) => {
    let sum = 0;
    for (let seed = 0; seed < 1500; seed++) {
      const [a, b] = views({ ...config, data: { clip: { frames: 8, stride: 2, size: 64 } } }, seed, 114);
      sum += Math.abs(frameOf(a!.clip.times[0]!) - frameOf(b!.clip.times[0]!));
    }
    return sum / 1500;
  };
  // 100 possible starts: means of 1/3, 1/2 and 2/3 of them, rounded down.
  t.true(Math.abs(gaps({ method: 'cvrl' }) - 32.8) < 2);
  t.true(Math.abs(gaps({ method: 'cvrl', cvrl: { sampling: 'uniform' } }) - 49.5) < 2.5);
  t.true(Math.abs(gaps({ method: 'cvrl', cvrl: { sampling: 'increasing' } }) - 66.2) < 2.5);
  t.is(gaps({ method: 'cvrl', cvrl: { sampling: 'same' } }), 0);
});

test('cvrl: another law changes no augmentation; per-frame augmentation has one entry a frame', (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const a = views({ method: 'cvrl' }, seed);
    const b = views({ method: 'cvrl', cvrl: { sampling: 'uniform' } }, seed);
    t.deepEqual(
      a.map((v) => v.clip.augment),
      b.map((v) => v.clip.augment),
    );
  }
  const perFrame = views({ method: 'cvrl', data: { augment: { perFrame: true } } }, 1);
  t.deepEqual(
    perFrame.map((v) => v.clip.augment.length),
    [16, 16],
  );
});

test('simclr: independent times, or one window', (t) => {
  let equal = 0;
  for (let seed = 0; seed < 200; seed++) {
    const [a, b] = views({ method: 'simclr' }, seed);
    if (a!.clip.times[0] === b!.clip.times[0]) equal++;
    const [c, d] = views({ method: 'simclr', simclr: { sameWindow: true } }, seed);
    t.deepEqual(c!.clip.times, d!.clip.times);
  }
  t.true(equal < 15);
});

test('a row’s window is honoured, short videos are looped', (t) => {
  for (const method of ['cvrl', 'simclr', 'moco', 'videomoco', 'cate', 'tcgl', 'fame'] as const) {
    for (let seed = 0; seed < 30; seed++) {
      for (const { clip } of views({ method }, seed, 200, { ...ROW, start: 2, end: 3.6 })) {
        t.true(clip.times.every((time) => time >= 2 && time < 3.6));
      }
      const short = views({ method }, seed, 3);
      for (const { clip } of short) {
        t.is(clip.times.length, 16);
        t.true(clip.times.every((time) => time >= 0 && time < 0.12));
      }
      // one window for both is what videomoco wants
      if (method !== 'videomoco')
        t.is(new Set(short.map(({ clip }) => clip.times.join())).size, short.length, `${method} ${seed}`);
    }
    t.throws(() => views({ method }, 0, 10, { ...ROW, start: 5 }), { code: 'ERR_VSSL_VIDEO_WINDOW' });
  }
});

test('clips of one’s own video out of order are a view more', (t) => {
  for (const method of ['cvrl', 'simclr', 'moco', 'videomoco'] as const)
    for (const kind of ['reversed', 'shuffled'] as const)
      for (let seed = 0; seed < 20; seed++) {
        const plain = views({ method } as TrainConfig, seed);
        const [first, second, negative] = views(
          { method, [method]: { ownNegatives: kind } } as TrainConfig,
          seed,
        );
        t.deepEqual([first, second], plain, 'the pair is what it is without');
        t.is(negative!.name, 'negative');
        const times = [...first!.clip.times];
        t.deepEqual(
          [...negative!.clip.times].sort((a, b) => a - b),
          times,
          'the same frames',
        );
        t.notDeepEqual(negative!.clip.times, times);
        if (kind === 'reversed') t.deepEqual(negative!.clip.times, times.reverse());
        t.notDeepEqual(negative!.clip.augment, first!.clip.augment);
      }
});

test('a queue that leaves own keys out is told which video a sample is of; off by default', (t) => {
  const sideOf = (config: TrainConfig, id: string, seed: number) =>
    planSample(resolveConfig(config), { row: { ...ROW, id }, facts: factsOf(200), rng: new Rng(seed) }).side;
  for (const method of ['moco', 'videomoco', 'modist'] as const) {
    t.is(sideOf({ method } as TrainConfig, 'a', 0), undefined);
    const skips = { method, [method]: { skipOwnKeys: true } } as TrainConfig;
    const [side] = sideOf(skips, 'a', 0)!;
    t.like(side!, { name: 'video', dtype: 'int64', shape: [] });
    t.deepEqual(sideOf(skips, 'a', 9), [side], 'the same in every epoch');
    t.notDeepEqual(sideOf(skips, 'b', 0), [side]);
    t.true(Number.isSafeInteger(side!.values[0]) && Number(side!.values[0]) >= 0);
    t.true((loadConfig({ preset: `${method}-tiny` })[method] as { skipOwnKeys: boolean }).skipOwnKeys);
  }
});

test('videomoco-tiny is moco-tiny but for dropping and decay', (t) => {
  const [moco, videomoco] = ['moco', 'videomoco'].map((name) => loadConfig({ preset: `${name}-tiny` }));
  const { moco: plain, method: _m, ...rest } = moco!;
  const { videomoco: more, method: _v, ...others } = videomoco!;
  t.deepEqual(others, rest);
  const { decay, ageUnit, ...shared } = plain as Record<string, unknown>;
  t.like(more as object, shared as object);
  t.is(decay, 1);
  t.is(ageUnit, 'enqueue');
  t.like(more as object, { decay: 0.9966, ageUnit: 'key' });
  t.true(Math.abs(0.9966 ** 192 - 0.99999 ** 65536) < 0.002);
});

test('every preset is a valid configuration of its method', (t) => {
  t.deepEqual(
    listPresets().map((preset) => preset.name),
    [
      ...[
        'cvrl',
        'simclr',
        'moco',
        'videomoco',
        'cate',
        'modist',
        'tcgl',
        'concur',
        'fame',
        'cstp',
        'teg',
      ].flatMap((name) => [name, `${name}-tiny`]),
      ...['finetune', 'attentive'].flatMap((name) =>
        ['ucf101', 'hmdb51', 'k400', 'ssv2', 'tiny'].map((set) => `${name}-${set}`),
      ),
    ],
  );
  for (const { name } of listPresets())
    t.is(loadConfig({ preset: name }).method, name.replace(/-(tiny|ucf101|hmdb51|k400|ssv2)$/, ''));
});

test("the preset cvrl has the paper's settings", (t) => {
  const { model, data, train, cvrl } = loadConfig({ preset: 'cvrl' });
  t.deepEqual(model, { arch: 'r3d_50', width: 1, checkpoint: 'none' });
  t.deepEqual(data.clip, { frames: 16, stride: 2, size: 224, fps: null });
  t.deepEqual(data.normalize, { mean: [0, 0, 0], std: [1, 1, 1] });
  t.deepEqual(data.augment, {
    crop: { area: [0.3, 1], aspect: [0.5, 2], attempts: 100, minCovered: 0.1 },
    flip: 0.5,
    jitter: { p: 0.8, brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.2 },
    gray: 0.2,
    blur: { p: 0.5, sigma: [0.1, 2], radius: 'auto' },
    solarize: { p: 0, threshold: 0.5 },
    still: { p: 0, weight: [0, 0.5] },
    meanRemoval: { p: 0, factor: [0, 1] },
    asymmetric: false,
    perFrame: false,
    background: 'own',
    fame: { share: 0.5, mask: 'refined', views: 'first' },
  });
  t.is(train.batch, 1024);
  t.is(train.epochs, 200);
  t.like(train.optimizer, { name: 'sgd', lr: 0.32, momentum: 0.9, nesterov: false, weightDecay: 1e-6 });
  t.like(train.schedule, { name: 'cosine', warmupEpochs: 5, finalLr: 0 });
  t.like(cvrl as object, { sampling: 'decreasing', samplingPower: 1, temperature: 0.1 });
});

test('what the engine would refuse, or would ignore, is refused with its key', (t) => {
  const refused = (preset: string, set: string[], key: string, reason: RegExp) => {
    const error = t.throws<VsslError>(() => loadConfig({ preset, set }), { code: 'ERR_VSSL_CONFIG' });
    t.is(error?.details.key, key, error?.message);
    t.regex(error?.message ?? '', reason);
  };
  for (const preset of [
    'cvrl',
    'simclr',
    'moco',
    'videomoco',
    'cate',
    'modist',
    'tcgl',
    'concur',
    'fame',
    'teg',
  ])
    for (const value of ['1e-4', '1e4'])
      refused(preset, [`${preset}.temperature=${value}`], `${preset}.temperature`, /0\.001 and <= 1000/);
  refused('tcgl', ['tcgl.weights.order=1e7'], 'tcgl.weights.order', /<= 1000000/);
  refused('modist', ['modist.lambda=1e7'], 'modist.lambda', /<= 1000000/);
  refused('modist', ['modist.weights.mm=1e7'], 'modist.weights.mm', /<= 1000000/);
  refused('modist', ['modist.weights={vv: 0, vm: 0}'], 'modist.weights', /learns nothing/);
  refused('modist', ['modist.weights.vv=0', 'modist.lambda=0'], 'modist.weights', /lambda \(0\)/);
  refused('modist', ['modist.motion.frames=5000'], 'modist.motion.frames', /<= 4096/);
  refused('modist', ['modist.motion.width=0.01'], 'modist.motion.width', />= 0\.015625/);
  refused('modist', ['model.width=0.02'], 'modist.motion.width', /half of model\.width, 0\.01/);
  refused(
    'modist',
    ['modist.minShift=3', 'modist.maxShift=2'],
    'modist.maxShift',
    /minShift \(3\) but got 2/,
  );
  const motion = 'modist.motion={arch: c3d, frames: 4}';
  refused('modist', [motion], 'modist.motion.frames', /c3d needs clips of at least 8 frames but got 4/);
  t.notThrows(() => loadConfig({ preset: 'modist', set: [motion, 'modist.lambda=0'] }));
  refused('cvrl-tiny', ['model.arch=c3d', 'data.clip.frames=4'], 'data.clip.frames', /c3d needs/);
  refused('cvrl-tiny', ['model.arch=c3d', 'data.clip.size=12'], 'data.clip.size', /16 x 16 but got 12 x 12/);
  refused(
    'tcgl-tiny',
    ['model.arch=c3d'],
    'tcgl.repeat',
    /got 4 in a frame set: .*\(16\) .*tcgl\.sets \(4\)/,
  );
  t.notThrows(() => loadConfig({ preset: 'tcgl-tiny', set: ['model.arch=c3d', 'tcgl.repeat=2'] }));
  refused('cate', ['cate.transformer.heads=3'], 'cate.transformer.width', /heads \(3\) but got 128/);
  refused('cate', ['cate.encode=[time, crop, time]'], 'cate.encode', /'time' stands twice/);
  refused('cate', ['cate.speeds=[0.5, 1]'], 'cate.speeds', /stride \(1\), but 0\.5, 1 make 1, 1/);
  t.notThrows(() => loadConfig({ preset: 'cate', set: ['cate.speeds=[0.5, 1]', 'data.clip.stride=2'] }));
  const groups = ['moco.head.norm=true', 'train.batch=16', 'moco.normGroups=16'];
  refused('moco', groups, 'moco.normGroups', /at least 2 videos in each group, but 16 groups of 16/);
  refused('moco', [...groups, 'moco.normGroups=8', 'train.accumulate=2'], 'moco.normGroups', /8 groups of 8/);
  t.notThrows(() => loadConfig({ preset: 'moco', set: [...groups, 'moco.normGroups=8'] }));
  for (const ratio of [0, 0.01, 0.99, 1]) {
    const set = [`videomoco.dropRatio=${ratio}`];
    refused('videomoco-tiny', set, 'videomoco.dropRatio', /of data\.clip\.frames \(8\) is [08] frames/);
    t.notThrows(() => loadConfig({ preset: 'videomoco-tiny', set: [...set, 'videomoco.drop=none'] }));
  }
});
