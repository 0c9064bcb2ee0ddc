// Copies of videos in tar shards, and of shards that a command prints, are the copies of the files in them.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { loadManifest } from '#src/data/manifest.js';
import { checkVideos } from '#src/prepare/check-videos.js';
import { prepare } from '#src/prepare/prepare.js';
import { scratch, writeSquareVideo } from '../embed/make-videos.js';
import { writeTar } from '../helpers/make-tar.js';

const { file, remove } = scratch();
test.after.always(remove);

const NAMES = ['a', 'b', 'broken'];
const FORMATS = ['raw', 'jpeg'] as const;

test.before(async () => {
  mkdirSync(file('videos'));
  await writeSquareVideo(file('videos/a.mp4'), (t) => [12, t]);
  await writeSquareVideo(file('videos/b.mp4'), (t) => [t, 20], { frames: 40, height: 51, width: 67 });
  writeFileSync(file('videos/broken.mp4'), 'no video at all');
  const said = { label: 'x', start: 0.2, note: 'one, two' };
  const list = NAMES.map((name) => `videos/${name}.mp4,x,0.2,"one, two"\n`);
  writeFileSync(file('set.csv'), `path,label,start,note\n${list.join('')}`);
  const members = NAMES.map((name) => [
    { name: `${name}.json`, body: JSON.stringify(said) },
    { name: `${name}.mp4`, body: readFileSync(file(`videos/${name}.mp4`)) },
  ]);
  await writeTar(file('clips-0.tar'), members[0]!);
  await writeTar(file('clips-1.tar'), members.slice(1).flat());
});

/** What a copy says of its rows, and the bytes of their files. */
async function contentOf(out: string) {
  const { rows } = await loadManifest(out);
  return rows.map(({ label, extra, source, path }) => {
    const { frames, height, width, fps } = source as Partial<Record<string, unknown>>;
    return { label, note: extra.note, shape: { frames, height, width, fps }, bytes: readFileSync(path) };
  });
}

for (const format of FORMATS)
  test(`${format}: of shards, and of commands that print them`, async (t) => {
    await prepare({ data: file('set.csv'), out: file(`${format}-files`), format });
    const expected = await contentOf(file(`${format}-files`));
    t.is(expected.length, 2);
    const cache = file(`${format}-cache`);
    for (const [name, data] of [
      ['tar', `tar:${file('clips-{0..1}.tar')}`],
      ['cached', `pipe?cache=${cache}:cat ${file('clips-{0..1}.tar')}`],
      ['piped', `pipe:cat ${file('clips-{0..1}.tar')}`],
    ] as const) {
      const out = file(`${format}-${name}`);
      const { videos, skipped } = await prepare({ data, out, format });
      t.is(videos, 2);
      t.deepEqual(
        skipped.map(({ code, path }) => [
          code,
          /clips-1\.tar\/broken\.mp4$|clips-1-\w+\.tar\/broken\.mp4$/.test(path),
        ]),
        [['ERR_VSSL_VIDEO_OPEN', true]],
      );
      t.deepEqual(await contentOf(out), expected, name);
      t.is((await prepare({ data, out, format })).reused, 2, name);
    }
    // the copy is read without the shards
    rmSync(cache, { recursive: true });
    t.is((await checkVideos({ data: file(`${format}-cached`), deep: true })).ok, 2);
  });

test('a member that changed is copied again', async (t) => {
  const shard = file('changing.tar');
  const body = (name: string) => ({ name: 'v.mp4', body: readFileSync(file(`videos/${name}.mp4`)) });
  await writeTar(shard, [body('a')]);
  const copy = { data: shard, out: file('changed'), format: 'jpeg' } as const;
  await prepare(copy);
  const [before] = await contentOf(copy.out);
  await writeTar(shard, [body('b')]);
  t.is((await prepare(copy)).reused, 0);
  const [after] = await contentOf(copy.out);
  t.notDeepEqual(after!.bytes, before!.bytes);
});

test('a command that is stopped while it prints shards ends with the reason', async (t) => {
  for (const call of [
    (signal: AbortSignal) => prepare({ data: 'pipe:exec sleep 1000', out: file('stopped'), signal }),
    (signal: AbortSignal) => checkVideos({ data: 'pipe:exec sleep 1000', signal }),
  ]) {
    const reason = new Error('enough');
    const stop = new AbortController();
    setTimeout(() => stop.abort(reason), 50);
    await t.throwsAsync(call(stop.signal), { is: reason });
  }
});
