/** Several processes write to an index in LanceDB, and are killed: each video that was committed is there, as a whole. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { VideoIndex } from '#src/search/video-index.js';
import { scratch } from '../embed/make-videos.js';
import { ENCODER, vectorOf } from './entries.js';
import { lanceTest } from './lance.js';

const { file, remove } = scratch();
test.after.always(remove);
const child = fileURLToPath(new URL('./lance-child.js', import.meta.url));
const KILLS = 24;

/** A writer, and what it has said: windows of each video that is committed; null: it may be gone. */
function writer(db: string, seed: string, until: string) {
  const running = spawn(process.execPath, [child, db, seed, until], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(running, 'close');
  const lines = createInterface({ input: running.stdout });
  const committed = new Map<string, number | null>();
  lines.on('line', (line) => {
    const [what, path, windows] = line.split(' ') as [string, string, string];
    if (what === '-') committed.delete(path);
    else if (what === '+' || committed.has(path)) committed.set(path, what === '+' ? Number(windows) : null);
  });
  return { running, closed, lines, committed };
}

/** What was committed is there, and whatever is there is whole and can be found. */
async function checkAll(t: ExecutionContext, db: string, committed: ReadonlyMap<string, number | null>) {
  const index = await VideoIndex.open(db);
  const there = new Map<string, number>();
  for await (const { path, times } of index.videos()) {
    t.false(there.has(path), `${path} is there once`);
    there.set(path, times.length / 2);
  }
  for (const [path, windows] of committed) if (windows !== null) t.is(there.get(path), windows, path);
  let sum = 0;
  for (const [path, windows] of there) {
    t.is(windows, 1 + ((Number(path.split('/')[2]) * 37) % 200), path);
    sum += windows;
  }
  const all = await index.search(vectorOf('x', 0), { top: 100_000 });
  t.is(all.length, sum);
  const places = new Set(all.map(({ path, start }) => `${path} ${start}`));
  t.is(places.size, sum, 'each window once');
  for (const [path, windows] of [...there].slice(-3)) {
    const [hit] = await index.search(vectorOf(path, windows - 1), { top: 1 });
    t.deepEqual([hit!.path, hit!.start], [path, windows - 1]);
  }
  await index.close();
  return there;
}

lanceTest(`${KILLS} kills at random moments lose nothing that was committed`, async (t) => {
  const db = file('killed');
  const committed = new Map<string, number | null>();
  for (let seed = 0; seed < KILLS; seed++) {
    const { running, closed, lines, committed: more } = writer(db, `s${seed}`, 'until-killed');
    await once(lines, 'line');
    await new Promise((resolve) => setTimeout(resolve, ((seed * 7919) % 1000) / 2));
    running.kill('SIGKILL');
    await closed;
    for (const [path, windows] of more) committed.set(path, windows);
    if (seed % 6 === 5) await checkAll(t, db, committed);
  }
  const index = await VideoIndex.open(db, { repair: true });
  t.is((await index.stats()).gone, 0);
  await index.close();
  const there = await checkAll(t, db, committed);
  t.true(there.size > KILLS);
});

lanceTest('processes that write at once, the same videos too; all of them make the index', async (t) => {
  const db = file('together');
  const writers = ['a', 'b', 'c'].map((seed) => writer(db, seed, '40'));
  for (const { closed } of writers) t.deepEqual(await closed, [0, null]);
  const committed = new Map(writers.flatMap(({ committed }) => [...committed]));
  const there = await checkAll(t, db, committed);
  t.is([...there.keys()].filter((path) => path.startsWith('/same/')).length, 20);
  t.is(there.size, committed.size);
  const index = await VideoIndex.open(db, { encoder: ENCODER, store: 'lancedb' });
  await index.compact();
  t.is((await index.stats()).gone, 0);
  await index.close();
  await checkAll(t, db, committed);
});
