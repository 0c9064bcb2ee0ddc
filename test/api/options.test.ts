// Every exported call that takes options: a name that is none of them is refused, with the nearest one that is.
import test from 'ava';
import * as vssl from '#src/index.js';
import * as kernels from '#src/kernels/index.js';
import { scratch, tiny } from '../embed/make-videos.js';

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
const frames = { frames: new Uint8Array(4 * 32 * 32 * 3), shape: [4, 32, 32, 3] };
const out = file('out');

/** By the exported name: each call is given one option too many, and the message must name the one in the list. */
const calls: Record<string, Record<string, [call: () => unknown, meant: string]>> = {
  train: { options: [() => vssl.train({}, { maxStep: 1 } as object), 'maxSteps'] },
  evaluate: {
    options: [() => vssl.evaluate({ protocol: 'knn', run: out, window: 1 } as never), 'windows'],
  },
  embedForEvaluation: {
    options: [() => vssl.embedForEvaluation({ protocol: 'knn', run: out, shrad: '0/2' } as never), 'shard'],
  },
  embedToFile: { options: [() => vssl.embedToFile({ weights: out, data: out, clip: 1 } as never), 'clips'] },
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
      () => vssl.embedForEvaluation(options),
      () => vssl.embedToFile(options),
      () => vssl.checkVideos(options),
      () => vssl.prepare(options),
      () => vssl.runClaims(options),
      () => vssl.writeSyntheticVideos(options),
      () => vssl.doctor(options),
      () => vssl.loadConfig(options),
      () => vssl.VideoEncoder.create(options),
      () => vssl.VideoEncoder.load(out, options),
      () => kernels.ntXent(floats(), options),
      () => kernels.dct(floats(), options),
    ])
      await t.throwsAsync(async () => void (await call()), { code: 'ERR_VSSL_INVALID_ARGUMENT' }, `${call}`);
});
