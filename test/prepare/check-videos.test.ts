import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { loadEngine } from '#src/native/load.js';
import { checkVideos } from '#src/prepare/check-videos.js';
import { scratch, writeSquareVideo } from '../embed/make-videos.js';

const { folder, file, remove } = scratch();
test.after.always(remove);

test.before(async () => {
  mkdirSync(file('videos'));
  mkdirSync(file('broken'));
  await writeSquareVideo(file('videos/good.avi'), (t) => [0, t], { frames: 70 });
  const whole = readFileSync(file('videos/good.avi'));
  writeFileSync(file('videos/short.avi'), whole.subarray(0, Math.floor(whole.length * 0.6)));
  writeFileSync(file('videos/empty.avi'), '');
  writeFileSync(file('videos/text.mp4'), 'no video at all '.repeat(100));
  writeFileSync(file('videos/readme.txt'), 'about these videos');
  writeFileSync(file('broken/text.mp4'), 'no video at all');
});

test('every video is listed with what is wrong with it; other files are named', async (t) => {
  const progress: [number, number][] = [];
  const result = await checkVideos({ data: file('videos'), onProgress: (...at) => progress.push(at) });
  const status = Object.fromEntries(result.files.map(({ path, status }) => [path.split('/').at(-1), status]));
  t.is(status['good.avi'], 'ok');
  t.is(status['empty.avi'], 'unusable');
  t.is(status['text.mp4'], 'unusable');
  t.not(status['short.avi'], undefined);
  t.false('readme.txt' in status);
  t.true(result.warnings.some((warning) => warning.includes('.txt')));
  for (const entry of result.files) if (entry.status !== 'ok') t.truthy(entry.reason, entry.path);
  const good = result.files.find(({ path }) => path.endsWith('good.avi'))!;
  t.is(good.frames, 70);
  t.is(good.decoded, 3);
  t.is(good.width, 64);
  t.true(Math.abs(good.seconds! - 2.8) < 0.05);
  t.is(result.ok + result.warning + result.unusable, 4);
  t.deepEqual(progress.at(-1), [4, 4]);
});

test('the paths of some videos, as they come, are enough', async (t) => {
  async function* paths() {
    yield file('videos/good.avi');
    yield file('videos/text.mp4');
    yield file('videos/good.avi');
  }
  const { files, ok, unusable } = await checkVideos({ data: paths() });
  t.deepEqual([files.length, ok, unusable], [2, 1, 1]);
  t.like(files[0], { path: file('videos/good.avi'), width: 64, frames: 70 });
});

test('a deep check decodes every picture', async (t) => {
  const { files } = await checkVideos({ data: file('videos/good.avi'), deep: true });
  t.is(files[0]!.decoded, 70);
  t.is(files[0]!.status, 'ok');
});

test('nothing usable is a result, not an error; no data is an error', async (t) => {
  const { unusable, files } = await checkVideos({ data: file('broken') });
  t.is(unusable, files.length);
  await t.throwsAsync(checkVideos({ data: file('nowhere') }), { code: 'ERR_VSSL_DATA' });
  await t.throwsAsync(checkVideos({ data: folder, depth: 3 } as never), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
  });
});

/** Files that are indexed while `work` is done. */
async function countIndexed(work: () => Promise<unknown>): Promise<string[]> {
  const engine = loadEngine() as { indexVideo: (path: string) => Promise<unknown> };
  const { indexVideo } = engine;
  const seen: string[] = [];
  engine.indexVideo = (path) => {
    seen.push(path);
    return indexVideo(path);
  };
  try {
    await work();
  } finally {
    engine.indexVideo = indexVideo;
  }
  return seen;
}

test.serial('a file is read once, whatever the number of its windows', async (t) => {
  const windows = Array.from(
    { length: 9 },
    (_, i) => `good.avi,${i / 4},${i / 4 + 0.5}\ntext.mp4,${i},${i + 1}`,
  );
  writeFileSync(file('videos/windows.csv'), `path,start,end\n${windows.join('\n')}\n`);
  const indexed = await countIndexed(async () => {
    const { files, ok, unusable } = await checkVideos({ data: file('videos/windows.csv') });
    t.deepEqual([files.length, ok, unusable], [18, 9, 9]);
    t.deepEqual(
      files.filter(({ status }) => status === 'ok').map(({ frames }) => frames! > 10 && frames! < 15),
      Array(9).fill(true),
    );
  });
  t.deepEqual(indexed.sort(), [file('videos/good.avi'), file('videos/text.mp4')]);
});

test.serial('a check that is stopped ends at once, with the reason given', async (t) => {
  const stop = new AbortController();
  const reason = new Error('enough');
  const engine = loadEngine() as { indexVideo: (path: string) => Promise<unknown> };
  const { indexVideo } = engine;
  // a file that takes for ever to be read
  engine.indexVideo = () => {
    setTimeout(() => stop.abort(reason), 10);
    return new Promise((resolve) => setTimeout(resolve, 5000).unref());
  };
  try {
    const start = performance.now();
    await t.throwsAsync(checkVideos({ data: file('videos'), signal: stop.signal }), { is: reason });
    t.true(performance.now() - start < 1000);
  } finally {
    engine.indexVideo = indexVideo;
  }
});

test('a deep check of a window decodes the pictures of that window', async (t) => {
  writeFileSync(file('videos/part.csv'), 'path,start,end\ngood.avi,1,2\ngood.avi,2.5,\n');
  const { files } = await checkVideos({ data: file('videos/part.csv'), deep: true });
  t.deepEqual(
    files.map(({ decoded }) => decoded),
    [25, 7],
  );
});
