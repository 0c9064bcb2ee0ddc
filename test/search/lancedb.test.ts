/** The store in LanceDB gives what the folder of shards gives, to the bit. */
import { cpSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Rng } from '#src/data/rng.js';
import type { IndexEntry, SearchOptions } from '#src/search/index-options.js';
import { VideoIndex } from '#src/search/video-index.js';
import { scratch } from '../embed/make-videos.js';
import { DIM, ENCODER, entryOf, vectorOf } from './entries.js';
import { lanceTest } from './lance.js';

const { file, remove } = scratch();
test.after.always(remove);
const open = (name: string, options = {}) =>
  VideoIndex.open(file(name), { encoder: ENCODER, store: 'lancedb', ...options });

const rng = new Rng(7);
const randomVector = () => Float32Array.from({ length: DIM }, () => rng.next() - 0.5);

/** Windows at random; every third video shows what another shows, every tenth is two windows again and again. */
function randomEntries(count: number): IndexEntry[] {
  const entries: IndexEntry[] = [];
  for (let i = 0; i < count; i++) {
    const length = 1 + Math.floor(30 * rng.next());
    const twice = [randomVector(), randomVector()];
    const source = i % 3 === 2 ? entries[Math.floor(rng.next() * i)]!.windows : null;
    entries.push({
      path: `/data/${i % 4}/v${i}.mp4`,
      ...(i % 6 !== 5 && { label: `l${i % 5}` }),
      ...(i % 2 === 0 && { group: `g${i % 7}` }),
      ...(i % 3 === 0 && { extra: { room: i % 4, said: 'it "was"\nso' } }),
      ...(i % 11 === 3 && { part: [i, null] as const }),
      windows: Array.from({ length }, (_, w) => ({
        ...{ start: w / 2, end: w / 2 + 1 },
        vector: i % 10 === 7 ? twice[w % 2]! : (source?.[w]?.vector ?? randomVector()),
      })),
    });
  }
  entries.push({ path: '/whole', windows: [{ vector: randomVector() }] });
  return entries;
}

const videosOf = async (index: VideoIndex) => {
  const videos = [];
  for await (const video of index.videos()) videos.push(video);
  return videos;
};

/** Whatever is asked, both say the same. */
async function sameAnswers(
  t: ExecutionContext,
  flat: VideoIndex,
  lance: VideoIndex,
  queries: Float32Array[],
) {
  t.deepEqual(await videosOf(lance), await videosOf(flat));
  const [a, b] = [await lance.stats(), await flat.stats()];
  t.deepEqual([a.videos, a.windows], [b.videos, b.windows]);
  const filters: (NonNullable<SearchOptions['filter']> | undefined)[] = [
    undefined,
    { label: 'l1' },
    { path: '/data/[12]/*', group: ['g2', 'g4'] },
    { path: ['*1*', '*2*'], room: '3' },
    { said: 'it "was"*' },
    { label: 'none' },
  ];
  const scene = (from: number, count: number) =>
    queries.slice(from, from + count).map((vector, i) => ({ start: i / 2, end: i / 2 + 1, vector }));
  const asked = [queries[0]!, scene(2, 12), queries[1]!, scene(0, 3)];
  for (const [i, filter] of filters.entries())
    for (const [j, perVideo] of [false, true].entries())
      for (const top of [[1, 10_000], [7]][(i + j) % 2]!) {
        const query = asked[(i + (top === 1 ? 2 : 0) + j) % 4]!;
        const how = { top, perVideo, ...(filter && { filter }) };
        t.deepEqual(await lance.search(query, how), await flat.search(query, how), JSON.stringify(how));
      }
  const byVectors = { compare: 'vectors' } as const;
  t.deepEqual(await lance.duplicates(byVectors), await flat.duplicates(byVectors));
}

for (const type of ['fp16', 'fp32'] as const)
  lanceTest(
    `${type}: the same answers as the flat store gives, whatever was added and removed`,
    async (t) => {
      const flat = await VideoIndex.open(file(`flat-${type}`), { encoder: ENCODER, type });
      const lance = await open(`lance-${type}`, { type });
      const both = async <T>(work: (index: VideoIndex) => Promise<T>) =>
        t.deepEqual(await work(lance), await work(flat));
      const entries = randomEntries(80);
      for (let i = 0; i < entries.length; i += 20) await both((index) => index.add(entries.slice(i, i + 20)));
      const queries = [
        ...entries.slice(4, 16).flatMap(({ windows }) => windows.slice(0, 2).map(({ vector }) => vector)),
        randomVector(),
      ];
      await sameAnswers(t, flat, lance, queries);
      const again = randomEntries(9).slice(0, 9);
      for (const entry of again) await both((index) => index.add(entry));
      await both((index) => index.add([again[3]!, again[4]!, { ...again[3]!, label: 'last' }]));
      await both((index) => index.remove([entries[17]!.path, '/none', '/whole']));
      await both((index) => index.remove({ path: entries[14]!.path, part: [14, null] }));
      await both((index) => index.copy(entries[20]!.path, { path: '/copied "it\'s"', label: 'l1' }));
      await both((index) => index.copy('/none', { path: '/x' }));
      await sameAnswers(t, flat, lance, queries);
      await both((index) => index.compact());
      await sameAnswers(t, flat, lance, queries);
      await both((index) => index.add(entries[17]!));
      await flat.close();
      await lance.close();
      await t.throwsAsync(lance.stats(), { code: 'ERR_VSSL_DISPOSED' });
      const reader = await VideoIndex.open(file(`lance-${type}`));
      const other = await VideoIndex.open(file(`flat-${type}`));
      await sameAnswers(t, other, reader, queries);
      t.is((await reader.stats()).store, 'lancedb');
      await reader.close();
      await other.close();
    },
  );

lanceTest(
  'equal vectors come in the order in which they were committed; a whole video has no times',
  async (t) => {
    const index = await open('ties');
    const vector = vectorOf('same', 0);
    for (const path of ['/c', '/a', '/b']) await index.add({ path, windows: [{ vector }] });
    const paths = async () =>
      (await index.search(vector, { top: 2 })).map(({ path, start }) => [path, start]);
    t.deepEqual(await paths(), [
      ['/c', undefined],
      ['/a', undefined],
    ]);
    await index.add({ path: '/c', windows: [{ vector }] });
    await index.compact();
    t.deepEqual(
      (await paths()).map(([path]) => path),
      ['/a', '/b'],
    );
    t.deepEqual(await index.search(vector, { filter: { path: 'x' } }), []);
    await index.close();
  },
);

lanceTest('an index that is empty, and one that was emptied', async (t) => {
  const index = await open('empty');
  t.deepEqual(await index.search(vectorOf('a', 0)), []);
  t.deepEqual(await videosOf(index), []);
  await index.add(entryOf('/a', 3));
  t.is(await index.remove('/a'), 1);
  t.is(await index.remove('/a'), 0);
  t.deepEqual(await index.search(vectorOf('/a', 0), { perVideo: true }), []);
  const { videos, windows, gone } = await index.stats();
  t.deepEqual([videos, windows, gone], [0, 0, 0]);
  await index.compact();
  await index.close();
});

lanceTest('two that write in one process, and one that reads, see what the others commit', async (t) => {
  const [a, b] = [await open('shared'), await open('shared')];
  const reader = await VideoIndex.open(file('shared'));
  for (let i = 0; i < 5; i++) {
    await Promise.all([a.add(entryOf(`/a${i}`, 2)), b.add(entryOf(`/b${i}`, 3))]);
    t.is((await reader.stats()).windows, 5 * (i + 1));
  }
  await a.add(entryOf('/same', 4));
  await b.add(entryOf('/same', 6));
  for (const index of [a, b, reader]) {
    const hits = await index.search(vectorOf('/same', 1), { filter: { path: '/same' }, top: 100 });
    t.is(hits.length, 6, 'the later one is there, as a whole');
  }
  t.is(await a.remove('/same'), 1);
  t.is((await reader.search(vectorOf('/same', 1), { filter: { path: '/same' } })).length, 0);
  t.is(await b.remove(['/b0', '/a0']), 2);
  await a.compact();
  t.is((await reader.stats()).videos, 8);
  t.is((await reader.search(vectorOf('/b3', 2), { top: 1 }))[0]!.path, '/b3');
  await Promise.all([a.close(), b.close(), reader.close()]);
});

lanceTest('a search goes on while the table is put together anew', async (t) => {
  const writer = await open('busy');
  await writer.add(Array.from({ length: 50 }, (_, i) => entryOf(`/${i}`, 20)));
  const reader = await VideoIndex.open(file('busy'));
  let searches = 0;
  const searching = (async () => {
    for (; searches < 15; searches++) {
      const [hit] = await reader.search(vectorOf(`/${searches}`, 3), { top: 1 });
      t.is(hit!.path, `/${searches}`);
    }
  })();
  for (let i = 0; searches < 15; i++) {
    await writer.add(entryOf(`/more${i}`, 5));
    await writer.compact();
  }
  await searching;
  await writer.close();
  await reader.close();
});

lanceTest('another encoder, other windows and the other store are refused', async (t) => {
  const settings = { windows: { every: 1 }, clips: 1, crops: 1 } as const;
  await (await open('mine', { settings })).close();
  const code = 'ERR_VSSL_INDEX_MISMATCH';
  await t.throwsAsync(open('mine', { encoder: { digest: 'sha256:other', dim: DIM } }), { code });
  await t.throwsAsync(open('mine', { encoder: { ...ENCODER, dim: 8 } }), { code });
  await t.throwsAsync(open('mine', { settings: { ...settings, clips: 2 } }), { code });
  await t.throwsAsync(open('mine', { store: 'flat' }), { code, message: /the store 'lancedb', not 'flat'/ });
  await (await VideoIndex.open(file('old'), { encoder: ENCODER })).close();
  await t.throwsAsync(open('old'), { code });
  await (await VideoIndex.open(file('mine'))).close();
  mkdirSync(file('other'));
  writeFileSync(file('other/letter.txt'), 'x');
  await t.throwsAsync(open('other'), { code: 'ERR_VSSL_INDEX', message: /letter\.txt/ });
});

lanceTest('a damaged table is told: files that are missing, cut off, or not what was written', async (t) => {
  const index = await open('whole');
  for (let i = 0; i < 3; i++) await index.add(entryOf(`/${i}`, 40));
  await index.close();
  const under = (folder: string) =>
    (readdirSync(folder, { recursive: true }) as string[]).filter((name) =>
      statSync(join(folder, name)).isFile(),
    );
  const names = under(file('whole/lancedb')).filter((name) => /\/(data|_versions)\//.test(name));
  t.true(names.length >= 6, `${names}`);
  let refused = 0;
  const damages: Record<string, (path: string) => void> = {
    missing: (path) => rmSync(path),
    cut: (path) => truncateSync(path, Math.floor(statSync(path).size / 2)),
    overwritten: (path) => writeFileSync(path, Buffer.alloc(statSync(path).size, 0xa5)),
  };
  for (const [how, damage] of Object.entries(damages))
    for (const [n, name] of names.entries()) {
      const db = file(`${how}-${n}`);
      cpSync(file('whole'), db, { recursive: true });
      damage(join(db, 'lancedb', name));
      const found = await (async () => {
        await using opened = await VideoIndex.open(db);
        return await opened.search(vectorOf('/1', 5), { top: 200 });
      })().catch((error) => error);
      if (Array.isArray(found)) {
        // without its last manifest a table is as it was before the last commit
        const isEarlier = how === 'missing' && name.includes('_versions') && found.length % 40 === 0;
        t.true(found.length === 120 || isEarlier, `${how} ${name}: ${found.length}`);
      }
      if (!Array.isArray(found)) {
        t.is(found.code, 'ERR_VSSL_INDEX', `${how} ${name}: ${found.stack}`);
        t.regex(found.message, /table of LanceDB cannot be read .*another --db/);
        refused++;
      }
    }
  t.true(refused >= 10, `${refused} of ${3 * names.length}`);
  rmSync(file('whole/lancedb'), { recursive: true });
  await t.throwsAsync(VideoIndex.open(file('whole')), { code: 'ERR_VSSL_INDEX' });
});

lanceTest('without its header a table with videos is not written over', async (t) => {
  const index = await open('headless');
  await index.add(entryOf('/a', 3));
  await index.close();
  rmSync(file('headless/header.json'));
  await t.throwsAsync(open('headless'), { code: 'ERR_VSSL_INDEX', message: /3 windows/ });
});
