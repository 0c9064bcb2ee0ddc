/** Lists of videos as other programs and other systems write them. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { loadManifest } from '#src/data/manifest.js';

const folder = await mkdtemp(join(tmpdir(), 'vssl-lists-'));
test.after.always(() => rm(folder, { recursive: true }));

async function load(name: string, content: string | Buffer) {
  await writeFile(join(folder, name), content);
  const { rows } = await loadManifest(join(folder, name));
  return rows.map(({ id, label, group, start }) => [id, label, group, start]);
}

const expected = [
  ['walk/a, b.mp4', 'walk', 'g1', undefined],
  ['run/ü.mp4#1.5-', 'run', 'g2', 1.5],
];
const text = (separator: string) =>
  [
    ['path', 'label', 'group', 'start'],
    ['"walk/a, b.mp4"', ' walk ', 'g1', ''],
    ['run/ü.mp4', 'run', ' g2', '1.5 '],
  ]
    .map((line) => line.join(separator))
    .join('\r\n');

test('commas, semicolons and tabs, found by the header', async (t) => {
  t.deepEqual(await load('comma.csv', text(',')), expected);
  t.deepEqual(await load('semicolon.csv', text(';')), expected);
  t.deepEqual(await load('excel.csv', `sep=;\r\n${text(';')}\r\n;;;\r\n`), expected);
  t.deepEqual(await load('tab.tsv', text('\t')), expected);
  t.deepEqual(await load('tab.csv', text('\t')), expected);
  t.deepEqual(await load('one.csv', 'path\n a.mp4 \n'), [['a.mp4', undefined, undefined, undefined]]);
});

test('a list is read the same wherever the pieces end that it is read in', async (t) => {
  const long = 'x'.repeat(3000);
  const said = Array.from({ length: 600 }, (_, i) => ({
    id: `dir ${i % 7}/ü, "${i}"\n${long.slice(0, (i * 37) % 3000)}.mp4`,
    label: i % 3 === 0 ? undefined : `l${i % 5}`,
  }));
  const quote = (field: string) => `"${field.replaceAll('"', '""')}"`;
  const csv = said.map(({ id, label }) => `${quote(id)},${label ?? ''},${long}\n`).join('\n');
  t.true(csv.length > 2_000_000, 'many pieces');
  const jsonl = said.map(({ id, label }) => `${JSON.stringify({ path: id, label })}\n`).join('');
  const rows = said.map(({ id, label }) => [id, label, undefined, undefined]);
  t.deepEqual(await load('pieces.csv', `path,label,note\n${csv}`), rows);
  t.deepEqual(await load('pieces.jsonl', jsonl.trimEnd()), rows);
  for (const [name, content] of [
    ['pieces.csv', `path,label,note\n${csv}"open,x,y\n${long}\n`],
    ['pieces.csv', `path,label,note\n${csv}a,b\n`],
    ['pieces.jsonl', `${jsonl}{oops\n`],
  ] as const) {
    const before = content.slice(0, content.search(/"open|a,b\n$|\{oops/)).split('\n').length;
    await t.throwsAsync(load(name, content), { message: new RegExp(`line ${before}: `) });
  }
});

test('UTF-16 of either order with a byte order mark, UTF-8 with one', async (t) => {
  const little = Buffer.from(`\uFEFF${text(',')}`, 'utf16le');
  t.deepEqual(await load('little.csv', little), expected);
  t.deepEqual(await load('big.csv', Buffer.from(little).swap16()), expected);
  t.deepEqual(await load('eight.csv', `\uFEFF${text(',')}`), expected);
  const line = '{"path":"run/ü.mp4","label":"run"}\n';
  t.deepEqual(await load('little.jsonl', Buffer.from(`\uFEFF${line}`, 'utf16le')), [
    ['run/ü.mp4', 'run', undefined, undefined],
  ]);
  for (const bare of [little.subarray(2), Buffer.from(little.subarray(2)).swap16()])
    await t.throwsAsync(load('bare.csv', bare), {
      code: 'ERR_VSSL_DATA',
      message: /zero bytes; expected UTF-8, or UTF-16 that begins with a byte order mark/,
    });
});

test('paths written on Windows; a name with a backslash of its own is left alone', async (t) => {
  await mkdir(join(folder, 'jump'), { recursive: true });
  await writeFile(join(folder, 'jump/x.mp4'), '');
  await writeFile(join(folder, 'odd\\name.mp4'), '');
  await writeFile(join(folder, 'windows.csv'), 'path,label\njump\\x.mp4,jump\nodd\\name.mp4,odd\n');
  const { rows } = await loadManifest(join(folder, 'windows.csv'));
  t.deepEqual(
    rows.map(({ id, path }) => [id, path]),
    [
      ['jump/x.mp4', join(folder, 'jump/x.mp4')],
      ['odd\\name.mp4', join(folder, 'odd\\name.mp4')],
    ],
  );
  const packed =
    'path,frames,height,width,fps,flow\nclips\\a.rgb8,2,8,8,25,clips\\a.flow16\nclips/b.rgb8,2,8,8,25,\n';
  await writeFile(join(folder, 'packed.csv'), packed);
  const [first] = (await loadManifest(join(folder, 'packed.csv'))).rows;
  t.like(first!.source, {
    path: join(folder, 'clips/a.rgb8'),
    flow: { path: join(folder, 'clips/a.flow16') },
  });
});

test('malformed quotes are refused with file and line', async (t) => {
  for (const [content, line] of [
    ['path,label\na.mp4,"wa"lk\n', 2],
    ['path,label\na.mp4,walk\nb.mp4,wa"lk\n', 3],
    ['path;label\n"a\n.mp4";walk\n"b.mp4;walk\n', 4],
  ] as const)
    await t.throwsAsync(load('broken.csv', content), {
      code: 'ERR_VSSL_DATA',
      message: new RegExp(`broken\\.csv, line ${line}: the row .*quotation mark`),
    });
});

test('a list may name files whose names are not UTF-8, byte for byte', async (t) => {
  const [[id, label] = []] = await load(
    'latin.csv',
    Buffer.from('path,label\ncaf\xe9.mp4,\xe9t\xe9\n', 'latin1'),
  );
  t.is(id, 'caf\udce9.mp4');
  t.is(label, '\udce9t\udce9');
  const [[other] = []] = await load('latin.jsonl', Buffer.from('{"path":"caf\xe9.mp4"}\n', 'latin1'));
  t.is(other, id);
  const [[escaped] = []] = await load('escaped.jsonl', '{"path":"caf\\udce9.mp4"}\n');
  t.is(escaped, id);
});
