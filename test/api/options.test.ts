// Every exported call that takes options: a name that is none of them is refused, with the nearest one that is.
import test from 'ava';
import * as vssl from '#src/index.js';
import * as kernels from '#src/kernels/index.js';
import { scratch, tiny, writeTinyWeights } from '../embed/make-videos.js';
import { writeTinyClassifier } from '../predict/make-classifier.js';

const { file, remove } = scratch();
test.after.always(remove);

const floats = () => new Float32Array(16);
const motion = { frames: 4, thread: 1 };
const matrix = { rows: 4, dim: 4, temprature: 0.1 };
const queries = { rows: 4, temprature: 0.1 };
const withQueue = async (use: (queue: kernels.MomentumQueue) => unknown) => {
  const queue = new kernels.MomentumQueue({ capacity: 8, dim: 4 });
  try {
    await use(queue);
  } finally {
    queue.dispose();
  }
};
const withEncoder = async (use: (encoder: vssl.VideoEncoder) => Promise<unknown>) => {
  const encoder = await vssl.VideoEncoder.create({ arch: 'r3d_10', width: 0.125, clip: tiny });
  try {
    await use(encoder);
  } finally {
    await encoder.dispose();
  }
};
const withClassifier = async (use: (classifier: vssl.Classifier) => Promise<unknown>) => {
  await writeTinyWeights(file('weights.safetensors'));
  await writeTinyClassifier(file('classifier.safetensors'), file('weights.safetensors'));
  const classifier = await vssl.Classifier.load(file('classifier.safetensors'));
  try {
    await use(classifier);
  } finally {
    await classifier.dispose();
  }
};
const withIndex = async (use: (index: vssl.VideoIndex) => Promise<unknown>) => {
  const index = await vssl.VideoIndex.open(file('index'), { encoder: { digest: 'own', dim: 16 } });
  try {
    await use(index);
  } finally {
    await index.close();
  }
};
const frames = { frames: new Uint8Array(4 * 32 * 32 * 3), shape: [4, 32, 32, 3] };
const out = file('out');

/** By the exported name: each call is given one option too many, and the message must name the one in the list. */
const calls: Record<string, Record<string, [call: () => unknown, meant: string]>> = {
  train: { options: [() => vssl.train({}, { maxStep: 1 } as object), 'maxSteps'] },
  evaluate: {
    options: [() => vssl.evaluate({ protocol: 'knn', run: out, window: 1 } as never), 'windows'],
  },
  evaluateTuned: {
    options: [
      () => vssl.evaluateTuned({ protocol: 'finetune', run: out, preset: 'x', flors: true } as never),
      'floors',
    ],
  },
  embedForEvaluation: {
    options: [() => vssl.embedForEvaluation({ protocol: 'knn', run: out, shrad: '0/2' } as never), 'shard'],
  },
  embedToFile: { options: [() => vssl.embedToFile({ weights: out, data: out, clip: 1 } as never), 'clips'] },
  exportWeights: {
    options: [() => vssl.exportWeights({ weights: out, out, layuot: 'onnx' } as never), 'layout'],
  },
  importWeights: {
    options: [() => vssl.importWeights({ weights: out, out, archi: 'r3d_18' } as never), 'arch'],
    clip: [
      () => vssl.importWeights({ weights: out, out: `${out}.safetensors`, clip: { frame: 4 } } as never),
      'frames',
    ],
  },
  indexVideos: {
    options: [() => vssl.indexVideos({ weights: out, data: out, db: out, inclde: [] } as never), 'include'],
  },
  searchVideos: {
    options: [() => vssl.searchVideos({ db: out, clip: out, pervideo: true } as never), 'perVideo'],
  },
  watchVideos: {
    options: [
      () => vssl.watchVideos({ weights: out, data: out, db: out, intervall: 1 } as never).next(),
      'interval',
    ],
  },
  writeReport: { options: [() => vssl.writeReport({ runs: [out], out, clip: 1 } as never), 'clips'] },
  watchReport: { options: [() => vssl.watchReport({ runs: [out], out, prot: 1 } as never), 'port'] },
  VideoIndex: {
    open: [() => vssl.VideoIndex.open(out, { repare: true } as object), 'repair'],
    add: [() => withIndex((index) => index.add({ path: 'a', windws: [] } as never)), 'windows'],
    'add, options': [() => withIndex((index) => index.add([], { signl: 1 } as object)), 'signal'],
    remove: [() => withIndex((index) => index.remove([], { signl: 1 } as object)), 'signal'],
    search: [() => withIndex((index) => index.search(floats(), { topp: 1 } as object)), 'top'],
    duplicates: [() => withIndex((index) => index.duplicates({ treshold: 1 } as object)), 'threshold'],
    compact: [() => withIndex((index) => index.compact({ signl: 1 } as object)), 'signal'],
  },
  checkVideos: { options: [() => vssl.checkVideos({ data: out, depe: true } as never), 'deep'] },
  prepare: { options: [() => vssl.prepare({ data: out, out, shortside: 32 } as never), 'shortSide'] },
  runClaims: { options: [() => vssl.runClaims({ method: 'cvrl', budgt: 3 } as never), 'budget'] },
  defineMethod: { keys: [() => vssl.defineMethod({ name: 'toy', claim: [] } as never), 'claims'] },
  registerMeasure: { measure: [() => vssl.registerMeasure({ lables: true } as never), 'labels'] },
  writeSyntheticVideos: {
    options: [() => vssl.writeSyntheticVideos({ data: 'synthetic:motion', outs: out } as never), 'out'],
  },
  doctor: { options: [() => vssl.doctor({ selftest: false } as object), 'selfTest'] },
  loadConfig: { options: [() => vssl.loadConfig({ presets: 'cvrl' } as object), 'preset'] },
  resolveConfig: { keys: [() => vssl.resolveConfig({ method: 'cvrl', trian: {} } as object), 'train'] },
  getPreset: { name: [() => vssl.getPreset('cvrl-tni'), 'cvrl-tiny'] },
  VideoEncoder: {
    load: [() => vssl.VideoEncoder.load(out, { thread: 1 } as object), 'threads'],
    create: [() => vssl.VideoEncoder.create({ arch: 'r3d_10', widht: 1 } as never), 'width'],
    'create, clip': [
      () => vssl.VideoEncoder.create({ arch: 'r3d_10', clip: { frame: 4 } } as never),
      'frames',
    ],
    createLike: [() => vssl.VideoEncoder.createLike({} as never, { sed: 1 } as object), 'seed'],
    embed: [() => withEncoder((encoder) => encoder.embed('a.avi', { clip: 1 } as object)), 'clips'],
    'embed, frames': [() => withEncoder((encoder) => encoder.embed({ ...frames, fsp: 25 } as never)), 'fps'],
    embedMany: [
      () => withEncoder((encoder) => encoder.embedMany(['a'], { crop: 3 } as object).next()),
      'crops',
    ],
    embedRows: [() => withEncoder((encoder) => encoder.embedRows([], { crop: 3 } as object).next()), 'crops'],
    embedWindows: [
      () =>
        withEncoder((encoder) =>
          encoder.embedWindows([], { windows: { every: 1 }, crop: 3 } as never).next(),
        ),
      'crops',
    ],
    'embedWindows, windows': [
      () =>
        withEncoder((encoder) =>
          encoder.embedWindows([], { windows: { every: 1, spam: 3 } } as never).next(),
        ),
      'span',
    ],
  },
  predictVideos: {
    options: [() => vssl.predictVideos({ weights: out, train: out, dta: out } as never), 'data'],
  },
  Classifier: {
    load: [() => vssl.Classifier.load(out, { weight: out } as object), 'weights'],
    predict: [
      () => withClassifier((one) => one.predict('a', { minConfidnce: 1 } as object)),
      'minConfidence',
    ],
    predictMany: [
      () => withClassifier((one) => one.predictMany(['a'], { signl: 1 } as object).next()),
      'signal',
    ],
    classify: [
      () => withClassifier((one) => one.classify(new Float32Array(64), { minConfidnce: 1 } as object)),
      'minConfidence',
    ],
  },
  ntXent: { options: [() => kernels.ntXent(floats(), matrix), 'temperature'] },
  ntXentAsync: { options: [() => kernels.ntXentAsync(floats(), matrix), 'temperature'] },
  dct: { options: [() => kernels.dct(floats(), motion), 'threads'] },
  dctAsync: { options: [() => kernels.dctAsync(floats(), motion), 'threads'] },
  dctMotion: { options: [() => kernels.dctMotion(floats(), motion), 'threads'] },
  dctMotionAsync: { options: [() => kernels.dctMotionAsync(floats(), motion), 'threads'] },
  frameDifference: { options: [() => kernels.frameDifference(floats(), motion), 'threads'] },
  frameDifferenceAsync: { options: [() => kernels.frameDifferenceAsync(floats(), motion), 'threads'] },
  topkDot: {
    options: [
      () => kernels.topkDot(floats(), floats(), { dim: 4, k: 1, scale: floats() } as never),
      'scales',
    ],
  },
  topkDotAsync: {
    options: [
      () => kernels.topkDotAsync(floats(), floats(), { dim: 4, k: 1, tipe: 'fp32' } as never),
      'type',
    ],
  },
  MomentumQueue: {
    new: [() => new kernels.MomentumQueue({ capacity: 8, dim: 4, dacay: 1 } as never), 'decay'],
    restore: [() => kernels.MomentumQueue.restore({ nxt: 0 } as never), 'next'],
    infoNce: [() => withQueue((queue) => queue.infoNce(floats(), floats(), queries)), 'temperature'],
    infoNceAsync: [
      () => withQueue((queue) => queue.infoNceAsync(floats(), floats(), queries)),
      'temperature',
    ],
  },
};

/** Exports without options: values, and calls of positional arguments alone. */
const plain = [
  ...['VsslError', 'version', 'listMethods', 'listPresets', 'preload', 'registerMethod', 'useEngine'],
  ...['readEncoderDescription', 'readEncoderFile', 'readSafetensors', 'writeSafetensors'],
  ...['mergeEmbeddings', 'rankPlace'],
  ...['emaUpdate', 'emaUpdateAsync'],
];

test('every export is in the list here', (t) => {
  const names = [...Object.keys(vssl), ...Object.keys(kernels)];
  t.deepEqual([...new Set(names)].sort(), [...Object.keys(calls), ...plain].sort());
});

for (const [name, ways] of Object.entries(calls))
  test(`${name} refuses an option that there is not`, async (t) => {
    for (const [way, [call, meant]] of Object.entries(ways)) {
      const error = await t.throwsAsync(async () => void (await call()), { instanceOf: vssl.VsslError }, way);
      t.regex(error!.code, /^ERR_VSSL_(INVALID_ARGUMENT|CONFIG|METHOD)$/, way);
      t.true(error!.message.includes(`did you mean '${meant}'`), `${way}: ${error!.message}`);
    }
  });

test('options that are no object are refused', async (t) => {
  for (const options of [null, 3, 'text', [], new Uint8Array(2)] as never[])
    for (const call of [
      () => vssl.train({}, options),
      () => vssl.evaluate(options),
      () => vssl.evaluateTuned(options),
      () => vssl.embedForEvaluation(options),
      () => vssl.embedToFile(options),
      () => vssl.exportWeights(options),
      () => vssl.importWeights(options),
      () => vssl.checkVideos(options),
      () => vssl.prepare(options),
      () => vssl.predictVideos(options),
      () => vssl.Classifier.load(out, options),
      () => vssl.runClaims(options),
      () => vssl.writeSyntheticVideos(options),
      () => vssl.writeReport(options),
      () => vssl.watchReport(options),
      () => vssl.doctor(options),
      () => vssl.loadConfig(options),
      () => vssl.VideoEncoder.create(options),
      () => vssl.VideoEncoder.load(out, options),
      () => kernels.ntXent(floats(), options),
      () => kernels.dct(floats(), options),
    ])
      await t.throwsAsync(async () => void (await call()), { code: 'ERR_VSSL_INVALID_ARGUMENT' }, `${call}`);
});
