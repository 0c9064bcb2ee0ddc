import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import {
  type BatchPlan,
  type ClipPlan,
  type ClipSource,
  type FrameAugment,
  PLAN_VERSION,
} from '#src/data/plan.js';
import { drawSyntheticSource, planSyntheticSet } from '#src/data/synthetic.js';
import { loadEngine } from '#src/native/load.js';

const engine = loadEngine();
const hasLibav = engine.info().libavVersion !== '';
const videoTest = hasLibav ? test : test.skip;
const folder = mkdtempSync(join(tmpdir(), 'vssl-video-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const PLAIN: FrameAugment = {
  crop: [0, 0, 1, 1],
  flip: false,
  color: [],
  gray: false,
  blur: 0,
  blurRadius: 0,
  solarize: null,
};

function clipOf(source: ClipSource, times: readonly number[], change: Partial<ClipPlan> = {}): ClipPlan {
  return {
    source,
    modality: 'rgb',
    times,
    height: 32,
    width: 32,
    shrink: 1,
    augment: [PLAIN],
    input: 'rgb',
    mean: [0, 0, 0],
    std: [1, 1, 1],
    ...change,
  };
}

const planOf = (clips: readonly ClipPlan[], slots?: readonly number[]): BatchPlan => ({
  version: PLAN_VERSION,
  views: [{ name: 'a', clips }],
  ...(slots && { slots }),
});

const sameBytes = (a: Float32Array, b: Float32Array) =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

/** Writes row `index` of a synthetic set as a video file. */
async function writeRow(name: string, index: number): Promise<string> {
  const row = planSyntheticSet({ seed: 9, count: index + 1, pixels: 48, seconds: 1 })[index];
  if (!row) throw new Error('no such row');
  const pixels = await engine.renderSynthetic(row.source, row.times, 48, 48);
  const path = join(folder, name);
  await engine.writeVideo(path, pixels, [row.times.length, 48, 48], { fps: row.fps, gop: 6 });
  return path;
}

videoTest('a written video is indexed with its true times', async (t) => {
  const index = await engine.indexVideo(await writeRow('index.mp4', 0));
  t.is(index.codec, 'mpeg4');
  t.deepEqual([index.width, index.height, index.rotation, index.mirrored], [48, 48, 0, false]);
  t.is(index.times.length, 25);
  t.true(index.times.every((time, i) => Math.abs(time - i / 25) < 1e-3));
  t.deepEqual([...index.keys], [0, 6, 12, 18, 24]);
  t.deepEqual(index.warnings, []);
});

videoTest('one plan gives the same bytes on 1, 2 and 4 threads, with and without a cache', async (t) => {
  const paths = await Promise.all([0, 1, 2].map((i) => writeRow(`same${i}.${i === 1 ? 'avi' : 'mp4'}`, i)));
  const augment: FrameAugment = {
    crop: [0.1, 0.2, 0.8, 0.9],
    flip: true,
    color: [
      { op: 'contrast', value: 1.4 },
      { op: 'hue', value: 0.15 },
      { op: 'saturation', value: 0.6 },
      { op: 'brightness', value: 1.2 },
    ],
    gray: false,
    blur: 1.1,
    blurRadius: 3,
    solarize: 0.5,
  };
  const clips = Array.from({ length: 24 }, (_, i) =>
    clipOf(
      { kind: 'file', path: paths[i % 3] as string },
      [0, 0.08, 0.16, 0.24].map((x) => x + (i % 7) / 10),
      {
        augment: [augment],
      },
    ),
  );
  let expected: Float32Array | undefined;
  for (const threads of [1, 2, 4]) {
    for (const cacheBytes of [0, 50_000, 1 << 28]) {
      // Left as decoded samples for a GPU, they are the same clips.
      const loader = engine.createLoader({ threads, cacheBytes, packs: cacheBytes === 50_000 });
      for (let round = 0; round < 2; round++) {
        const { batch, failures } = await loader.load(planOf(clips));
        t.deepEqual(failures, []);
        const bytes = batch.toFloat32('a');
        expected ??= bytes;
        t.true(sameBytes(bytes, expected), `${threads} threads, ${cacheBytes} bytes of cache`);
        batch.dispose();
      }
      loader.dispose();
    }
  }
});

videoTest('a bad file fails its own clip, and its slot can be filled again', async (t) => {
  const good = await writeRow('good.mp4', 3);
  const bad = join(folder, 'bad.mp4');
  writeFileSync(bad, 'no video at all');
  const cut = await writeRow('cut.mp4', 4);
  truncateSync(cut, 700);
  const loader = engine.createLoader({ threads: 2, cacheBytes: 0 });
  const file = (path: string) => clipOf({ kind: 'file', path }, [0, 0.2]);
  const { batch, failures } = await loader.load(planOf([file(good), file(bad), file(cut)]));
  t.deepEqual(
    failures.map((f) => [f.view, f.sample, f.path]),
    [
      [0, 1, bad],
      [0, 2, cut],
    ],
  );
  t.is(failures[0]?.code, 'ERR_VSSL_VIDEO_OPEN');
  const again = await loader.load(planOf([file(good), file(good)], [1, 2]), batch);
  t.deepEqual(again.failures, []);
  const pixels = batch.toFloat32('a');
  const size = pixels.length / 3;
  t.true(sameBytes(pixels.subarray(size, 2 * size), pixels.subarray(0, size)));
  t.true(sameBytes(pixels.subarray(2 * size), pixels.subarray(0, size)));
  await t.throwsAsync(engine.indexVideo(bad), { code: 'ERR_VSSL_VIDEO_OPEN' });
  loader.dispose();
});

test('synthetic and memory clips need no file', async (t) => {
  const loader = engine.createLoader({ threads: 1, cacheBytes: 0 });
  const { source } = drawSyntheticSource(1, 5, { pixels: 32 });
  const times = [0, 0.1, 0.2];
  const frames = await engine.renderSynthetic(source, times, 32, 32);
  const id = loader.addMemoryClip(frames, 3, 32, 32);
  const memory: ClipSource = { kind: 'memory', id, fps: 10 };
  const { batch, failures } = await loader.load(planOf([clipOf(source, times), clipOf(memory, times)]));
  t.deepEqual(failures, []);
  const pixels = batch.toFloat32('a');
  t.true(sameBytes(pixels.subarray(0, frames.length), pixels.subarray(frames.length)));
  t.true(frames.every((byte, i) => Math.abs((pixels[i] as number) - byte / 255) < 1e-6));
  loader.removeMemoryClip(id);
  const gone = await loader.load(planOf([clipOf(memory, times)]));
  t.is(gone.failures.length, 1);
  loader.dispose();
});

test('views of numbers, views that some samples lack, and side arrays are told and read back', async (t) => {
  const loader = engine.createLoader({ threads: 1, cacheBytes: 0 });
  const { source } = drawSyntheticSource(1, 5, { pixels: 32 });
  const clip = clipOf(source, [0, 0.1]);
  const { batch } = await loader.load({
    version: 2,
    views: [
      { name: 'clips', clips: [clip, clip] },
      { name: 'tokens', dtype: 'int64', shape: [3], values: [[1, -2, Number.MAX_SAFE_INTEGER]], rows: [1] },
      { name: 'none', dtype: 'float32', shape: [2], values: [], rows: [] },
    ],
    side: [{ name: 'codes', dtype: 'float32', shape: [2, 1], values: [[0.5, 1], new Float32Array([2, 3])] }],
  });
  t.deepEqual(batch.views(), [
    { name: 'clips', dtype: 'float32', shape: [2, 2, 32, 32, 3], rows: null },
    { name: 'tokens', dtype: 'int64', shape: [1, 3], rows: [1] },
    { name: 'none', dtype: 'float32', shape: [0, 2], rows: [] },
  ]);
  t.deepEqual(batch.side(), [{ name: 'codes', dtype: 'float32', shape: [2, 2, 1], rows: null }]);
  t.deepEqual(batch.toInt64('tokens'), BigInt64Array.of(1n, -2n, BigInt(Number.MAX_SAFE_INTEGER)));
  t.deepEqual(batch.toFloat32('codes'), Float32Array.of(0.5, 1, 2, 3));
  t.is(batch.toFloat32('none').length, 0);
  t.is(batch.toFloat32('clips').length, 2 * 2 * 32 * 32 * 3);
  const wrong = { code: 'ERR_VSSL_INVALID_ARGUMENT' };
  t.throws(() => batch.toFloat32('tokens'), { ...wrong, message: /'tokens' \(int64 rows of 3\)/ });
  t.throws(() => batch.toInt64('codes'), wrong);
  t.throws(() => batch.toInt64('absent'), wrong);
  batch.dispose();
  t.throws(() => batch.side(), { code: 'ERR_VSSL_DISPOSED' });
  loader.dispose();
});

/** A line of plans.jsonl as version 1 wrote it. */
const VERSION_1 = `{"version":1,"views":[
  {"name":"view1","clips":[{"source":{"kind":"synthetic","motion":0,"seed":7},"modality":"rgb","height":8,"width":8,
    "shrink":2,"input":"rgb","mean":[0,0,0],"std":[1,1,1],"times":[0,0.08],"augment":[{"crop":[0.25,0,1,0.75],
    "flip":true,"color":[{"op":"contrast","value":1.2}],"gray":false,"blur":0,"blurRadius":0,"solarize":null}]}]},
  {"name":"view2","clips":[{"source":{"kind":"synthetic","motion":0,"seed":7},"modality":"difference","height":8,
    "width":8,"shrink":2,"input":"rgb","mean":[0,0,0],"std":[1,1,1],"times":[0,0.08],"next":[0.04,0.12],"augment":[
    {"crop":[0.25,0,1,0.75],"flip":true,"color":[],"gray":false,"blur":0,"blurRadius":0,"solarize":null}]}]}],
  "step":3,"epoch":0,"samples":[{"id":"a/00001","sample":2,"attempt":0}]}`;

test('a plan of version 1 replays; one of a later version is refused by its number', async (t) => {
  const loader = engine.createLoader({ threads: 1, cacheBytes: 0 });
  const { source } = drawSyntheticSource(0, 5, { pixels: 32 });
  const old = JSON.parse(
    VERSION_1.replaceAll('{"kind":"synthetic","motion":0,"seed":7}', JSON.stringify(source)),
  );
  const { batch, failures } = await loader.load(old);
  t.deepEqual(failures, []);
  const now = await loader.load({ ...old, version: PLAN_VERSION });
  t.deepEqual(
    batch.views().map(({ name, shape, rows }) => [name, shape, rows]),
    ['view1', 'view2'].map((name) => [name, [1, 2, 8, 8, 3], null]),
  );
  for (const name of ['view1', 'view2']) {
    t.true(batch.toFloat32(name).some((value) => value !== 0));
    t.true(sameBytes(batch.toFloat32(name), now.batch.toFloat32(name)));
  }
  await t.throwsAsync(loader.load({ ...old, version: 3 }), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
    message: /1 or 2.*received 3/,
  });
  loader.dispose();
});

test('a wrong plan is refused by name', async (t) => {
  const loader = engine.createLoader({ threads: 1, cacheBytes: 0 });
  const { source } = drawSyntheticSource(1, 0);
  const bad = planOf([clipOf(source, [0]), clipOf(source, [0], { std: [1, 0, 1] })]);
  await t.throwsAsync(loader.load(bad), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
    message: /views\[0\]\.clips\[1\]\.std/,
  });
  loader.dispose();
});
