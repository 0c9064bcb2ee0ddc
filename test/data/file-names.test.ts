import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { decodeName, encodeName, fsPath } from '#src/data/file-names.js';
import { loadManifest } from '#src/data/manifest.js';

test('names that are UTF-8 are themselves, whatever they hold', (t) => {
  for (const name of ['a.mp4', 'é', '走る', '🎬.mp4', '\uFFFD', '\uE080', '𝒳\u{1F480}', '']) {
    t.is(decodeName(Buffer.from(name)), name);
    t.is(fsPath(name), name);
    t.deepEqual(encodeName(name), Buffer.from(name));
  }
});

test('any bytes come back as they were, through JSON too', (t) => {
  const cases = [
    [0xe9],
    [0x61, 0xe9, 0x62],
    [0xff, 0xfe, 0x80],
    [0xc3],
    [0xc3, 0xa9, 0xc3],
    [0xed, 0xa0, 0x80], // a surrogate in UTF-8, which is none
    [0xed, 0xb2, 0x80],
    [0xf0, 0x9f, 0x8e],
    [0xf0, 0x9f, 0x8e, 0xac, 0xff],
    [0xc0, 0xaf],
    [0xf5, 0x80, 0x80, 0x80],
    [0xef, 0xbf, 0xbd, 0xff],
    Array.from({ length: 255 }, (_, i) => i + 1),
    [0xf0, 0x90, 0x80, 0x80, 0x80], // a pair, then a byte that must not become a part of it
  ];
  for (const bytes of cases) {
    const name = decodeName(Uint8Array.from(bytes));
    const travelled = JSON.parse(Buffer.from(JSON.stringify(name)).toString()) as string;
    t.is(travelled, name);
    t.deepEqual([...encodeName(travelled)], bytes);
    t.deepEqual(Buffer.from(fsPath(name)), Buffer.from(bytes));
  }
  t.is(decodeName(Buffer.from([0x63, 0xe9])), 'c\udce9', "Python's surrogateescape");
});

test('a folder walk finds such names, and they open', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'vssl-names-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const bytes = (...parts: (string | number[])[]) =>
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));
  const label = bytes(folder, '/d', [0xe9]);
  await mkdir(label);
  await writeFile(bytes(folder, '/d', [0xe9], '/v', [0xff], '.mp4'), 'one');
  await writeFile(bytes(folder, '/d', [0xe9], '/v', [0xfe], '.mp4'), 'two');
  await mkdir(bytes(folder, '/p', [0x80]));
  await writeFile(bytes(folder, '/p', [0x80], '/', [0x81], '.png'), 'three');
  const { rows } = await loadManifest(folder);
  t.deepEqual(
    rows.map(({ id, label }) => [id, label]),
    [
      ['d\udce9/v\udcfe.mp4', 'd\udce9'],
      ['d\udce9/v\udcff.mp4', 'd\udce9'],
      ['p\udc80', undefined],
    ],
  );
  const files = rows.flatMap(({ source }) =>
    source.kind === 'images' ? source.files : source.kind === 'file' ? [source.path] : [],
  );
  const contents = await Promise.all(files.map((file) => readFile(fsPath(file), 'utf8')));
  t.deepEqual(contents, ['two', 'one', 'three']);
});
