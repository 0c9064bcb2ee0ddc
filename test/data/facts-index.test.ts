import { appendFile, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { FactsIndex } from '#src/data/facts-index.js';
import type { VideoFacts } from '#src/data/plan.js';
import type { VideoRow } from '#src/data/rows.js';
import { decodeTimes, encodeTimes } from '#src/data/times-codec.js';

function rowOf(path: string): VideoRow {
  return {
    id: path,
    path,
    label: undefined,
    group: undefined,
    start: undefined,
    end: undefined,
    extra: {},
    source: { kind: 'file', path },
  };
}

async function setup(t: { teardown(f: () => Promise<void>): void }) {
  const folder = await mkdtemp(join(tmpdir(), 'facts-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, 'a.mp4');
  await writeFile(path, 'one');
  let reads = 0;
  const readFacts = async (row: VideoRow): Promise<VideoFacts> => {
    reads++;
    if (row.path.includes('bad')) throw new Error('bad file');
    const times = Float64Array.from({ length: 5 }, (_, i) => i / 25);
    return { path: row.path, codec: 'h264', width: 32, height: 24, times, end: 0.2, warnings: ['w'] };
  };
  const cacheFile = join(folder, 'cache', 'index.jsonl');
  const open = (generation = 'v1') => FactsIndex.open({ readFacts, cacheFile, generation });
  return { folder, path, cacheFile, open, reads: () => reads };
}

test('a file is looked into once, in one process and the next', async (t) => {
  const { path, open, reads } = await setup(t);
  const index = await open();
  const [a, b] = await Promise.all([
    index.get(rowOf(path)),
    index.get({ ...rowOf(path), id: 'other', start: 1 }),
  ]);
  t.is(a, b);
  t.is(reads(), 1);
  await index.flush();
  const again = await (await open()).get(rowOf(path));
  t.is(reads(), 1);
  t.deepEqual(again, a);
  t.true(again.times instanceof Float64Array);
});

test('what is held as it is has a bound; what was let go is made again from its short form', async (t) => {
  const { folder, path, reads } = await setup(t);
  const paths = [path, ...Array.from({ length: 6 }, (_, i) => join(folder, `${i}.mp4`))];
  for (const each of paths) await writeFile(each, 'one');
  let made = 0;
  const index = await FactsIndex.open({
    readFacts: async (row) => {
      made++;
      const times = Float64Array.from({ length: 5 }, (_, i) => i / 25);
      return { path: row.path, codec: 'h264', width: 32, height: 24, times, end: 0.2, warnings: [] };
    },
    cacheFile: null,
    generation: 'v1',
    mostPictures: 15,
  });
  const first: VideoFacts[] = [];
  for (const each of paths) first.push(await index.get(rowOf(each)));
  const held = await Promise.all(paths.slice(-3).map((each) => index.get(rowOf(each))));
  held.forEach((facts, i) => {
    t.is(facts, first[4 + i]!);
  });
  const again = await index.get(rowOf(path));
  t.not(again, first[0]!);
  t.deepEqual(again, first[0]!);
  t.deepEqual([made, reads()], [paths.length, 0]);
});

test('a changed file, and another generation, are looked into again', async (t) => {
  const { path, open, reads } = await setup(t);
  const index = await open();
  await index.get(rowOf(path));
  await index.flush();
  await utimes(path, 1000, 1000);
  await index.get(rowOf(path));
  t.is(reads(), 2);
  await writeFile(path, 'longer');
  await utimes(path, 1000, 1000);
  await index.get(rowOf(path));
  t.is(reads(), 3);
  await index.flush();
  await (await open()).get(rowOf(path));
  t.is(reads(), 3);
  await (await open('v2')).get(rowOf(path));
  t.is(reads(), 4);
});

test('a failure is the same each time and is not kept for the next process', async (t) => {
  const { folder, open, reads } = await setup(t);
  const bad = join(folder, 'bad.mp4');
  await writeFile(bad, 'x');
  const index = await open();
  await t.throwsAsync(index.get(rowOf(bad)), { message: 'bad file' });
  await t.throwsAsync(index.get(rowOf(bad)), { message: 'bad file' });
  t.is(reads(), 1);
  await t.throwsAsync((await open()).get(rowOf(bad)));
  t.is(reads(), 2);
  await t.throwsAsync(index.get(rowOf(join(folder, 'bad-and-gone.mp4'))));
});

test('broken lines cost their facts alone; a stale file is tidied', async (t) => {
  const { path, cacheFile, open, reads } = await setup(t);
  const index = await open();
  await index.get(rowOf(path));
  await index.flush();
  const line = await readFile(cacheFile, 'utf8');
  await appendFile(cacheFile, `{"half": \n[]\n{"version":1,"path":"x"}\n${line.slice(0, 40)}`);
  await (await open()).get(rowOf(path));
  t.is(reads(), 1);
  await writeFile(cacheFile, line.repeat(300));
  await open();
  t.is((await readFile(cacheFile, 'utf8')).trim().split('\n').length, 1);
});

test('a line that says what no video is costs its facts: they are looked for anew', async (t) => {
  const { path, cacheFile, open, reads } = await setup(t);
  const index = await open();
  await index.get(rowOf(path));
  await index.flush();
  const line = JSON.parse(await readFile(cacheFile, 'utf8'));
  const steady = { unit: 25, per: 'second', first: 0 };
  const wrong = [
    { width: -1 },
    { codec: undefined },
    { end: -1 },
    { warnings: [1] },
    { times: [] },
    { times: [1, 0] },
    { times: [null] },
    { times: { ...steady, runs: [1, 1e12] } },
    { times: { ...steady, runs: [-1, 3] } },
    { times: { ...steady, runs: [1] } },
    { times: { ...steady, unit: 0, runs: [1, 3] } },
    { times: { ...steady, per: 'week', runs: [1, 3] } },
  ];
  for (const [i, change] of wrong.entries()) {
    await writeFile(cacheFile, `${JSON.stringify({ ...line, ...change })}\n`);
    const again = await open();
    const facts = await again.get(rowOf(path));
    await again.flush();
    t.is(reads(), i + 2, JSON.stringify(change));
    t.true(facts.width > 0);
  }
});

test('a cache that cannot be written is a warning, once', async (t) => {
  const { folder, path, reads } = await setup(t);
  const other = join(folder, 'b.mp4');
  await writeFile(other, 'two');
  const warnings: string[] = [];
  const index = await FactsIndex.open({
    readFacts: async (row) => ({
      path: row.path,
      codec: '',
      width: 1,
      height: 1,
      times: new Float64Array(1),
      end: 1,
      warnings: [],
    }),
    cacheFile: join(path, 'not-a-folder', 'index.jsonl'),
    generation: '',
    onWarning: (message) => warnings.push(message),
  });
  await index.get(rowOf(path));
  await index.get(rowOf(other));
  await index.flush();
  t.is(warnings.length, 1);
  t.is(reads(), 0);
});

test('time stamps come back to the last bit, and steady ones are short', (t) => {
  const steady = (n: number, f: (i: number) => number) => Float64Array.from({ length: n }, (_, i) => f(i));
  const cases = [
    steady(300, (i) => i / 25),
    steady(300, (i) => i * (1 / 25)),
    steady(300, (i) => (i * 512) / 12800),
    steady(300, (i) => i * (1001 / 30000)),
    steady(300, (i) => Math.round((i * 1000) / 30) / 1000),
    steady(300, (i) => 0.1 + i / 30),
    steady(50, () => Math.random()),
    steady(1, () => 0),
    new Float64Array(0),
    Float64Array.of(-0.04, 0, 0.04),
  ];
  for (const times of cases) {
    const text = JSON.stringify(encodeTimes(times));
    t.deepEqual(decodeTimes(JSON.parse(text)), times);
  }
  t.true(JSON.stringify(encodeTimes(cases[0]!)).length < 80);
  t.true(JSON.stringify(encodeTimes(cases[1]!)).length < 80);
  t.true(JSON.stringify(encodeTimes(cases[3]!)).length < 80);
});
