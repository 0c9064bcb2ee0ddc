import {
  appendFileSync,
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
import { plainAugment } from '#src/data/augment/draw-augment.js';
import { clipFormatOf } from '#src/data/clip-plan.js';
import { floatToHalf } from '#src/data/half.js';
import { loadManifest } from '#src/data/manifest.js';
import { planMotionClip } from '#src/data/motion-clip.js';
import { type ClipPlan, PLAN_VERSION } from '#src/data/plan.js';
import { Rng } from '#src/data/rng.js';
import { makeClock } from '#src/data/samplers/clock.js';
import { readFacts } from '#src/embed/video-facts.js';
import { resolveConfig } from '#src/methods/config.js';
import { loadEngine } from '#src/native/load.js';
import { prepare, prepareWith } from '#src/prepare/prepare.js';
import { scratch, writeSquareVideo } from '../embed/make-videos.js';
import { encodePng } from '../helpers/png.js';
import { smallDisk } from '../helpers/small-disk.js';

const { file, remove } = scratch();
test.after.always(remove);

test.before(async () => {
  mkdirSync(file('videos/a'), { recursive: true });
  mkdirSync(file('videos/b'));
  await writeSquareVideo(file('videos/a/right, "fast".avi'), (t) => [12, t]);
  await writeSquareVideo(file('videos/a/down.avi'), (t) => [t, 20], { frames: 40 });
  await writeSquareVideo(file('videos/b/left.avi'), (t) => [12, 40 - t]);
  writeFileSync(file('videos/b/broken.avi'), 'no video at all');
  writeFileSync(
    file('set.csv'),
    [
      'path,label,group,start,end,note',
      '"videos/a/right, ""fast"".avi",right,g1,,,"one, two"',
      'videos/a/down.avi,down,g1,0.4,1.2,',
      'videos/b/left.avi,left,g2,,,x',
      'videos/b/broken.avi,left,g2,,,y',
      '',
    ].join('\n'),
  );
});

/** Every file of a folder with its bytes' length and time. */
function snapshot(folder: string) {
  return Object.fromEntries(
    (readdirSync(folder, { recursive: true }) as string[])
      .filter((name) => statSync(join(folder, name)).isFile())
      .map((name) => [name, statSync(join(folder, name)).mtimeMs]),
  );
}

async function load(clip: ClipPlan): Promise<Float32Array> {
  const loader = loadEngine().createLoader({ threads: 1, cacheBytes: 0 });
  try {
    const { batch, failures } = await loader.load({
      version: PLAN_VERSION,
      views: [{ name: 'v', clips: [clip] }],
    });
    if (failures[0]) throw new Error(failures[0].reason);
    return batch.toFloat32('v');
  } finally {
    loader.dispose();
  }
}

test('labels, groups and columns come back; the pictures are those of the videos; bad files are listed', async (t) => {
  const out = file('plain');
  const progress: [number, number][] = [];
  const result = await prepare({ data: file('set.csv'), out, onProgress: (...at) => progress.push(at) });
  t.is(result.videos, 3);
  t.is(result.reused, 0);
  t.deepEqual(progress.at(-1), [4, 4]);
  t.deepEqual(
    result.skipped.map(({ path, code }) => [path, code]),
    [[file('videos/b/broken.avi'), 'ERR_VSSL_VIDEO_OPEN']],
  );
  const original = await loadManifest(file('set.csv'));
  for (const spec of [out, result.manifest, `${out}?group=g1,g2`]) {
    const { rows } = await loadManifest(spec);
    t.deepEqual(
      rows.map(({ label, group, extra }) => [label, group, extra.note]),
      original.rows.slice(0, 3).map(({ label, group, extra }) => [label, group, extra.note]),
    );
  }
  const engine = loadEngine();
  const { rows } = await loadManifest(out);
  for (const [i, row] of rows.entries()) {
    const source = original.rows[i]!;
    const facts = await readFacts(engine, row);
    const before = makeClock(await readFacts(engine, source), { start: source.start, end: source.end });
    const after = makeClock(facts, {});
    t.is(after.frames, before.frames);
    t.true(Math.abs(after.period - before.period) < 1e-9);
    t.is(facts.width, 64);
    const plan = (from: typeof row.source, clock: typeof after): ClipPlan => ({
      source: from,
      modality: 'rgb',
      times: Array.from({ length: clock.frames }, (_, frame) => clock.timeOf(frame)),
      height: 48,
      width: 64,
      shrink: 1,
      augment: [plainAugment([0, 0, 1, 1])],
      input: 'rgb',
      mean: [0, 0, 0],
      std: [1, 1, 1],
    });
    const [a, b] = [await load(plan(source.source, before)), await load(plan(row.source, after))];
    const worst = a.reduce((most, x, j) => Math.max(most, Math.abs(x - b[j]!)), 0);
    t.true(worst <= 0.5 / 255 + 1e-6, `pictures differ by ${worst * 255} of 255`);
  }
  t.is(rows[1]!.source.kind === 'packed' && rows[1]!.source.frames, 20, 'the window alone is copied');
});

test('a smaller short side, a rate, and a copy of a copy', async (t) => {
  await prepare({ data: file('videos/a'), out: file('small'), shortSide: 24, fps: 10 });
  const { rows } = await loadManifest(file('small'));
  t.is(rows.length, 2);
  for (const { source } of rows) {
    t.like(source, { kind: 'packed', height: 24, width: 32 });
    t.true(source.kind === 'packed' && Math.abs(source.fps - 10) < 1e-9 && source.flow === undefined);
  }
  const again = await prepare({ data: file('small'), out: file('again'), shortSide: 16 });
  t.is(again.videos, 2);
  t.like((await loadManifest(file('again'))).rows[0]!.source, { kind: 'packed', height: 16, width: 21 });
});

test('what is finished is not done again; what changed, is missing or was cut off is', async (t) => {
  const out = file('resumed');
  const reason = new Error('enough');
  const stop = new AbortController();
  const onProgress = (done: number) => done === 1 && stop.abort(reason);
  const stopped = prepare({ data: file('set.csv'), out, threads: 1, signal: stop.signal, onProgress });
  await t.throwsAsync(stopped, { is: reason });
  const error = await t.throwsAsync(loadManifest(out), { code: 'ERR_VSSL_DATA' });
  t.regex(error!.message, /not finished/);
  const first = snapshot(join(out, 'clips'));
  t.true(Object.keys(first).length >= 1);

  appendFileSync(join(out, 'finished.jsonl'), '{"id":"torn');
  const second = await prepare({ data: file('set.csv'), out });
  t.is(second.videos, 3);
  t.true(second.reused >= 1);
  t.like(snapshot(join(out, 'clips')), first);

  const { rows } = await loadManifest(out);
  const whole = readFileSync(rows[0]!.path);
  truncateSync(rows[0]!.path, 1000);
  await rm(rows[2]!.path);
  const third = await prepare({ data: file('set.csv'), out });
  t.is(third.reused, 1);
  t.deepEqual(readFileSync(rows[0]!.path), whole);
  t.true(existsSync(rows[2]!.path));
  t.is((await prepare({ data: file('set.csv'), out })).reused, 3);

  await t.throwsAsync(prepare({ data: file('set.csv'), out, shortSide: 32 }), { code: 'ERR_VSSL_USAGE' });
  await t.throwsAsync(prepare({ data: file('set.csv'), out: file('videos') }), { code: 'ERR_VSSL_USAGE' });
});

test('procedural clips of another length or rate are made again', async (t) => {
  const out = file('lengths');
  const data = 'synthetic:motion?count=2&pixels=32';
  await prepare({ data: `${data}&seconds=0.4`, out });
  t.is((await prepare({ data: `${data}&seconds=0.4`, out })).reused, 2);
  const { reused } = await prepare({ data: `${data}&seconds=2&fps=10`, out });
  t.is(reused, 0);
  t.like((await loadManifest(out)).rows[0]!.source, { frames: 20, fps: 10 });
});

test('procedural clips are made again when the pictures of their sprites change', async (t) => {
  const out = file('sprited');
  const disc = (color: number) =>
    encodePng(24, 24, (x, y) => [color, 80, 40, (x - 12) ** 2 + (y - 12) ** 2 < 100 ? 255 : 0]);
  mkdirSync(file('sprites'));
  for (const i of [1, 2, 3]) writeFileSync(file(`sprites/${i}.png`), disc(60 * i));
  const data = `synthetic:motion?count=8&pixels=32&seconds=0.4&sprites=${file('sprites')}`;
  await prepare({ data, out });
  t.is((await prepare({ data, out })).reused, 8);
  writeFileSync(file('sprites/1.png'), Buffer.concat([disc(250), Buffer.alloc(1)]));
  const { reused } = await prepare({ data, out });
  t.true(reused > 0 && reused < 8, 'those with the other picture stay');
});

test('a copy whose settings are damaged says so', async (t) => {
  const out = file('damaged');
  mkdirSync(out);
  for (const text of ['{"formatV', 'null']) {
    writeFileSync(join(out, 'prepared.json'), text);
    await t.throwsAsync(prepare({ data: file('set.csv'), out }), {
      code: 'ERR_VSSL_DATA',
      message: /prepared\.json is damaged.*new folder/,
    });
  }
});

test('a file that was being written is never taken for whole; a full disk says what to do', async (t) => {
  const out = file('full');
  const error = await t.throwsAsync(
    prepareWith({ data: file('videos/a'), out, threads: 1 }, smallDisk(100_000).operations),
    {
      code: 'ERR_VSSL_WRITE',
    },
  );
  t.regex(error!.message, /disk is full.*--short-side.*goes on/s);
  t.false(existsSync(join(out, 'manifest.csv')));
  for (const name of readdirSync(out, { recursive: true }) as string[]) t.false(name.endsWith('.tmp'), name);
  t.is((await prepare({ data: file('videos/a'), out })).videos, 2);
});

test('no usable video is an error; a row without its shape too', async (t) => {
  await t.throwsAsync(prepare({ data: file('videos/b/broken.avi'), out: file('none') }), {
    code: 'ERR_VSSL_NO_USABLE_VIDEO',
  });
  writeFileSync(file('shapeless.csv'), 'path,frames\nx.rgb8,4\n');
  const error = await t.throwsAsync(loadManifest(file('shapeless.csv')), { code: 'ERR_VSSL_DATA' });
  t.regex(error!.message, /height/);
  await t.throwsAsync(prepare({ data: 'x', out: file('y'), sort: 1 } as never), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
  });
});

test('halves are the nearest ones', (t) => {
  const value = (half: number) => {
    const [sign, e, m] = [half & 0x8000 ? -1 : 1, (half >> 10) & 31, half & 1023];
    return sign * (e === 0 ? m * 2 ** -24 : (1 + m / 1024) * 2 ** (e - 15));
  };
  const rng = new Rng(1, 'halves');
  for (let i = 0; i < 20000; i++) {
    const x = Math.fround(rng.uniform(-1, 1) * 2 ** rng.int(20) * 2 ** -rng.int(26));
    const half = floatToHalf(x);
    const error = Math.abs(value(half) - x);
    for (const other of [half - 1, half + 1].filter((h) => (h & 0x7fff) > 0 && (h & 0x7fff) < 0x7c00))
      t.true(error <= Math.abs(value(other) - x) + 1e-30 || Math.abs(x) > 65504, `${x}`);
    if (Math.abs(x) > 2 ** -14 && Math.abs(x) < 65504) t.true(error <= Math.abs(x) * 2 ** -11);
  }
  t.deepEqual([0, 1, -2, 1e9, 2 ** -24].map(floatToHalf), [0, 0x3c00, 0xc000, 0x7bff, 1]);
});

const flows = loadEngine().info().flowVersion !== '';

(flows ? test : test.skip)('flow of the copy is the flow that the loader computes, to 11 bits', async (t) => {
  const out = file('flow');
  const plain = await prepare({ data: file('videos/a'), out });
  const result = await prepare({ data: file('videos/a'), out, flow: true });
  t.is(result.reused, 0);
  t.true(result.bytes > 2 * plain.bytes && result.bytes < 2.4 * plain.bytes);
  t.is((await prepare({ data: file('videos/a'), out, flow: true })).reused, 2);
  t.is((await prepare({ data: file('videos/a'), out })).reused, 2);
  const engine = loadEngine();
  const config = resolveConfig({ method: 'modist', data: { shrink: 1, clip: { size: 32 } } });
  for (const row of (await loadManifest(out)).rows) {
    const facts = await readFacts(engine, row);
    for (const modality of ['flow', 'flow-edges'] as const) {
      for (const fps of [null, 18, 60]) {
        const motion = { modality, frames: 12, stride: 2 };
        const clock = makeClock(facts, { fps });
        const stored = planMotionClip({
          ...{ row, facts, clock, motion, format: clipFormatOf(config), augment: config.data.augment },
          ...{ start: 1, view: 0, rng: new Rng(3) },
        });
        const { flow, ...computed } = stored;
        t.truthy(flow);
        const [a, b] = [await load(stored), await load(computed)];
        const most = b.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
        const worst = a.reduce((m, x, i) => Math.max(m, Math.abs(x - b[i]!)), 0);
        t.true(most > 0.05, `${modality} is not nothing`);
        t.true(
          worst <= (modality === 'flow' ? 2 ** -10 : 2 ** -8) * Math.max(1, most),
          `${modality} at ${fps}: ${worst}`,
        );
      }
    }
  }
});
