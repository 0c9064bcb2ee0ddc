// From video files to vectors, beside the fastest arrangement of Python: PyAV or OpenCV decodes in threads, PyTorch
// computes in bf16, channels last, BatchNorm folded. Same pictures, same crops; vectors within a cosine distance of 0.01.
//   node benchmarks/embed-files.mjs DATA [--videos 40] [--pairs 10] [--python python3] [--out FILE]
//
// DATA is a folder of videos or a manifest. An R3D-18 of random weights, 16 x 112 x 112 pixels, with one clip a video and
// with three. Of each video as many clips as `embed` cuts, and what it does: no cache of pictures. The limit is decoding
// alone and then the network alone, each on all threads. Python decodes a file from its beginning, which short ones with a
// single key frame need anyway.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { weightInputs } from '../dist/esm/bench/engine/inputs.js';
import { runBench } from '../dist/esm/bench/run-bench.js';
import { loadManifest } from '../dist/esm/data/manifest.js';
import { openFacts } from '../dist/esm/embed/video-facts.js';
import { VideoEncoder } from '../dist/esm/index.js';
import { loadEngine } from '../dist/esm/native/load.js';
import { writeEncoderFile } from '../dist/esm/weights/encoder-file.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    videos: { type: 'string', default: '40' },
    pairs: { type: 'string', default: '10' },
    python: { type: 'string', default: process.env.VSSL_PYTHON ?? 'python3' },
    out: { type: 'string' },
  },
});
const [data] = positionals;
if (!data) throw new Error('expected a folder of videos or a manifest');

const PEERS = ['PyAV and torch', 'OpenCV and torch'];
const COSINE_DISTANCE = 0.01;
const BATCH = 16; // clips, as embed takes them
const threads = availableParallelism();
const engine = loadEngine('cpu');
const folder = mkdtempSync(join(tmpdir(), 'vssl-embed-files-'));
const facts = await openFacts(engine);
const loader = engine.createLoader({ threads, cacheBytes: 0 });
const rows = await someRows();
const { encoder, inputs } = await makeEncoder();

/** Files, evenly over the manifest. */
async function someRows() {
  const files = (await loadManifest(data)).rows.filter(({ source }) => source.kind === 'file');
  const count = Math.min(Number(values.videos), files.length);
  return Array.from({ length: count }, (_, i) => files[Math.floor((i * files.length) / count)]);
}

async function makeEncoder() {
  const model = { arch: 'r3d_18', width: 1 };
  const spec = { ...model, seed: 1, device: 'cpu', precision: 'bf16', channelsLast: true };
  const native = await engine.createEncoder(spec);
  const untrained = await VideoEncoder.create({ arch: model.arch });
  const { description } = untrained;
  // statistics of these very videos: without them nearly all of a vector is the same for each
  await native.calibrateBegin();
  for (const plan of await plansOf(untrained, 1)) {
    const { batch } = await loadAll(plan);
    await native.calibrate(batch, 'clip');
    batch.dispose();
  }
  await native.calibrateEnd();
  const tensors = await native.weights();
  const file = join(folder, 'encoder.safetensors');
  await writeEncoderFile(file, { ...description, model }, tensors);
  native.dispose();
  await untrained.dispose();
  return {
    encoder: await VideoEncoder.load(file, { threads, precision: 'bf16' }),
    inputs: weightInputs('encoder', tensors),
  };
}

/** All clips of the videos, in batches. */
async function plansOf(planner, clips) {
  const all = [];
  for (const row of rows) all.push(...planner.planRow(row, await facts.get(row), clips, 1).clip);
  const plans = [];
  for (let at = 0; at < all.length; at += BATCH)
    plans.push({ version: 2, views: [{ name: 'clip', clips: all.slice(at, at + BATCH) }] });
  return plans;
}

async function loadAll(plan) {
  const loaded = await loader.load(plan);
  if (loaded.failures.length > 0) throw new Error(`${loaded.failures[0].path}: ${loaded.failures[0].reason}`);
  return loaded;
}

/** What Python reads: which pictures of a file, and what of them. */
async function writePlans(clips) {
  const videos = [];
  for (const row of rows) {
    const { times } = await facts.get(row);
    const planned = encoder.planRow(row, await facts.get(row), clips, 1).clip;
    const pictureAt = (time) => times.findLastIndex((shown) => shown <= time + 1e-9);
    videos.push({
      path: row.source.path,
      size: planned[0].width,
      crop: planned[0].augment[0].crop,
      clips: planned.map((clip) => clip.times.map(pictureAt)),
    });
  }
  const path = join(folder, `plans-${clips}.json`);
  writeFileSync(path, JSON.stringify(videos));
  return path;
}

const unit = (vector) => {
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
  return Float32Array.from(vector, (x) => x / length);
};

async function prepare({ each }) {
  let vectors = [];
  const plans = await plansOf(encoder, each);
  const run = async () => {
    vectors = [];
    for await (const result of encoder.embedRows(rows, { clips: each })) {
      if (result.error) throw result.error;
      vectors.push(result.vectors[0]);
    }
  };
  const alone = async () => {
    const seconds = { decoding: 0, network: 0 };
    const embedder = encoder.embedder();
    for (const plan of plans) {
      const start = performance.now();
      const { batch } = await loadAll(plan);
      const loaded = performance.now();
      await embedder.embed(batch);
      seconds.decoding += (loaded - start) / 1000;
      seconds.network += (performance.now() - loaded) / 1000;
      batch.dispose();
    }
    return seconds;
  };
  let parts = await alone();
  return {
    inputs,
    run,
    outputs: () => Object.fromEntries(vectors.map((vector, i) => [`video ${i}`, unit(vector)])),
    limitSeconds: async () => {
      parts = await alone();
      return parts.decoding + parts.network;
    },
    stages: () => parts,
    async verify() {
      await run();
      return [{ what: 'videos without a vector', error: rows.length - vectors.length, tolerance: 0 }];
    },
  };
}

const cases = [];
for (const each of [1, 3])
  cases.push({
    name: `embed r3d_18 bf16, ${rows.length} videos, ${each} ${each === 1 ? 'clip' : 'clips'} each`,
    kernel: 'embed',
    parameters: { arch: 'r3d_18', width: 1, precision: 'bf16', each, plans: await writePlans(each) },
    prepare,
    ...{ flops: 0, bytes: 0, clips: each * rows.length, limit: 'decoding, then the network' },
    verified: `all vectors, cosine distance at most ${COSINE_DISTANCE}`,
    // of unit vectors, whose distance is the root of twice that
    peers: PEERS.map((name) => ({ module: 'embed_files', name, tolerance: Math.sqrt(2 * COSINE_DISTANCE) })),
  });

const result = await runBench({
  ...{ what: 'embed', cases, pairs: Number(values.pairs), threads, python: values.python },
  onStage: (text) => console.error(text),
  onPeerLog: (line) => console.error(line),
});
rmSync(folder, { recursive: true });
// the plans were in a folder that is gone
for (const { parameters } of result.rows) delete parameters.plans;
const text = `${JSON.stringify(result, null, 2)}\n`;
if (values.out) writeFileSync(values.out, text);
else console.log(text);
await encoder.dispose();
