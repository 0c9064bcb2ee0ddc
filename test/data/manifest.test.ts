import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import { loadManifest } from '#src/data/manifest.js';
import { listLabels } from '#src/data/rows.js';

/** A folder with these (empty) files, removed after the test. */
async function makeFolder(
  t: { teardown(f: () => Promise<void>): void },
  files: Record<string, string> | string[],
) {
  const folder = await mkdtemp(join(tmpdir(), 'manifest-'));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const [name, text] of Array.isArray(files)
    ? files.map((f) => [f, ''] as const)
    : Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

const ids = (manifest: { rows: readonly { id: string }[] }) => manifest.rows.map((row) => row.id);

test('class folders: label is the first folder, names in natural order', async (t) => {
  const folder = await makeFolder(t, [
    'walk/v10.mp4',
    'walk/v2.mp4',
    'run/a.webm',
    'run/deep/b.avi',
    'run/notes.txt',
    '.hidden/x.mp4',
  ]);
  const manifest = await loadManifest(folder);
  t.deepEqual(
    manifest.rows.map((row) => [row.id, row.label]),
    [
      ['run/a.webm', 'run'],
      ['run/deep/b.avi', 'run'],
      ['walk/v2.mp4', 'walk'],
      ['walk/v10.mp4', 'walk'],
    ],
  );
  t.deepEqual(manifest.rows[2]!.source, { kind: 'file', path: join(folder, 'walk/v2.mp4') });
  t.deepEqual(listLabels(manifest.rows), ['run', 'walk']);
  t.is(manifest.warnings.length, 2);
  t.regex(manifest.warnings[0]!, /1 file \.txt/);
  t.regex(manifest.warnings[1]!, /1 hidden .*\(\.hidden\)/);
});

test('a flat folder has no labels; a CSV in it is pointed out', async (t) => {
  const folder = await makeFolder(t, ['a.mp4', 'b.h264', 'c.gif', 'd.ts', 'list.csv']);
  const manifest = await loadManifest(folder);
  t.deepEqual(ids(manifest), ['a.mp4', 'b.h264', 'c.gif', 'd.ts']);
  t.true(manifest.rows.every((row) => row.label === undefined));
  t.true(manifest.warnings.some((w) => w.includes('manifest')));
});

test('a folder of pictures is one video; pictures beside videos are not', async (t) => {
  const folder = await makeFolder(t, [
    'jump/clip1/f10.jpg',
    'jump/clip1/f9.jpg',
    'jump/clip1/f1.PNG',
    'jump/v.mp4',
    'jump/poster.jpg',
  ]);
  const manifest = await loadManifest(`${folder}?fps=12`);
  t.deepEqual(ids(manifest), ['jump/clip1', 'jump/v.mp4']);
  t.deepEqual(manifest.rows[0]!.source, {
    kind: 'images',
    files: ['f1.PNG', 'f9.jpg', 'f10.jpg'].map((f) => join(folder, 'jump/clip1', f)),
    fps: 12,
  });
  t.is(manifest.rows[0]!.label, 'jump');
  const single = await loadManifest(join(folder, 'jump/clip1'));
  t.deepEqual(ids(single), ['.']);
  await t.throwsAsync(loadManifest(`${folder}?fps=0`), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});

test('links to folders are followed, circles end', async (t) => {
  const folder = await makeFolder(t, ['a/x.mp4']);
  await symlink(folder, join(folder, 'a', 'loop'));
  await symlink(join(folder, 'gone'), join(folder, 'a', 'broken.mp4'));
  t.deepEqual(ids(await loadManifest(folder)), ['a/x.mp4']);
});

test('CSV: paths relative to the manifest, further columns kept, windows in the id', async (t) => {
  const folder = await makeFolder(t, {
    'sub/m.csv':
      'path,label,group,start,end,note\r\n' +
      '"clips/a, b.mp4",walk,g1,,,"says ""hi"""\r\n' +
      'clips/c.mp4,run,g2,1.5,3,\r\n' +
      '/abs/d.mp4,,,,,x\r\n',
  });
  const manifest = await loadManifest(join(folder, 'sub/m.csv'));
  const [a, c, d] = manifest.rows;
  t.deepEqual(
    [a!.id, a!.label, a!.group, a!.start, a!.extra.note],
    ['clips/a, b.mp4', 'walk', 'g1', undefined, 'says "hi"'],
  );
  t.is(a!.path, join(folder, 'sub/clips/a, b.mp4'));
  t.deepEqual([c!.id, c!.start, c!.end], ['clips/c.mp4#1.5-3', 1.5, 3]);
  t.deepEqual([d!.path, d!.label, d!.group], ['/abs/d.mp4', undefined, undefined]);
});

test('JSON lines with the same keys', async (t) => {
  const folder = await makeFolder(t, {
    'm.jsonl': '{"path":"a.mp4","label":3,"fold":1}\n\n{"path":"b.mp4","label":"x","start":2}\n',
  });
  const manifest = await loadManifest(join(folder, 'm.jsonl'));
  t.deepEqual(
    manifest.rows.map((row) => [row.id, row.label, row.start, row.extra.fold]),
    [
      ['a.mp4', '3', undefined, 1],
      ['b.mp4#2-', 'x', 2, undefined],
    ],
  );
  t.deepEqual(ids(await loadManifest(`${join(folder, 'm.jsonl')}?fold=1`)), ['a.mp4']);
});

test('a manifest may name folders of pictures, with a rate of their own', async (t) => {
  const folder = await makeFolder(t, {
    'm.csv': 'path,fps\nframes,10\nother,\n',
    'frames/2.jpg': '',
    'frames/1.jpg': '',
    'other/1.jpg': '',
  });
  const { rows } = await loadManifest(join(folder, 'm.csv'));
  t.deepEqual(rows[0]!.source, {
    kind: 'images',
    files: [join(folder, 'frames/1.jpg'), join(folder, 'frames/2.jpg')],
    fps: 10,
  });
  t.is((rows[1]!.source as { fps: number }).fps, 25);
});

test('a folder of pictures is one whatever its name looks like, and a file without a suffix is a file', async (t) => {
  const names = ['clip_v1.2', 'take.mp4', 'x.csv', 'y.rgb8', 'z.png', '50%d?x'];
  const videos = Array.from({ length: 30 }, (_, i) => `v${i}`); // more than are looked at one by one
  const folder = await makeFolder(t, {
    'm.csv': `path\n${[...videos, ...names].join('\n')}\nabsent.mp4\n`,
    ...Object.fromEntries(names.map((name) => [`${name}/1.jpg`, ''])),
    ...Object.fromEntries(videos.map((name) => [name, ''])),
  });
  const kinds = (rows: readonly { source: { kind: string } }[]) => rows.map(({ source }) => source.kind);
  const { rows } = await loadManifest(join(folder, 'm.csv'));
  t.deepEqual(kinds(rows), [...videos.map(() => 'file'), ...names.map(() => 'images'), 'file']);
  const inside = await loadManifest(join(folder, '50%d?x'));
  t.deepEqual(kinds(inside.rows), ['images']);
  const walked = await loadManifest(folder);
  t.deepEqual(
    walked.rows.filter(({ source }) => source.kind === 'images').map(({ id }) => id),
    [...names].sort(),
  );
});

test('a query keeps the rows in which every column matches one of its globs', async (t) => {
  const folder = await makeFolder(t, {
    'm.csv': 'path,label,group,note\na,walk,set1_01,\nb,walk,set2_01,n\nc,run,c07,n\nd,run,c17,\ne,,,\n',
  });
  const load = async (query: string) => ids(await loadManifest(`${join(folder, 'm.csv')}?${query}`));
  t.deepEqual(await load('group=set1_*,c0?'), ['a', 'c']);
  t.deepEqual(await load('group=set1_*,c0?&label=walk'), ['a']);
  t.deepEqual(await load('label=*'), ['a', 'b', 'c', 'd']);
  t.deepEqual(await load('note=n'), ['b', 'c']);
  t.deepEqual(await load(''), ['a', 'b', 'c', 'd', 'e']);
});

test('query errors teach', async (t) => {
  const folder = await makeFolder(t, { 'm.csv': 'path,label\na,walk\nb,run\n' });
  const path = join(folder, 'm.csv');
  const none = await t.throwsAsync(loadManifest(`${path}?label=jump`), { code: 'ERR_VSSL_DATA' });
  t.regex(none!.message, /label=jump; values there: walk, run/);
  const unknown = await t.throwsAsync(loadManifest(`${path}?lable=walk`), { code: 'ERR_VSSL_USAGE' });
  t.regex(unknown!.message, /no column 'lable'.*path, label, group.*did you mean 'label'\?/);
  t.notRegex(unknown!.message, /options/);
  await t.throwsAsync(loadManifest(`${path}?label`), { code: 'ERR_VSSL_USAGE' });
  await t.throwsAsync(loadManifest(`${path}?label=a&label=b`), { code: 'ERR_VSSL_USAGE' });
});

test('broken manifests say where and what', async (t) => {
  const cases: readonly [text: string, message: RegExp][] = [
    ['file,label\na,b\n', /no column 'path'/],
    ['path,path\na,b\n', /column 'path' twice/],
    ['path,label\na\n', /line 2: the row has 1 fields where the header has 2/],
    ['path,start\na,x\n', /line 2: the row has start 'x'/],
    ['path,start,end\na,3,2\n', /ends at 2 s, which is not after its start at 3 s/],
    ['path,label\n,walk\n', /line 2: the row has no 'path'/],
    ['path\n', /there is no video/],
    ['', /no column 'path'/],
  ];
  for (const [text, message] of cases) {
    const folder = await makeFolder(t, { 'm.csv': text });
    const error = await t.throwsAsync(loadManifest(join(folder, 'm.csv')), { code: 'ERR_VSSL_DATA' });
    t.regex(error!.message, message);
  }
  const folder = await makeFolder(t, { 'm.jsonl': '{"path":"a"}\n{oops\n', 'n.jsonl': '[1]\n' });
  t.regex(
    (await t.throwsAsync(loadManifest(join(folder, 'm.jsonl'))))!.message,
    /line 2: the row is not JSON/,
  );
  t.regex(
    (await t.throwsAsync(loadManifest(join(folder, 'n.jsonl'))))!.message,
    /line 1: the row is not an object/,
  );
});

test('nothing there is ERR_VSSL_DATA', async (t) => {
  const folder = await makeFolder(t, ['a.txt', 'm.json']);
  await mkdir(join(folder, 'empty'));
  for (const spec of [
    join(folder, 'gone'),
    join(folder, 'empty'),
    folder,
    join(folder, 'm.json'),
    'nosuch:thing?x=1',
  ]) {
    await t.throwsAsync(loadManifest(spec), { code: 'ERR_VSSL_DATA' }, spec);
  }
  t.regex((await t.throwsAsync(loadManifest(join(folder, 'gone'))))!.message, /no such file or folder/);
});

test('a single file is a manifest of one; a question mark in its name is taken as it is', async (t) => {
  const folder = await makeFolder(t, ['what?.mp4', 'plain.mkv']);
  t.deepEqual(ids(await loadManifest(join(folder, 'plain.mkv'))), ['plain.mkv']);
  t.deepEqual(ids(await loadManifest(join(folder, 'what?.mp4'))), ['what?.mp4']);
});

test('a video that stands twice counts once', async (t) => {
  const folder = await makeFolder(t, { 'm.csv': 'path,start,end\na,,\na,0,1\na,,\n' });
  const manifest = await loadManifest(join(folder, 'm.csv'));
  t.deepEqual(ids(manifest), ['a', 'a#0-1']);
  t.regex(manifest.warnings[0]!, /1 rows/);
});

test('synthetic:motion is a set without files; sizes and seeds by query, labels filtered as usual', async (t) => {
  const manifest = await loadManifest(
    'synthetic:motion?count=32&seed=3&split=test&pixels=48&seconds=1&fps=10',
  );
  t.is(manifest.rows.length, 32);
  t.is(listLabels(manifest.rows).length, 16);
  t.is(new Set(ids(manifest)).size, 32);
  const row = manifest.rows[5]!;
  t.is(row.source.kind, 'synthetic');
  t.regex(row.group!, /^sprite\d+$/);
  t.deepEqual(
    [row.facts!.width, row.facts!.height, row.facts!.times.length, row.facts!.end],
    [48, 48, 10, 1],
  );
  t.deepEqual(await loadManifest(manifest.spec), manifest);
  const some = await loadManifest('synthetic:motion?count=32&label=left,right');
  t.deepEqual(listLabels(some.rows), ['left', 'right']);
  t.is(some.rows.length, 4);
  for (const spec of [
    'synthetic:motoin',
    'synthetic:motion?count=x',
    'synthetic:motion?count=0',
    'synthetic:motion?count=1e10',
    'synthetic:motion?seed=-1',
  ]) {
    await t.throwsAsync(loadManifest(spec), { code: 'ERR_VSSL_INVALID_ARGUMENT' }, spec);
  }
  await t.throwsAsync(loadManifest('synthetic:motion?pixels=4'), { message: /8 to 4096 for pixels/ });
  await t.throwsAsync(loadManifest('synthetic:motion?conut=3'), {
    code: 'ERR_VSSL_USAGE',
    message: /options count, seed, split.*did you mean 'count'\?/,
  });
});
