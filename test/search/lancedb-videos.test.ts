/** The commands over an index in LanceDB: the same results as over the folder of shards, and several processes at once. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { scratch, writeSquareVideo, writeTinyWeights } from '../embed/make-videos.js';
import { lanceTest } from './lance.js';

const { file, remove } = scratch();
test.after.always(remove);
const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const at = (name: string) => file(`videos/${name}.avi`);
const write = (name: string, seed: number) =>
  writeSquareVideo(at(name), (t) => [(3 * seed + t) % 36, (5 * seed + 2 * t) % 48], {
    frames: 60,
    color: [40 * (seed % 6), 230, 255 - 30 * (seed % 8)],
  });
const indexArgs = (db: string, ...more: string[]) => [
  ...[main, 'index', '--weights', file('weights.safetensors'), '--data', file('videos'), '--db', file(db)],
  ...['--windows', 'every:500ms', '--threads', '1', ...more],
];
const call = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
};
const both = (...more: string[]) =>
  ['flat', 'lancedb'].map((store) => {
    const { db, seconds, ...rest } = call(...indexArgs(store, '--store', store, '--json', ...more));
    return rest;
  });

lanceTest('index, search and duplicates over either store', async (t) => {
  mkdirSync(file('videos/walk'), { recursive: true });
  await writeTinyWeights(file('weights.safetensors'));
  for (const [i, name] of ['0', '1', '2', 'walk/3'].entries()) await write(name, i);
  const same = ([flat, lance]: unknown[]) => {
    t.deepEqual(lance, flat);
    return flat as Record<string, number>;
  };
  t.is(same(both()).added, 4);
  t.is(same(both()).unchanged, 4);
  renameSync(at('0'), at('moved'));
  rmSync(at('1'));
  await write('2', 8);
  await write('new', 9);
  const { added, changed, moved, removed } = same(both());
  t.deepEqual([added, changed, moved, removed], [1, 1, 1, 2]);
  const ask = (command: string, ...more: string[]) =>
    ['flat', 'lancedb'].map((store) => {
      const { seconds, db, ...rest } = call(main, command, '--db', file(store), '--json', ...more);
      return rest;
    });
  same(ask('search', `${at('walk/3')}@0.5-1.5`, '--per-video'));
  same(ask('search', at('new'), '--filter', 'path=*/walk/*'));
  same(ask('duplicates', '--threshold', '0.9'));

  // as many processes as there are machines: a part of the videos each, into one index
  const parts = ['0/3', '1/3', '2/3'].map((shard) =>
    spawn(process.execPath, indexArgs('parts', '--store', 'lancedb', '--shard', shard), { stdio: 'ignore' }),
  );
  const ends = await Promise.all(parts.map((part) => once(part, 'close')));
  t.deepEqual(ends, [
    [0, null],
    [0, null],
    [0, null],
  ]);
  const whole = call(...indexArgs('parts', '--json'));
  t.deepEqual([whole.unchanged, whole.added, whole.videos], [4, 0, 4]);

  const watch = spawn(process.execPath, indexArgs('parts', '--watch'), {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lines = createInterface({ input: watch.stderr });
  await once(lines, 'line');
  await write('late', 11);
  const [line] = await once(lines, 'line');
  t.regex(line, /^5 videos.*1 new/);
  watch.kill('SIGINT');
  t.deepEqual((await once(watch, 'close'))[0], 130);
});
