// Sprites cut from the user's pictures, and the motion set as files.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { heldOutSpec, loadManifest } from '#src/data/manifest.js';
import type { ClipSource } from '#src/data/plan.js';
import { drawSyntheticSource, FLIPPED_MOTION, SYNTHETIC_MOTIONS } from '#src/data/synthetic.js';
import { loadEngine } from '#src/native/load.js';
import { writeSyntheticVideos } from '#src/prepare/write-synthetic.js';
import { encodePng } from '../helpers/png.js';

const engine = loadEngine();
const videoTest = engine.info().libavVersion === '' ? test.skip : test;
const folder = mkdtempSync(join(tmpdir(), 'vssl-sprites-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);

const SIDE = 64;
/** A still sprite of radius 12 pixels, upright, on gray. */
function sourceOf(picture: string): ClipSource {
  const { source } = drawSyntheticSource(1, 0, { pixels: SIDE });
  return {
    ...source,
    motion: 0,
    speed: 0,
    ...{ x: 0.5, y: 0.5, angle: 0, size: 12 / SIDE },
    sprite: { picture },
    background: { base: [0.5, 0.5, 0.5], waves: [] },
  } as ClipSource;
}

async function draw(picture: string): Promise<(x: number, y: number) => number[]> {
  const frame = await engine.renderSynthetic(sourceOf(picture), [0], SIDE, SIDE);
  return (x, y) => [...frame.subarray((y * SIDE + x) * 3, (y * SIDE + x) * 3 + 3)];
}

const near = (a: readonly number[], b: readonly number[], within = 2) =>
  a.every((value, i) => Math.abs(value - b[i]!) <= within);

videoTest('a picture with alpha is cut to what can be seen of it', async (t) => {
  // red, and blue in its lower half, in the right part of a wide transparent picture
  const path = file('cut.png');
  const seen = (x: number, y: number) => x >= 60 && x < 100 && y >= 10 && y < 50;
  writeFileSync(
    path,
    encodePng(120, 64, (x, y) =>
      seen(x, y) ? (y < 30 ? [250, 10, 10, 255] : [10, 10, 250, 255]) : [0, 255, 0, 0],
    ),
  );
  const at = await draw(path);
  t.true(near(at(32, 24), [250, 10, 10]), String(at(32, 24)));
  t.true(near(at(32, 40), [10, 10, 250]), String(at(32, 40)));
  t.deepEqual(
    at(32, 18),
    [128, 128, 128],
    'outside nothing is drawn, not even what is under full transparency',
  );
  t.deepEqual(at(18, 32), [128, 128, 128]);
  t.true(near(at(22, 24), [250, 10, 10]), 'the square is filled to its edge');
});

videoTest('without alpha the centre square is the sprite; half alpha lets the ground through', async (t) => {
  const wide = file('wide.png');
  writeFileSync(
    wide,
    encodePng(90, 30, (x) => (x >= 30 && x < 60 ? [240, 240, 20] : [0, 0, 0]), false),
  );
  const at = await draw(wide);
  for (const [x, y] of [
    [22, 22],
    [41, 41],
    [32, 32],
  ] as const)
    t.true(near(at(x, y), [240, 240, 20], 4), `${x} ${y}: ${at(x, y)}`);
  const half = file('half.png');
  writeFileSync(
    half,
    encodePng(16, 16, () => [255, 255, 255, 51]),
  );
  t.true(near((await draw(half))(32, 32), [128 * 0.8 + 51, 128 * 0.8 + 51, 128 * 0.8 + 51]));
});

videoTest('what cannot be a sprite fails with the file and a reason', async (t) => {
  const clear = file('clear.png');
  writeFileSync(
    clear,
    encodePng(8, 8, () => [9, 9, 9, 0]),
  );
  await t.throwsAsync(draw(clear), { code: 'ERR_VSSL_VIDEO_DECODE', message: /clear\.png.*transparent/ });
  const text = file('text.png');
  writeFileSync(text, 'no picture at all');
  await t.throwsAsync(draw(text), { message: /text\.png/ });
  await t.throwsAsync(draw(file('none.png')), { message: /none\.png/ });
});

videoTest('sprites=DIR: splits share no picture, and clips show them', async (t) => {
  const pictures = file('a & b');
  mkdirSync(pictures);
  for (let i = 0; i < 7; i++)
    writeFileSync(
      join(pictures, `s${i}.png`),
      encodePng(20, 20, (x) => [30 * i, x, 200], false),
    );
  writeFileSync(join(pictures, 'readme.txt'), 'not a picture');
  const spec = (split: string) =>
    `synthetic:motion?split=${split}&count=64&sprites=${encodeURIComponent(pictures)}`;
  const used = async (split: string) => {
    const { rows } = await loadManifest(spec(split));
    return new Set(rows.map(({ source }) => (source as { sprite?: { picture?: string } }).sprite!.picture!));
  };
  const [train, test_] = [await used('train'), await used('test')];
  t.is(train.size, 5);
  t.deepEqual([...test_].sort(), [join(pictures, 's2.png'), join(pictures, 's5.png')]);
  t.false([...test_].some((path) => train.has(path)));
  const { rows } = await loadManifest(spec('train'));
  t.is(rows[0]!.extra.color, undefined);
  const frames = await engine.renderSynthetic(rows[0]!.source, [0, 0.5], 64, 64);
  t.notDeepEqual(frames.subarray(0, frames.length / 2), frames.subarray(frames.length / 2));

  await t.throwsAsync(loadManifest(spec('val')), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
    message: /train.*test/,
  });
  await t.throwsAsync(loadManifest(`synthetic:motion?sprites=${file('nowhere')}`), {
    code: 'ERR_VSSL_DATA',
    message: /not there.*PNG or JPEG/,
  });
  await t.throwsAsync(loadManifest(`synthetic:motion?sprites=${file('cut.png')}`), { message: /no folder/ });
  mkdirSync(file('few'));
  await t.throwsAsync(loadManifest(`synthetic:motion?sprites=${file('few')}`), {
    code: 'ERR_VSSL_DATA',
    message: /0 PNG or JPEG pictures/,
  });
});

test('rows say what was drawn, and which classes a flip merges', async (t) => {
  const { rows } = await loadManifest('synthetic:motion?count=64&seed=2');
  const merged = new Map(rows.map(({ label, extra }) => [label!, extra.merged as string]));
  t.is(merged.size, 16);
  t.is(new Set(merged.values()).size, 11);
  for (const motion of SYNTHETIC_MOTIONS) t.is(merged.get(motion), merged.get(FLIPPED_MOTION[motion]));
  t.is(merged.get('down'), 'down');
  t.not(merged.get('right'), merged.get('down'));
  for (const { label, extra } of rows) {
    t.regex(extra.sprite as string, /^sprite\d+$/);
    t.regex(extra.color as string, /^0\.\d{4} 0\.\d{4} 0\.\d{4}$/);
    t.is(extra.size === undefined, label!.startsWith('zoom'));
  }
  const one = await loadManifest('synthetic:motion?count=64&seed=2&merged=right or left');
  t.deepEqual([...new Set(one.rows.map((row) => row.label))].sort(), ['left', 'right']);
});

test('a training set of a named source has a test set', (t) => {
  t.is(heldOutSpec('synthetic:motion'), 'synthetic:motion?split=test');
  t.is(heldOutSpec('synthetic:motion?split=train&count=9'), 'synthetic:motion?split=test&count=9');
  t.is(heldOutSpec('synthetic:motion?split=test'), null);
  t.is(heldOutSpec('/videos?split=train'), null);
});

videoTest('the set as real files has the same rows', async (t) => {
  const out = file('written');
  const spec = (split: string) => `synthetic:motion?split=${split}&count=16&pixels=32&seconds=0.4`;
  const { manifest, count } = await writeSyntheticVideos({ data: [spec('train'), spec('test')], out });
  t.is(count, 32);
  const written = await loadManifest(`${manifest}?split=test`);
  const { rows } = await loadManifest(spec('test'));
  t.deepEqual(
    written.rows.map(({ label, group, extra }) => [label, group, extra.merged, extra.color, extra.speed]),
    rows.map(({ label, group, extra }) => [label, group, extra.merged, extra.color, String(extra.speed)]),
  );
  t.regex(readFileSync(manifest, 'utf8'), /^path,label,group,split,merged,sprite/);
  const index = await engine.indexVideo(written.rows[3]!.path);
  t.is(index.times.length, 10);
  await t.throwsAsync(writeSyntheticVideos({ data: [spec('test'), spec('test')], out }), {
    code: 'ERR_VSSL_USAGE',
    message: /differ in their split/,
  });
  await t.throwsAsync(writeSyntheticVideos({ data: manifest, out }), { code: 'ERR_VSSL_USAGE' });
});
