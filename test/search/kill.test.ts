/** An index whose writer is killed at any moment holds all that was committed, and nothing of what was not. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { VideoIndex } from '#src/search/video-index.js';
import { scratch } from '../embed/make-videos.js';
import { ENCODER, entryOf, vectorOf } from './entries.js';

const { file, remove } = scratch();
test.after.always(remove);
const child = fileURLToPath(new URL('./index-writer-child.js', import.meta.url));

const KILLS = 100;
/** Indexes that are written and killed at once, each again and again. */
const LANES = 4;

/**
 * Lets a writer work for a while and kills it. What it said is added to what is committed; returns what was being removed,
 * of which nobody knows whether it is there.
 */
async function writeAndKill(
  db: string,
  seed: number,
  ms: number,
  committed: Set<string>,
): Promise<string | null> {
  const writer = spawn(process.execPath, [child, db, String(seed)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(writer, 'close');
  const lines = createInterface({ input: writer.stdout });
  let leaving: string | null = null;
  lines.on('line', (line) => {
    const path = line.slice(2);
    if (line.startsWith('+ ')) committed.add(path);
    if (line.startsWith('- ')) committed.delete(path);
    leaving = line.startsWith('? ') ? path : null;
  });
  await once(lines, 'line');
  await new Promise((resolve) => setTimeout(resolve, ms));
  writer.kill('SIGKILL');
  await closed;
  return leaving;
}

/** What was said to be committed is there; what is there is whole. */
async function checkAll(
  t: ExecutionContext,
  db: string,
  committed: Set<string>,
  leaving: string | null,
): Promise<void> {
  const index = await VideoIndex.open(db);
  const there = new Map<string, number>();
  for await (const { path, times } of index.videos()) there.set(path, times.length / 2);
  if (leaving !== null && !there.has(leaving)) committed.delete(leaving);
  t.deepEqual(
    [...committed].filter((path) => !there.has(path)),
    [],
  );
  for (const [path, windows] of there) t.is(windows, 1 + ((Number(path.split('/')[2]) * 37) % 200), path);
  for (const [path, windows] of [...there].slice(-5)) {
    for (const window of new Set([0, windows - 1])) {
      const [hit] = await index.search(vectorOf(path, window), { top: 1 });
      t.deepEqual([hit!.path, hit!.start], [path, window]);
      t.true(hit!.similarity > 0.999, `${hit!.similarity}`);
    }
  }
  for (const path of there.keys()) committed.add(path);
  await index.close();
}

test(`${KILLS} kills at random moments lose nothing that was committed`, async (t) => {
  let kills = 0;
  const lane = async (number: number) => {
    const db = file(`lane-${number}`);
    const committed = new Set<string>();
    while (kills < KILLS) {
      const seed = kills++;
      const leaving = await writeAndKill(db, seed, ((seed * 7919) % 1000) / 12, committed);
      await checkAll(t, db, committed, leaving);
    }
    t.true(committed.size > 0);
  };
  await Promise.all(Array.from({ length: LANES }, (_, i) => lane(i)));
});

test('rows cut at any byte: the whole lines before it are there, and writing goes on', async (t) => {
  const db = file('cut');
  const index = await VideoIndex.open(db, { encoder: ENCODER });
  await index.add(entryOf('/a', 3));
  await index.add(entryOf('/b', 2, undefined, { label: 'x'.repeat(40) }));
  await index.add(entryOf('/a', 1));
  await index.close();
  const text = readFileSync(join(db, '000001.rows'), 'latin1');
  const ends = [...text.matchAll(/\n/g)].map((match) => match.index + 1);
  t.is(ends.length, 3);
  for (let length = 0; length <= text.length; length++) {
    const copy = file(`cut-${length}`);
    cpSync(db, copy, { recursive: true });
    truncateSync(join(copy, '000001.rows'), length);
    const opened = await VideoIndex.open(copy);
    const whole = ends.filter((end) => end <= length).length;
    const { videos, windows } = await opened.stats();
    t.deepEqual(
      [videos, windows],
      [
        [0, 0],
        [1, 3],
        [2, 5],
        [2, 3],
      ][whole],
      `${length} bytes`,
    );
    if (length % 29 === 0) {
      await opened.add(entryOf('/c', 2));
      const [hit] = await opened.search(vectorOf('/c', 1), { top: 1 });
      t.deepEqual([hit!.path, hit!.start], ['/c', 1]);
      const other = await VideoIndex.open(copy);
      t.is((await other.stats()).windows, windows + 2);
      await other.close();
    }
    await opened.close();
    t.false(readdirSync(copy).includes('lock'));
  }
});

test('a disk that is full: the call says so, and what was committed before it stays', async (t) => {
  const db = file('full');
  // of 16 KB there is room for 512 vectors
  const script = `process.on('SIGXFSZ', () => {});
    const { VideoIndex } = await import(${JSON.stringify(import.meta.resolve('#src/search/video-index.js'))});
    const { ENCODER, entryOf } = await import(${JSON.stringify(new URL('./entries.js', import.meta.url).href)});
    const index = await VideoIndex.open(process.argv[1], { encoder: ENCODER });
    const codes = [];
    for (let i = 0; i < 8; i++)
      await index.add(entryOf('/' + i, 100)).then(() => codes.push('committed'), ({ code }) => codes.push(code));
    console.log(JSON.stringify({ codes, videos: (await index.stats()).videos }));
    await index.close();`;
  const args = [
    '-c',
    'ulimit -f 32; exec "$@"',
    'sh',
    process.execPath,
    '--input-type=module',
    '-e',
    script,
    db,
  ];
  const writer = spawn('sh', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [text] = await once(writer.stdout, 'data');
  await once(writer, 'close');
  const { codes, videos } = JSON.parse(String(text));
  const count = codes.filter((code: string) => code === 'committed').length;
  t.true(count >= 1 && count < 8);
  t.true(
    codes.every((code: string) => code === 'committed' || code === 'ERR_VSSL_WRITE'),
    `${codes}`,
  );
  t.is(videos, count);
  const index = await VideoIndex.open(db);
  t.is((await index.stats()).videos, count);
  await index.add(entryOf('/later', 3));
  t.is((await index.search(vectorOf('/later', 2), { top: 1 }))[0]!.path, '/later');
  await index.close();
});
