import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { parseConfigText } from '#src/config/read-file.js';
import { chooseBatch, chooseClip } from '#src/init/choose-clip.js';
import type { LookedAt, Spread } from '#src/init/look-at-videos.js';
import { suggestConfig } from '#src/init/suggest-config.js';
import { writeConfigText } from '#src/init/write-config.js';
import { loadConfig, resolveConfig, type TrainConfig } from '#src/methods/config.js';
import { listMethods } from '#src/methods/registry.js';
import { scratch, writeSquareVideo } from '../embed/make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

const all = (value: number): Spread => ({ least: value, low: value, middle: value, most: value });
const looked = (parts: Partial<LookedAt> = {}): LookedAt => ({
  ...{ videos: 1000, looked: 64, unusable: [], warnings: [], labels: 0, groups: 0 },
  ...{ seconds: all(10), fps: all(25), shortSide: all(240) },
  ...parts,
});
const tiny = loadConfig({ preset: 'cvrl-tiny' });
const published = loadConfig({ preset: 'cvrl' });

test('long, large videos of one rate: the preset as it is', (t) => {
  const { frames, stride, fps, size } = chooseClip(published, looked());
  t.deepEqual([frames.value, stride.value, fps.value, size.value], [16, 2, null, 224]);
  t.is(chooseBatch(tiny, looked()).value, 48);
});

test('short videos: a stride that leaves room for two clips', (t) => {
  // 8 frames at 18 a second, stride 4: 1.56 s, and 1.25 times that with room
  t.is(chooseClip(tiny, looked({ seconds: all(2) })).stride.value, 4);
  const short = chooseClip(tiny, looked({ seconds: all(1.5) })).stride;
  t.is(short.value, 3);
  t.regex(short.why, /4 in the preset, but a tenth of the videos are 1\.5 s or shorter/);
  const tooShort = chooseClip(tiny, looked({ seconds: all(0.3) })).stride;
  t.is(tooShort.value, 1);
  t.regex(tooShort.why, /looped/);
});

test('rates that differ: one for all', (t) => {
  const mixed = looked({ fps: { least: 24, low: 25, middle: 29.97, most: 60 } });
  const { fps } = chooseClip(published, mixed);
  t.is(fps.value, 30);
  t.regex(fps.why, /24 to 60 pictures a second/);
  t.is(chooseClip(tiny, mixed).fps.value, 18, 'a preset that has one keeps it');
});

test('small pictures and few videos', (t) => {
  t.is(chooseClip(published, looked({ shortSide: all(120) })).size.value, 112);
  t.is(chooseClip(tiny, looked({ shortSide: all(10) })).size.value, 32);
  const batch = chooseBatch(tiny, looked({ videos: 7 }));
  t.is(batch.value, 7);
  t.regex(batch.why, /48 in the preset, but there are 7 videos/);
});

test('the text of every preset is a configuration that comes to what was chosen', (t) => {
  const odd = looked({ seconds: all(1.2), shortSide: all(300), labels: 3, groups: 9, videos: 500 });
  for (const { name } of listMethods().flatMap(({ presets }) => presets)) {
    const base = loadConfig({ preset: name });
    const clip = chooseClip(base, odd);
    const batch = chooseBatch(base, odd);
    const text = writeConfigText({
      ...{
        data: '/videos: a #1',
        preset: { value: name, why: 'as asked for' },
        base,
        looked: odd,
        clip,
        batch,
      },
    });
    const config = resolveConfig(parseConfigText(text, name) as TrainConfig);
    t.is(config.data.path, '/videos: a #1', name);
    t.deepEqual(
      config.data.clip,
      { frames: clip.frames.value, stride: clip.stride.value, fps: clip.fps.value, size: clip.size.value },
      name,
    );
    t.is(config.train.batch, batch.value, name);
    t.is(config.train.steps, base.train.steps, name);
    // what is commented out is a configuration, too
    const shown = text.replace('# eval:', 'eval:').replace('  # optimizer:', '  optimizer:');
    t.is(resolveConfig(parseConfigText(shown, name) as TrainConfig).eval.folds, 'group:5', name);
  }
});

test('a look at real files: what they are, and which cannot be used', async (t) => {
  mkdirSync(file('videos'));
  for (let i = 0; i < 5; i++)
    await writeSquareVideo(file(`videos/v${i}.avi`), (k) => [k, 4 * i], { frames: 40 + i });
  writeFileSync(file('videos/bad.mp4'), 'this is no video');
  const { text, config, preset, looked: seen } = await suggestConfig({ data: file('videos') });
  t.is(preset, 'cvrl-tiny');
  t.is(seen.videos, 6);
  t.is(seen.unusable.length, 1);
  t.deepEqual([seen.shortSide.least, seen.shortSide.most], [48, 48]);
  t.true(Math.abs(seen.fps.middle - 25) < 0.01, String(seen.fps.middle));
  t.true(Math.abs(seen.seconds.most - 44 / 25) < 0.01, String(seen.seconds.most));
  t.deepEqual([config.train.batch, config.data.clip.size, config.data.path], [6, 48, file('videos')]);
  t.regex(text, /^# 6 videos: 1\.6 to 1\.76 s long/);
  t.regex(text, /^# 1 of those cannot be used.*check --data/m);
  const few = await suggestConfig({ data: file('videos'), look: 3, preset: 'moco-tiny' });
  t.is(few.looked.looked, 3);
  t.is(few.config.method, 'moco');
});

test('what cannot be suggested', async (t) => {
  mkdirSync(file('bad'), { recursive: true });
  writeFileSync(file('bad/a.mp4'), 'this is no video');
  const cases: [Parameters<typeof suggestConfig>[0], string, RegExp][] = [
    [{ data: file('bad') }, 'ERR_VSSL_NO_USABLE_VIDEO', /none of the 1 videos.*check --data/],
    [{ data: file('nothing') }, 'ERR_VSSL_DATA', /nothing/],
    [{ data: file('bad'), method: 'mocco' }, 'ERR_VSSL_INVALID_ARGUMENT', /did you mean 'moco'/],
    [{ data: file('bad'), preset: 'cvrl-tni' }, 'ERR_VSSL_CONFIG', /did you mean 'cvrl-tiny'/],
    [
      { data: file('bad'), preset: 'cvrl-tiny', method: 'moco' },
      'ERR_VSSL_USAGE',
      /one of cvrl, not of moco; moco has moco/,
    ],
  ];
  for (const [options, code, message] of cases)
    await t.throwsAsync(suggestConfig(options), { code, message }, JSON.stringify(options));
  t.true(readFileSync(file('bad/a.mp4')).length > 0);
});
