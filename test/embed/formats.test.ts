/** Files of vectors: what is written is read back, whatever the format and the names. */
import { readFile, writeFile } from 'node:fs/promises';
import test from 'ava';
import { formatOf } from '#src/embed/formats/index.js';
import type { EmbeddingRecord } from '#src/embed/formats/record.js';
import { scratch } from './make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

const dim = 3;
const records: EmbeddingRecord[] = ['plain.mp4', 'a, "b"\nc.mp4', 'Grüße 🎬.mp4', "it's.mp4"].flatMap(
  (name, i) =>
    [0, 1].map((window) => ({
      ...{ path: `/videos/${name}`, id: name, label: i === 0 ? 'a' : undefined, group: undefined },
      ...{ start: i === 3 ? undefined : window * 1.25, end: i === 3 ? undefined : window + 2 },
      ...{ stamp: `5e77 ${i}`, vector: Float32Array.of(i, window / 3, -1e-20) },
    })),
);
const about = { dim, entries: { format: 'vssl-embeddings', arch: 'r3d_10' } };

for (const suffix of ['safetensors', 'jsonl', 'csv', 'npy', 'parquet'])
  test(`${suffix}: what is written is read back`, async (t) => {
    const out = file(`all.${suffix}`);
    const format = formatOf(out);
    t.is(format.name as string, suffix);
    await format.check?.();
    await format.write(out, records, about);
    t.deepEqual(
      await format.read(out),
      records.map(({ label: _, group: __, ...kept }) => kept),
    );
    await format.write(file(`none.${suffix}`), [], about);
    t.deepEqual(await format.read(file(`none.${suffix}`)), []);
    await writeFile(file(`other.${suffix}`), 'something else');
    await t.throwsAsync(format.read(file(`other.${suffix}`)));
  });

test('npy: the bytes that numpy.save writes', async (t) => {
  const out = file('numpy.npy');
  await formatOf(out).write(out, records.slice(0, 2), about);
  const bytes = await readFile(out);
  t.is(bytes.toString('latin1', 0, 8), '\x93NUMPY\x01\x00');
  const text = bytes.toString('latin1', 10, 128);
  t.is(bytes.readUInt16LE(8), 118);
  t.is(text.trimEnd(), "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
  t.is(text.at(-1), '\n');
  t.is(bytes.length, 128 + 2 * 3 * 4);
  t.is(bytes.readFloatLE(128 + 4 * 4), Math.fround(1 / 3));
  const names = (await readFile(`${out}.jsonl`, 'utf8')).trimEnd().split('\n');
  t.deepEqual(
    names.map((line) => JSON.parse(line).start),
    [0, 1.25],
  );
});

test('another suffix is refused with those that there are', (t) => {
  for (const out of ['vectors.txt', 'vectors', '', null])
    t.throws(() => formatOf(out), { code: 'ERR_VSSL_INVALID_ARGUMENT', message: /\.safetensors, .*\.csv/ });
});
