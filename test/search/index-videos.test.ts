/** An index follows its folder: new, changed, moved and removed files, and nothing else, are worked on. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { type IndexVideosOptions, indexVideos, watchVideos } from '#src/search/index-videos.js';
import { searchVideos } from '#src/search/search-videos.js';
import { VideoIndex } from '#src/search/video-index.js';
import { scratch, writeSquareVideo, writeTinyWeights } from '../embed/make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);
const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const weights = file('weights.safetensors');
const at = (name: string) => file(`videos/${name}`);
const write = (name: string, seed: number) =>
  writeSquareVideo(at(name), (t) => [(3 * seed + t) % 36, (5 * seed + 2 * t) % 48], {
    frames: 60,
    color: [40 * (seed % 6), 230, 255 - 30 * (seed % 8)],
  });
/** Half a second at a time: 60 frames at 25 a second are 6 windows, the last of which ends with the video. */
const index = (more: Partial<IndexVideosOptions> = {}) =>
  indexVideos({
    weights,
    data: file('videos'),
    db: file('db'),
    windows: { every: 0.5 },
    threads: 1,
    ...more,
  });
const counts = async (work: ReturnType<typeof indexVideos>) => {
  const { added, changed, moved, removed, unchanged, videos } = await work;
  return { added, changed, moved, removed, unchanged, videos };
};
const none = { added: 0, changed: 0, moved: 0, removed: 0 };
const pathsOf = async (db = file('db')) => {
  const opened = await VideoIndex.open(db);
  const paths: string[] = [];
  for await (const { path } of opened.videos()) paths.push(path.slice(file('videos').length + 1));
  await opened.close();
  return paths.sort();
};

test.before(async () => {
  mkdirSync(at('a'), { recursive: true });
  await writeTinyWeights(weights);
  for (const [i, name] of ['a/0.avi', 'a/1.avi', '2.avi', '3.mp4'].entries()) await write(name, i);
});

test.serial('a folder, again, and after changes of every kind', async (t) => {
  const first = await index();
  t.deepEqual([first.added, first.videos, first.windows], [4, 4, 24]);
  t.deepEqual(await counts(index()), { ...none, unchanged: 4, videos: 4 });

  renameSync(at('a/0.avi'), at('moved.avi'));
  t.deepEqual(await counts(index()), { ...none, moved: 1, removed: 1, unchanged: 3, videos: 4 });
  t.deepEqual(await pathsOf(), ['2.avi', '3.mp4', 'a/1.avi', 'moved.avi']);

  const later = new Date(Date.now() + 10_000);
  utimesSync(at('2.avi'), later, later);
  copyFileSync(at('3.mp4'), at('copy.mp4'));
  await write('a/1.avi', 9);
  rmSync(at('moved.avi'));
  await write('new.avi', 7);
  t.deepEqual(await counts(index()), { added: 1, changed: 1, moved: 2, removed: 1, unchanged: 1, videos: 5 });

  // two files have changed their names: the one has no vectors that the other could take in peace
  renameSync(at('a/1.avi'), at('x'));
  renameSync(at('2.avi'), at('a/1.avi'));
  renameSync(at('x'), at('2.avi'));
  const swapped = await index();
  t.is(swapped.videos, 5);
  await using encoder = await VideoEncoder.load(weights);
  const opened = await VideoIndex.open(file('db'));
  for (const name of ['2.avi', 'a/1.avi', 'copy.mp4', 'new.avi']) {
    const row = { id: name, path: at(name), extra: {}, source: { kind: 'file', path: at(name) } } as never;
    for await (const result of encoder.embedWindows([row], { windows: { every: 0.5 } })) {
      if ('error' in result) throw result.error;
      const { vector, start } = result.windows[2]!;
      const hits = await opened.search(vector, { filter: { path: at(name) }, top: 1 });
      t.is(hits[0]!.start, start, name);
      t.true(hits[0]!.similarity > 0.999, `${name}: ${hits[0]!.similarity}`);
    }
  }
  await opened.close();
});

test.serial('patterns and shards narrow what is embedded, and take nothing away', async (t) => {
  const db = file('some');
  t.is((await index({ db, include: ['*.mp4'] })).videos, 2);
  t.is((await index({ db, include: ['a/**'] })).videos, 3);
  t.is((await index({ db, shard: '0/2' })).unchanged, 1);
  await t.throwsAsync(index({ db, include: ['*.mkv'] }), {
    code: 'ERR_VSSL_DATA',
    message: /matches \*\.mkv/,
  });
  t.is((await index({ db })).videos, 5);
  // another folder in the same index
  mkdirSync(file('other'));
  copyFileSync(at('2.avi'), file('other/elsewhere.avi'));
  t.deepEqual(await counts(index({ db, data: file('other') })), {
    ...none,
    moved: 1,
    unchanged: 0,
    videos: 6,
  });
  t.deepEqual(await counts(index({ db })), { ...none, unchanged: 5, videos: 6 });
});

test.serial('bad files are told and tried again; one that was good goes', async (t) => {
  const db = file('bad');
  writeFileSync(at('bad.mp4'), 'this is no video');
  const first = await index({ db });
  t.deepEqual(
    first.failures.map(({ path }) => path),
    [at('bad.mp4')],
  );
  t.deepEqual([first.added, first.videos], [5, 5]);
  t.is((await index({ db })).failures.length, 1);
  writeFileSync(at('new.avi'), 'nor is this, any more');
  const second = await index({ db });
  t.deepEqual([second.failures.length, second.changed, second.videos], [2, 0, 4]);
  for (const name of ['bad.mp4', 'new.avi']) rmSync(at(name));
  mkdirSync(file('hopeless'));
  writeFileSync(file('hopeless/bad.mp4'), 'no');
  await t.throwsAsync(index({ db: file('none'), data: file('hopeless') }), {
    code: 'ERR_VSSL_NO_USABLE_VIDEO',
  });
  mkdirSync(file('empty'));
  await t.throwsAsync(index({ db, data: file('empty') }), { code: 'ERR_VSSL_DATA', message: /no video in/ });
  t.is((await pathsOf(db)).length, 4, 'and nothing was lost');
});

test.serial('other weights and other windows are refused; what was made is taken by default', async (t) => {
  const other = file('other.safetensors');
  await writeTinyWeights(other, { input: 'difference' });
  await t.throwsAsync(index({ weights: other }), {
    code: 'ERR_VSSL_INDEX_MISMATCH',
    message: /another encoder/,
  });
  await t.throwsAsync(index({ windows: { every: 2 } }), {
    code: 'ERR_VSSL_INDEX_MISMATCH',
    message: /every 0\.5 s/,
  });
  t.is((await index({ windows: undefined })).added, 0);
});

test.serial('stopped on the way: what is done is done, and the same call does the rest', async (t) => {
  const db = file('stopped');
  const stop = new AbortController();
  const onProgress = () => stop.abort(new Error('enough'));
  await t.throwsAsync(index({ db, onProgress, signal: stop.signal }), { message: 'enough' });
  const held = (await pathsOf(db)).length;
  t.true(held >= 1 && held < 4);
  const { added, moved, unchanged, videos } = await index({ db });
  // one of them is a copy of another
  t.deepEqual([added + moved, unchanged, videos], [4 - held, held, 4]);
});

test.serial('a watch follows the folder, and takes a file when it is no longer written to', async (t) => {
  const db = file('watched');
  const stop = new AbortController();
  const options = {
    weights,
    data: file('videos'),
    db,
    windows: { every: 0.5 },
    threads: 1,
    signal: stop.signal,
  };
  const results = watchVideos({ ...options, interval: 0.2 });
  const old = new Date(Date.now() - 60_000);
  for (const name of ['2.avi', '3.mp4', 'a/1.avi', 'copy.mp4']) utimesSync(at(name), old, old);
  t.is((await results.next()).value!.videos, 4);
  const next = results.next();
  await write('arrives.avi', 11);
  appendFileSync(at('arrives.avi'), '');
  t.is((await next).value!.added, 1);
  const gone = results.next();
  rmSync(at('arrives.avi'));
  t.is((await gone).value!.removed, 1);
  const stopped = results.next();
  stop.abort(new Error('over'));
  await t.throwsAsync(stopped, { message: 'over' });
});

test.serial('a watch of an empty folder waits; a file that cannot be used is told once', async (t) => {
  const stop = new AbortController();
  await using encoder = await VideoEncoder.load(weights);
  const options = { weights: encoder, interval: 0.2, signal: stop.signal };
  mkdirSync(file('inbox'));
  const results = watchVideos({ ...options, data: file('inbox'), db: file('inboxed') });
  const first = results.next();
  const old = new Date(Date.now() - 60_000);
  writeFileSync(file('bad.mp4'), 'no video');
  utimesSync(file('bad.mp4'), old, old);
  renameSync(file('bad.mp4'), file('inbox/bad.mp4'));
  const { failures, videos } = (await first).value!;
  t.deepEqual([failures.map(({ path }) => path), videos], [[file('inbox/bad.mp4')], 0]);
  const next = results.next();
  copyFileSync(at('2.avi'), file('good.avi'));
  utimesSync(file('good.avi'), old, old);
  renameSync(file('good.avi'), file('inbox/good.avi'));
  t.is((await next).value!.added, 1, 'and no result between, for the bad one alone');
  const over = results.next();
  stop.abort(new Error('over'));
  await t.throwsAsync(over, { message: 'over' });
  // an encoder that is loaded already keeps its weights beside the index as well
  const { hits } = await searchVideos({ db: file('inboxed'), clip: at('2.avi'), top: 1 });
  t.is(hits[0]!.path, file('inbox/good.avi'));
  await t.throwsAsync(
    watchVideos({ ...options, signal: undefined, data: file('nowhere'), db: file('x') }).next(),
    {
      code: 'ERR_VSSL_DATA',
    },
  );
});

test.serial('the command: a line of what was done, JSON, exit codes, Ctrl-C in a watch', async (t) => {
  const db = file('command');
  const args = [main, 'index', '--weights', weights, '--data', file('videos'), '--db', db];
  const run = (...more: string[]) => spawnSync(process.execPath, [...args, ...more], { encoding: 'utf8' });
  const made = run('--windows', 'every:500ms', '--include', '*.avi', '--include', 'copy.mp4');
  t.is(made.status, 0, made.stderr);
  t.regex(made.stdout, /^3 videos, 18 windows in .*command: 3 new \(\d+\.\d s\)\n$/);
  const { added, unchanged } = JSON.parse(run('--json').stdout);
  t.deepEqual([added, unchanged], [0, 3]);
  t.is(run('--windows', 'often').status, 2);
  t.is(run('--windows', 'every:3s').status, 2);
  const watch = spawn(process.execPath, [...args, '--watch'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines = createInterface({ input: watch.stderr });
  const [line] = await once(lines, 'line');
  t.regex(line, /as they were/);
  watch.kill('SIGINT');
  const [code] = await once(watch, 'close');
  t.is(code, 130);
});
