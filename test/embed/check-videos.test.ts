import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { checkVideos } from '#src/embed/check-videos.js';
import { scratch, writeSquareVideo } from './make-videos.js';

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
