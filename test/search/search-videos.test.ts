/** `search`: a clip, or a part of it, is found in an index of videos. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { indexVideos } from '#src/search/index-videos.js';
import { searchVideos } from '#src/search/search-videos.js';
import { scratch, writeSquareVideo, writeTinyWeights } from '../embed/make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);
const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const weights = file('weights.safetensors');
const db = file('db');

test.before(async () => {
  await writeTinyWeights(weights);
  for (const [i, name] of ['left/a', 'left/b', 'right/c'].entries()) {
    mkdirSync(file(`videos/${name.split('/')[0]}`), { recursive: true });
    // a way of its own through the picture, and a colour that changes with time
    await writeSquareVideo(
      file(`videos/${name}.avi`),
      (t) => [(7 * i + (t * (i + 1)) / 4) % 36, (t / 2) % 48],
      {
        frames: 150,
        color: [250 - 60 * i, 80 * i + 40, 200],
      },
    );
  }
  await indexVideos({ weights, data: file('videos'), db, windows: { every: 0.5 }, threads: 1 });
});

test.serial('a part of a video is found where it was cut', async (t) => {
  const clip = file('videos/left/b.avi');
  const scene = await searchVideos({ db, clip, start: 2, end: 4, threads: 1 });
  t.true(scene.query.windows > 1);
  const [best] = scene.hits;
  t.deepEqual([best!.path, best!.start, best!.label], [clip, 2, 'left']);
  // the last window ends with the part, between two of the index
  t.true(best!.similarity > 0.99, `${best!.similarity}`);
  const window = await searchVideos({ db, clip, start: 3, end: 3.28, threads: 1, top: 1 });
  t.is(window.query.windows, 1);
  t.deepEqual([window.hits[0]!.path, window.hits[0]!.start], [clip, 3]);
  const videos = await searchVideos({ db, clip, perVideo: true, filter: { label: 'r*' }, threads: 1 });
  t.deepEqual(
    videos.hits.map(({ path }) => path),
    [file('videos/right/c.avi')],
  );
});

test.serial('a clip that cannot be decoded, other weights, weights that are missing', async (t) => {
  writeFileSync(file('bad.mp4'), 'no video');
  await t.throwsAsync(searchVideos({ db, clip: file('bad.mp4') }), { code: 'ERR_VSSL_VIDEO_OPEN' });
  await t.throwsAsync(searchVideos({ db, clip: file('absent.mp4') }), { code: 'ERR_VSSL_VIDEO_OPEN' });
  const clip = file('videos/left/a.avi');
  await t.throwsAsync(searchVideos({ db, clip, start: 100 }), { code: 'ERR_VSSL_VIDEO_WINDOW' });
  await t.throwsAsync(searchVideos({ db, clip, start: 3, end: 2 }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  await t.throwsAsync(searchVideos({ db: file('none'), clip }), { code: 'ERR_VSSL_INDEX' });
  await writeTinyWeights(file('other.safetensors'), { input: 'difference' });
  await t.throwsAsync(searchVideos({ db, clip, weights: file('other.safetensors') }), {
    code: 'ERR_VSSL_INDEX_MISMATCH',
  });
  renameSync(file('db/encoder.safetensors'), file('kept.safetensors'));
  await t.throwsAsync(searchVideos({ db, clip }), { code: 'ERR_VSSL_USAGE', message: /--run or --weights/ });
  t.true((await searchVideos({ db, clip, weights: file('kept.safetensors') })).hits.length > 0);
  renameSync(file('kept.safetensors'), file('db/encoder.safetensors'));
});

test.serial('the command: a table, JSON, parts by @, filters', async (t) => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [main, 'search', ...args], { encoding: 'utf8' });
  const clip = file('videos/right/c.avi');
  const table = run('--db', db, `${clip}@1-3.5`, '--top', '2', '--per-video');
  t.is(table.status, 0, table.stderr);
  const [head, , first] = table.stdout.split('\n');
  t.deepEqual(head!.trim().split(/\s+/), ['similarity', 'start', 'end', 'label', 'path']);
  t.regex(first!, /^ +(1\.0000|0\.99\d\d) +1\.00 +3\.\d\d +right +.*c\.avi$/);
  const { hits, query } = JSON.parse(run('--db', db, `${clip}@4-`, '--json', '--filter', 'label=l*').stdout);
  t.is(query.start, 4);
  t.true(hits.length > 0 && hits.every(({ label }: { label: string }) => label === 'left'));
  t.is(run('--db', db, clip, '--filter', 'label').status, 2);
  t.is(run(clip).status, 2);
  t.is(run('--db', db, file('bad.mp4')).status, 1);
  rmSync(file('bad.mp4'));
});
