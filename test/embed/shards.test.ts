/** Parts of a data set embedded by jobs of their own, and put together again. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { parseShard, rowsOfShard } from '#src/data/shard.js';
import { embedToFile } from '#src/embed/embed-to-file.js';
import { mergeEmbeddings } from '#src/embed/merge-embeddings.js';
import { train } from '#src/train/train.js';
import { makeTinyVideos, tinyConfig } from '../helpers/tiny-run.js';

const root = await mkdtemp(join(tmpdir(), 'vssl-shards-'));
const { folder } = await makeTinyVideos(7);
const at = (name: string) => join(root, name);

test('shards are whole stretches, cover all rows once and differ by one row at most', (t) => {
  for (const rows of [0, 1, 5, 16, 17])
    for (const count of [1, 2, 3, 8, 20]) {
      const all = Array.from({ length: rows }, (_, i) => i);
      const parts = Array.from({ length: count }, (_, index) => rowsOfShard(all, { index, count }));
      t.deepEqual(parts.flat(), all);
      const sizes = parts.map(({ length }) => length);
      t.true(Math.max(...sizes) - Math.min(...sizes) <= 1);
    }
});

test('what is no shard is refused, and told how one looks', (t) => {
  t.deepEqual(parseShard('3/8'), { index: 3, count: 8 });
  for (const text of ['8/8', '1', 'a/b', '-1/2', '0/0', '1/2/3', '', '1.5/2'])
    t.throws(() => parseShard(text), { code: 'ERR_VSSL_INVALID_ARGUMENT', message: /as 0\/8 to 7\/8/ }, text);
});

test.serial('embedded in parts and merged: the bytes of one job', async (t) => {
  const run = at('run');
  await train({
    ...tinyConfig({ train: { steps: 1 } }),
    out: run,
    data: { ...tinyConfig().data, path: folder },
  }).result;
  const given = { weights: run, data: folder, clips: 1, threads: 1 } as const;
  for (const suffix of ['safetensors', 'jsonl']) {
    const whole = at(`whole.${suffix}`);
    await embedToFile({ ...given, out: whole });
    const files = [2, 0, 1].map((index) => at(`part-${index}.${suffix}`));
    for (const index of [0, 1, 2])
      await embedToFile({ ...given, shard: `${index}/3`, out: at(`part-${index}.${suffix}`) });
    const order = suffix === 'jsonl' ? [...files].sort() : files;
    const { count } = await mergeEmbeddings(order, at(`merged.${suffix}`));
    t.true(count >= 7);
    t.true((await readFile(whole)).equals(await readFile(at(`merged.${suffix}`))), suffix);
  }
  // of some of these shards no video can be used: their files are empty
  const single = Array.from({ length: 9 }, (_, index) => at(`single-${index}.safetensors`));
  const counts: number[] = [];
  for (const [index, out] of single.entries())
    counts.push((await embedToFile({ ...given, shard: `${index}/9`, out })).count);
  t.is(counts[0], 0);
  await mergeEmbeddings(single, at('single.safetensors'));
  t.true((await readFile(at('whole.safetensors'))).equals(await readFile(at('single.safetensors'))));
  const part = (index: number) => at(`part-${index}.safetensors`);
  const refused = async (files: string[], message: RegExp, out = at('no.safetensors')) =>
    await t.throwsAsync(mergeEmbeddings(files, out), { code: 'ERR_VSSL_USAGE', message });
  await refused([part(0), part(2)], /of 3 shards 1\/3 are missing/);
  await refused([part(0), part(0), part(1), part(2)], /are both shard 0\/3/);
  await refused([at('whole.safetensors')], /was not written by 'embed --shard'/);
  await refused([part(0), at('part-1.jsonl')], /is not of the format/);
  await refused([part(0)], /is one of the files to merge/, part(0));
  await refused([], /no file to merge/);
  await embedToFile({ ...given, clips: 2, shard: '1/3', out: at('other.safetensors') });
  await refused([part(0), at('other.safetensors'), part(2)], /clips is 2 in one and 1 in the other/);
  await writeFile(at('cut.jsonl'), '{"path":');
  await refused([at('cut.jsonl')], /ends in the middle of a line/, at('no.jsonl'));
  await t.throwsAsync(mergeEmbeddings([at('absent.jsonl')], at('no.jsonl')), {
    code: 'ERR_VSSL_FILE',
    message: /absent\.jsonl is not there/,
  });
});
