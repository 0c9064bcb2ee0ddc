/** Tar shards as a data set: what is read of an archive, what is left out, and what is refused. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { encodeName } from '#src/data/file-names.js';
import { loadManifest } from '#src/data/manifest.js';
import type { VideoRow } from '#src/data/rows.js';
import { quickStamp, rowStamp, sourceKey } from '#src/data/source-key.js';
import { findMember } from '#src/data/tar/find-member.js';
import { VsslError } from '#src/errors.js';
import {
  END_MARK,
  encodeHeader,
  encodeMember,
  type MemberSpec,
  makeTar,
  withSum,
  writeTar,
} from '../helpers/make-tar.js';

const root = await mkdtemp(join(tmpdir(), 'vssl-tar-'));
test.after.always(() => rm(root, { recursive: true, force: true }));

let made = 0;
async function folder(): Promise<string> {
  const path = join(root, String(made++));
  await mkdir(path);
  return path;
}

async function shard(members: readonly MemberSpec[], name = 's.tar'): Promise<string> {
  const path = join(await folder(), name);
  await writeTar(path, members);
  return path;
}

const load = async (spec: string) => {
  const { rows, warnings } = await loadManifest(spec);
  return { rows, ids: rows.map(({ id }) => id), warnings: warnings.map((line) => line.replaceAll(root, '')) };
};

/** What a row's source says lies in its archive. */
async function bytesOf({ source }: VideoRow): Promise<string> {
  if (source.kind !== 'member') throw new Error('no member');
  return (await readFile(source.path)).toString('latin1', source.offset, source.offset + source.size);
}

const refuses = (t: ExecutionContext, spec: string, message: RegExp) =>
  t.throwsAsync(loadManifest(spec), { instanceOf: VsslError, code: 'ERR_VSSL_DATA', message });

test('keys, labels and columns from what stands beside a video', async (t) => {
  const path = await shard([
    { name: 'dog/001.mp4', body: 'first' },
    {
      name: 'dog/001.json',
      body: '{"label":"dog","group":7,"start":1,"end":2.5,"caption":"runs","path":"no"}',
    },
    { name: 'dog/001.cls', body: '3\n' },
    { name: '002.cls', body: '12' },
    { name: '002.txt', body: ' a cat \n' },
    { name: '002.cam1.MP4', body: 'second' },
    { name: '002.wav', body: 'sound' },
  ]);
  const { rows, ids, warnings } = await load(`tar:${path}`);
  t.deepEqual(ids, ['s.tar/dog/001#1-2.5', 's.tar/002']);
  t.deepEqual(warnings, []);
  const [dog, cat] = rows as [VideoRow, VideoRow];
  t.like(dog, { label: 'dog', group: '7', start: 1, end: 2.5, extra: { cls: '3', caption: 'runs' } });
  t.like(cat, { label: '12', group: undefined, start: undefined, extra: { cls: '12', txt: 'a cat' } });
  t.deepEqual([await bytesOf(dog), await bytesOf(cat)], ['first', 'second']);
  t.is(dog.path, `${path}/dog/001.mp4`);
  t.deepEqual((await load(`tar:${path}?caption=r*`)).ids, ['s.tar/dog/001#1-2.5']);
  t.deepEqual((await load(path)).ids, ids, 'a shard may be given by its own path');
});

test('names: pax, GNU, ustar prefix, not UTF-8, with dots and slashes; numbers of base 256', async (t) => {
  const deep = `${'folder/'.repeat(20)}clip`;
  const members = [
    { name: `${deep}-pax.mp4`, body: 'p' },
    { name: `${deep}-gnu.mp4`, body: 'g', long: 'gnu' },
    { name: `${deep}-ustar.mp4`, body: 'u', long: 'ustar' },
    { name: `caf\udce9/${deep}.mp4`, body: 'b' },
    { name: './/a/./b.mp4', body: 'dots' },
    { name: '/absolute.mp4', body: 'root' },
    { name: 'sized.mp4', body: 'sized by pax', size: 0, pax: { size: '12', comment: 'x\ny=z' } },
  ] as const;
  const path = await shard(members);
  const bytes = await readFile(path);
  const header = encodeHeader({ base: Buffer.from('base256.mp4'), type: '0', size: 0 });
  header.fill(0, 124, 136);
  header[124] = 0x80;
  header[135] = 4;
  const plain = encodeHeader({ base: Buffer.from('old.mp4'), type: '\0', size: 3 });
  plain.fill(0, 257, 512);
  const body = (text: string) => Buffer.from(text.padEnd(512, '\0'));
  await writeFile(
    path,
    Buffer.concat([
      bytes.subarray(0, -1024),
      withSum(header),
      body('four'),
      withSum(plain),
      body('old'),
      END_MARK,
    ]),
  );
  const { rows, ids } = await load(`tar:${path}`);
  t.deepEqual(ids, [
    ...['pax', 'gnu', 'ustar'].map((kind) => `s.tar/${deep}-${kind}`),
    `s.tar/caf\udce9/${deep}`,
    's.tar/a/b',
    's.tar/absolute',
    's.tar/sized',
    's.tar/base256',
    's.tar/old',
  ]);
  t.deepEqual(await Promise.all(rows.map(bytesOf)), [
    'p',
    'g',
    'u',
    'b',
    'dots',
    'root',
    'sized by pax',
    'four',
    'old',
  ]);
  for (const row of rows) t.deepEqual(await findMember(row.path), row.source as never, row.path);
  t.is(await findMember(join(path, 'absent.mp4')), null);
  t.is(await findMember(join(dirname(path), 'absent', 'x.mp4')), null);
});

test('shards by folder, braces and stars; names that stay the same', async (t) => {
  const base = await folder();
  await mkdir(join(base, 'b'));
  for (const name of ['c-10.tar', 'c-9.tar', 'b/c-1.tar', '.hidden.tar', 'notes.txt'])
    await writeTar(join(base, name), [{ name: 'k.mp4', body: name }]);
  t.deepEqual((await load(`tar:${base}`)).ids, ['b/c-1.tar/k', 'c-9.tar/k', 'c-10.tar/k']);
  t.deepEqual((await load(`tar:${base}/c-{09..10}.tar?missing=skip`)).ids, ['c-10.tar/k']);
  t.deepEqual((await load(`tar:${base}/c-{10,9}.tar`)).ids, ['c-10.tar/k', 'c-9.tar/k']);
  t.deepEqual((await load(`tar:${base}/*.tar`)).ids, ['c-9.tar/k', 'c-10.tar/k']);
  t.deepEqual((await load(`tar:${base}/*/c-*.tar`)).ids, ['b/c-1.tar/k']);
  const { warnings } = await load(`tar:${base}/c-{9..12}.tar?missing=skip`);
  t.regex(warnings.join(), /2 of 4 shards of .* are not there \(.*c-11.tar, .*c-12.tar\); left out/);
  await refuses(
    t,
    `tar:${base}/c-{9..12}.tar`,
    /2 of 4 shards .*get them, or leave them out: tar:.*missing=skip/,
  );
  await refuses(t, `tar:${base}/d-*.tar?missing=skip`, /1 of 1 shards .*check the path/);
  // names of many letters are counted too
  await refuses(t, `tar:${'folder/'.repeat(30)}c-{0..49999}.tar`, /50000 of 50000 shards/);
  await refuses(t, base, /tar:FOLDER/);
  await t.throwsAsync(loadManifest('tar:c-{0..999999999999}.tar'), { message: /at most 100000 shards/ });
  await t.throwsAsync(loadManifest('tar:'), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});

test('keys that cannot be used cost themselves', async (t) => {
  const path = await shard([
    { name: 'good.mp4' },
    { name: 'two.mp4' },
    { name: 'two.webm' },
    { name: 'cams.left.mp4' },
    { name: 'cams.right.mp4' },
    { name: 'none.json', body: '{}' },
    { name: 'broken.mp4' },
    { name: 'broken.json', body: '{"label":' },
    { name: 'list.mp4' },
    { name: 'list.json', body: '[1]' },
    { name: 'window.mp4' },
    { name: 'window.json', body: '{"start":3,"end":2}' },
    { name: 'large.mp4' },
    { name: 'large.txt', body: Buffer.alloc((1 << 20) + 1, 'x') },
    { name: 'link.mp4', type: '1' },
    { name: 'sparse.mp4', type: '0', pax: { 'GNU.sparse.major': '1', 'GNU.sparse.name': 'sparse.mp4' } },
    { name: 'null.mp4', type: '3' },
    { name: '../out.mp4' },
    { name: '._good.mp4' },
    { name: 'README' },
    { name: 'folder.mp4/', type: '5' },
    { name: 'good.mp4', body: 'the last of a name is meant' },
  ]);
  const { ids, rows, warnings } = await load(`tar:${path}`);
  t.deepEqual(ids, ['s.tar/good']);
  t.is(await bytesOf(rows[0]!), 'the last of a name is meant');
  const shown = warnings.join('\n');
  for (const part of [
    '2 keys in .* left out: more than one video; .video=SUFFIX says which .s.tar/two, s.tar/cams',
    '1 key in .* no member with the suffix of a video.* .s.tar/none',
    '4 keys in .* left out: what stands beside the video cannot be used .s.tar/broken: its .json is not JSON',
    's.tar/window: it ends at 2 s, not after its start at 3 s',
    '1 link in .* .s.tar/link.mp4',
    '1 sparse file in .* .s.tar/sparse.mp4',
    '1 device in .* .s.tar/null.mp4',
    '1 member in .* left out: the name leads out of the archive .s.tar/../out.mp4',
    '1 hidden file or folder in .* .s.tar/._good.mp4',
    '1 file .no suffix. in',
  ])
    t.regex(shown, new RegExp(part));
  t.deepEqual((await load(`tar:${path}?video=left.mp4,webm`)).ids, ['s.tar/two', 's.tar/cams']);
  await refuses(t, `tar:${path}?video=ogg`, /there is no video in .*\?video=SUFFIX/);
});

test('archives that are cut, damaged, compressed or none', async (t) => {
  const members = [
    { name: 'a.mp4', body: Buffer.alloc(1000, 'a') },
    { name: 'b.mp4', body: Buffer.alloc(3000, 'b') },
  ];
  const whole = makeTar(members);
  const attempt = async (bytes: Buffer) => {
    const path = join(await folder(), 's.tar');
    await writeFile(path, bytes);
    return path;
  };
  // in a body, in a header, in a long name
  const body = await attempt(whole.subarray(0, 2048 + 700));
  await refuses(t, `tar:${body}`, /s\.tar ends in the middle, in 'b\.mp4' \(byte 2748\).*\?damaged=skip/);
  const kept = await load(`tar:${body}?damaged=skip`);
  t.deepEqual(kept.ids, ['s.tar/a']);
  t.regex(kept.warnings.join(), /ends in the middle.*the 1 members before that are used/);
  await refuses(
    t,
    `tar:${await attempt(whole.subarray(0, 1536 + 100))}`,
    /in a header, after 'a\.mp4' \(byte 1536\)/,
  );
  const long = encodeMember({ name: `${'n'.repeat(600)}.mp4`, long: 'gnu' });
  await refuses(
    t,
    `tar:${await attempt(Buffer.concat([encodeMember(members[0]!), long.subarray(0, 800)]))}`,
    /in a name, after 'a\.mp4'/,
  );
  // a whole archive without its end mark
  t.deepEqual((await load(`tar:${await attempt(whole.subarray(0, -1024))}`)).ids, ['s.tar/a', 's.tar/b']);
  const bits = Buffer.from(whole);
  bits[1540] = bits[1540]! ^ 4;
  await refuses(t, `tar:${await attempt(bits)}`, /is damaged at byte 1536, after 'a\.mp4'/);
  for (const size of [2 ** 45, Number.MAX_SAFE_INTEGER])
    await refuses(
      t,
      `tar:${await attempt(encodeMember({ name: 'huge.mp4', size }))}`,
      /ends in the middle, in 'huge.mp4'/,
    );
  await refuses(t, `tar:${await attempt(gzipSync(whole))}`, /is compressed with gzip.*unpack it/);
  await refuses(t, `tar:${await attempt(Buffer.alloc(0))}`, /is empty/);
  await refuses(t, `tar:${await attempt(Buffer.alloc(5000, 'x'))}`, /is no tar file/);
  await refuses(t, `tar:${await attempt(Buffer.alloc(10_240))}`, /there is no video in/);
  await refuses(
    t,
    `tar:${await attempt(encodeMember({ name: 'a.mp4', pax: { size: '-5' } }))}`,
    /is damaged at byte/,
  );
});

test('a source is its archive, its place and its name, and changes with the archive', async (t) => {
  const path = await shard([
    { name: 'a.mp4', body: 'one' },
    { name: 'b.mp4', body: 'two' },
  ]);
  const [a, b] = (await load(`tar:${path}`)).rows as [VideoRow, VideoRow];
  t.not(sourceKey(a.source), sourceKey(b.source));
  t.is(await quickStamp(a.source), await quickStamp(b.source));
  t.not(await rowStamp(a), await rowStamp(b));
  const before = await rowStamp(a);
  await writeTar(path, [{ name: 'a.mp4', body: 'others' }, { name: 'c.mp4' }, { name: 'd.mp4' }]);
  t.not(await rowStamp(a), before);
});

test('what the system makes', async (t) => {
  const videos = await folder();
  await mkdir(join(videos, 'walk'));
  const names = ['walk/a.mp4', 'walk/a.cls', `walk/${'long'.repeat(40)}.mp4`, 'caf\udce9.mp4'];
  for (const name of names)
    await writeFile(encodeName(join(videos, name)), name.endsWith('.cls') ? 'walk' : basename(name));
  const hasTar = (() => {
    try {
      return execFileSync('tar', ['--version'], { encoding: 'utf8' }).includes('GNU');
    } catch {
      return false;
    }
  })();
  if (!hasTar) return t.pass('no tar here');
  for (const format of ['gnu', 'pax', 'posix']) {
    const path = join(await folder(), `${format}.tar`);
    execFileSync('tar', ['-C', videos, `--format=${format}`, '-cf', path, '.']);
    const { rows } = await load(`tar:${path}`);
    const sorted = rows.map((row) => [row.id.slice(format.length + 5), row.label] as const).sort();
    t.deepEqual(sorted, [
      ['caf\udce9', undefined],
      ['walk/a', 'walk'],
      [`walk/${'long'.repeat(40)}`, undefined],
    ]);
    const a = rows.find(({ label }) => label === 'walk')!;
    t.is(await bytesOf(a), 'a.mp4');
  }
});
