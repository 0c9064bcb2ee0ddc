// Copies of JPEG pictures: how near they are to raw ones and how much smaller, and that they are made, resumed and read
// like those.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { panOverTexture } from '#src/bench/engine/textures.js';
import { loadManifest } from '#src/data/manifest.js';
import { PLAN_VERSION } from '#src/data/plan.js';
import type { VideoRow } from '#src/data/rows.js';
import { clipTimes, makeClock } from '#src/data/samplers/clock.js';
import { readFacts } from '#src/embed/video-facts.js';
import { loadEngine } from '#src/native/load.js';
import { plainClip } from '#src/prepare/plain-clip.js';
import { prepare, prepareWith } from '#src/prepare/prepare.js';
import { scratch } from '../embed/make-videos.js';
import { smallDisk } from '../helpers/small-disk.js';

const { file, remove } = scratch();
test.after.always(remove);

const engine = loadEngine();
const FRAMES = 40;

async function writeVideo(
  path: string,
  [frames, height, width]: readonly [number, number, number],
  fps = 25,
): Promise<void> {
  const pictures = panOverTexture(frames, { height, width }, 5);
  await engine.writeVideo(path, pictures, [frames, height, width], { fps, quality: 2 });
}

test.before(async () => {
  mkdirSync(file('videos'));
  await writeVideo(file('videos/a.mp4'), [FRAMES, 96, 128]);
  await writeVideo(file('videos/odd.mp4'), [FRAMES, 75, 101], 30000 / 1001);
  await writeVideo(file('videos/one.mp4'), [1, 48, 64]);
  writeFileSync(file('videos/broken.mp4'), 'no video at all');
  writeFileSync(
    file('set.csv'),
    [
      'path,label,group,start,end,note',
      'videos/a.mp4,x,g1,,,"one, two"',
      'videos/odd.mp4,y,g1,0.4,1.1,',
      'videos/one.mp4,x,g2,,,z',
      'videos/broken.mp4,y,g2,,,',
      '',
    ].join('\n'),
  );
});

/** All pictures of a row, 0 to 1, and what a planner knows of it. */
async function read(row: VideoRow) {
  const facts = await readFacts(engine, row);
  const clock = makeClock(facts);
  const clip = { ...plainClip(row.source, facts), times: clipTimes(clock, 0, clock.frames, 1) };
  const loader = engine.createLoader({ threads: 1, cacheBytes: 0 });
  try {
    const views = [{ name: 'v', clips: [clip] }];
    const { batch, failures } = await loader.load({ version: PLAN_VERSION, views });
    if (failures[0]) throw new Error(failures[0].reason);
    return { facts, clock, pictures: batch.toFloat32('v') };
  } finally {
    loader.dispose();
  }
}

/** Peak signal to noise ratio in dB of values from 0 to 1. */
function psnr(a: Float32Array, b: Float32Array): number {
  const square = a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0);
  return -10 * Math.log10(square / a.length);
}

const sizesOf = (folder: string) =>
  Object.fromEntries(
    (readdirSync(join(folder, 'clips'), { recursive: true }) as string[])
      .map((name) => join(folder, 'clips', name))
      .filter((path) => statSync(path).isFile())
      .map((path) => [path, statSync(path).mtimeMs]),
  );

test('the pictures are those of a raw copy, at its times, in a small part of its room', async (t) => {
  const raw = await prepare({ data: file('set.csv'), out: file('raw') });
  const jpeg = await prepare({ data: file('set.csv'), out: file('jpeg'), format: 'jpeg' });
  t.is(jpeg.videos, 3);
  t.deepEqual(
    jpeg.skipped.map(({ code }) => code),
    raw.skipped.map(({ code }) => code),
  );
  t.log(`${(raw.bytes / jpeg.bytes).toFixed(1)} times smaller than raw`);
  t.true(jpeg.bytes < raw.bytes / 12, `${jpeg.bytes} of ${raw.bytes} bytes`);
  const rawRows = (await loadManifest(file('raw'))).rows;
  for (const spec of [file('jpeg'), jpeg.manifest, `${file('jpeg')}?group=g1,g2`]) {
    const { rows } = await loadManifest(spec);
    t.deepEqual(
      rows.map(({ label, group, extra }) => [label, group, extra]),
      rawRows.map(({ label, group, extra }) => [label, group, { note: extra.note }]),
    );
  }
  const bytes = (await loadManifest(file('jpeg'))).rows.map(({ path }) => statSync(path).size);
  t.is(
    bytes.reduce((sum, size) => sum + size, 0),
    jpeg.bytes,
  );
  for (const [i, row] of (await loadManifest(file('jpeg'))).rows.entries()) {
    t.is(row.source.kind, 'file');
    const [a, b] = [await read(row), await read(rawRows[i]!)];
    t.like(a.facts, { codec: 'mjpeg', width: b.facts.width, height: b.facts.height, warnings: [] });
    t.is(a.clock.frames, b.clock.frames);
    t.true(Math.abs(a.clock.period - b.clock.period) < 1e-9 * b.clock.period);
    t.deepEqual((await engine.indexVideo(row.path)).keys.length, b.clock.frames);
    for (const [k, time] of b.facts.times.entries()) t.true(Math.abs(a.facts.times[k]! - time) < 1e-9);
    const ratio = psnr(a.pictures, b.pictures);
    t.log(`${row.path.split('/').at(-1)}: ${ratio.toFixed(1)} dB`);
    t.true(ratio > 38, `${ratio} dB`);
  }
});

test('quality trades room for exactness; a short side and a rate; a copy of a copy', async (t) => {
  const data = file('videos/a.mp4');
  const [best, worst] = [2, 15].map((quality) => ({ quality, out: file(`quality-${quality}`) }));
  const made = [];
  for (const { quality, out } of [best!, worst!])
    made.push((await prepare({ data, out, format: 'jpeg', quality })).bytes);
  t.true(made[1]! < made[0]! / 2, `${made}`);
  await prepare({ data, out: file('slow'), format: 'jpeg', shortSide: 24, fps: 10 });
  const [row] = (await loadManifest(file('slow'))).rows;
  const { facts, clock } = await read(row!);
  t.like(facts, { width: 32, height: 24 });
  t.is(clock.frames, 16);
  t.true(Math.abs(clock.period - 0.1) < 1e-12);
  const raw = await prepare({ data: file('slow'), out: file('again') });
  t.is(raw.videos, 1);
  t.like((await loadManifest(file('again'))).rows[0]!.source, { kind: 'packed', height: 24, frames: 16 });
  const back = await prepare({ data: file('again'), out: file('back'), format: 'jpeg' });
  t.is(readFileSync(back.manifest, 'utf8').split('\n')[0], 'path,label,group');
});

test('what is finished is not done again; what is missing or was cut off is; other settings are refused', async (t) => {
  const out = file('resumed');
  const copy = { data: file('set.csv'), out, format: 'jpeg' } as const;
  const reason = new Error('enough');
  const stop = new AbortController();
  const onProgress = (done: number) => done === 1 && stop.abort(reason);
  await t.throwsAsync(prepare({ ...copy, threads: 1, signal: stop.signal, onProgress }), { is: reason });
  await t.throwsAsync(loadManifest(out), { code: 'ERR_VSSL_DATA', message: /not finished/ });
  const first = sizesOf(out);
  t.true(Object.keys(first).length >= 1);

  const second = await prepare(copy);
  t.is(second.videos, 3);
  t.true(second.reused >= 1);
  t.like(sizesOf(out), first);

  const { rows } = await loadManifest(out);
  const whole = readFileSync(rows[0]!.path);
  truncateSync(rows[0]!.path, 1000);
  await rm(rows[1]!.path);
  t.is((await prepare(copy)).reused, 1);
  t.deepEqual(readFileSync(rows[0]!.path), whole);
  t.is((await prepare({ ...copy, quality: 3 })).reused, 3, 'the default said aloud');

  for (const [options, key] of [
    [{ quality: 4 }, 'quality 3, not 4'],
    [{ format: 'raw' }, 'format jpeg, not raw'],
    [{ shortSide: 32 }, 'shortSide 256, not 32'],
  ] as const)
    await t.throwsAsync(prepare({ ...copy, ...options }), {
      code: 'ERR_VSSL_USAGE',
      message: new RegExp(key),
    });
});

test('a raw copy of before there were formats goes on as one', async (t) => {
  const out = file('older');
  const copy = { data: file('videos/a.mp4'), out };
  await prepare(copy);
  writeFileSync(join(out, 'prepared.json'), '{"formatVersion": 1, "shortSide": 256, "fps": null}');
  t.is((await prepare(copy)).reused, 1);
  await t.throwsAsync(prepare({ ...copy, format: 'jpeg' }), {
    code: 'ERR_VSSL_USAGE',
    message: /format raw, not jpeg/,
  });
});

test('a long video is written as it is decoded', async (t) => {
  const data = 'synthetic:motion?count=1&pixels=32&seconds=40';
  const { operations, seen } = smallDisk(2 ** 30);
  const { bytes } = await prepareWith({ data, out: file('long'), format: 'jpeg' }, operations);
  t.true(seen.most < bytes / 10, `${seen.most} of ${bytes} bytes at once`);
  const [row] = (await loadManifest(file('long'))).rows;
  t.is((await readFacts(engine, row!)).times.length, 1000);
});

test('what cannot be is refused before anything is made', async (t) => {
  const copy = { data: file('videos/a.mp4'), out: file('refused') };
  await t.throwsAsync(prepare({ ...copy, format: 'jpeg', flow: true }), {
    code: 'ERR_VSSL_USAGE',
    message: /four bytes a pixel/,
  });
  for (const [options, message] of [
    [{ format: 'png' }, /'raw' or 'jpeg' for format/],
    [{ format: 'jpeg', quality: 0 }, /from 1 to 31 for quality/],
    [{ format: 'jpeg', quality: 2.5 }, /quality/],
    [{ quality: 3 }, /'raw' for quality/],
  ] as const)
    await t.throwsAsync(prepare({ ...copy, ...options } as never), {
      code: 'ERR_VSSL_INVALID_ARGUMENT',
      message,
    });
  t.false(existsSync(copy.out));
  // 28 hours between two pictures are what the container holds at most
  const slow = await t.throwsAsync(prepare({ ...copy, format: 'jpeg', fps: 1e-6 }), {
    code: 'ERR_VSSL_NO_USABLE_VIDEO',
  });
  t.regex(slow!.message, /fps/);
});

test.serial('a build without FFmpeg says so', async (t) => {
  const { info } = engine;
  t.teardown(() => {
    engine.info = info;
  });
  engine.info = () => ({ ...info.call(engine), libavVersion: '' });
  const copy = { data: 'synthetic:motion?count=1', out: file('without') };
  await t.throwsAsync(prepare({ ...copy, format: 'jpeg' }), {
    code: 'ERR_VSSL_NO_LIBAV',
    message: /raw pictures/,
  });
  t.is((await prepare({ ...copy, shortSide: 16 })).videos, 1);
});
