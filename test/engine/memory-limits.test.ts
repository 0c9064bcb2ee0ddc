/** Counts and sizes beyond memory are refused with an error before any of it is taken. */
import { open, rm } from 'node:fs/promises';
import { totalmem } from 'node:os';
import test from 'ava';
import { memoryLimit } from '#src/checks.js';
import { drawSyntheticSource } from '#src/data/synthetic.js';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { MomentumQueue } from '#src/kernels/index.js';
import { resolveConfig } from '#src/methods/config.js';
import { loadEngine } from '#src/native/load.js';
import { buildSessionSpec } from '#src/train/session-spec.js';
import { readSafetensors } from '#src/weights/safetensors.js';
import { scratch } from '../embed/make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

const code = 'ERR_VSSL_OUT_OF_MEMORY';
/** The bytes asked and the limit. */
const message = /needs \d+ bytes, more than the \d+ that this process can have/;

test('the limit is what this process can have', (t) => {
  t.true(memoryLimit() > 1e8 && memoryLimit() <= totalmem());
});

test('a queue beyond memory', (t) => {
  for (const init of ['random', 'empty'] as const) {
    t.throws(() => new MomentumQueue({ capacity: 2 ** 24, dim: 1e6, init }), { code, message });
    t.throws(() => new MomentumQueue({ capacity: 2, dim: 2 ** 52, init }), { code, message });
  }
});

test('a network, a queue of a method and a batch beyond memory', async (t) => {
  await t.throwsAsync(VideoEncoder.create({ arch: 'r3d_18', width: 1000 }), {
    code: 'ERR_VSSL_INVALID_ARGUMENT', // a stated range comes first
  });
  const config = resolveConfig({ method: 'moco', moco: { queue: 2 ** 24, head: { dim: 65536 } } });
  const spec = buildSessionSpec(config, { accumulate: 1, device: 'cpu' });
  await t.throwsAsync(loadEngine().createSession(spec), { code, message });
  const loader = loadEngine().createLoader({ threads: 1, cacheBytes: 0 });
  const { source } = drawSyntheticSource(1, 5, { pixels: 32 });
  const clip = {
    source,
    modality: 'rgb',
    times: new Array(4096).fill(0),
    height: 4096,
    width: 4096,
    shrink: 1,
    augment: [
      { crop: [0, 0, 1, 1], flip: false, color: [], gray: false, blur: 0, blurRadius: 0, solarize: null },
    ],
    input: 'rgb',
    mean: [0, 0, 0],
    std: [1, 1, 1],
  };
  const plan = { version: 1, views: [{ name: 'v', clips: new Array(64).fill(clip) }] };
  await t.throwsAsync(loader.load(plan), { code });
  loader.dispose();
});

test('pictures and probes beyond memory', async (t) => {
  const engine = loadEngine();
  const times = new Array<number>(2 ** 16).fill(0);
  await t.throwsAsync(
    engine.renderSynthetic(drawSyntheticSource(1, 5, { pixels: 32 }).source, times, 4096, 4096),
    { code, message },
  );
  const train = Float32Array.of(1, 2, 3, 4);
  const labels = Int32Array.of(0, 1);
  await t.throwsAsync(engine.fitLinear(train, labels, train, 2, 2 ** 40, {}), { code, message });
});

test('a weights file beyond memory', async (t) => {
  const path = file('huge.safetensors');
  const count = Math.ceil(memoryLimit() / 4) * 2;
  const header = Buffer.from(
    JSON.stringify({ w: { dtype: 'F32', shape: [count], data_offsets: [0, 4 * count] } }),
  );
  const handle = await open(path, 'w');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  await handle.write(Buffer.concat([length, header]));
  await handle.truncate(8 + header.length + 4 * count); // holes: the disk holds nothing of it
  await handle.close();
  await t.throwsAsync(readSafetensors(path), { code, message });
  await rm(path);
});
