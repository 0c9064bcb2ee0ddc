// Batches that are loaded: what is verified, what a planted wrong clip does, what is timed, what other libraries give.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import test from 'ava';
import { runBench } from '#src/bench/run-bench.js';
import { openLoaderBench } from '#src/cli/bench-loader.js';
import { formatBench } from '#src/cli/format-bench.js';
import { loadEngine } from '#src/native/load.js';
import { scratch, writeSquareVideo } from '../embed/make-videos.js';
import { withMethod } from '../helpers/with-method.js';

const small = { videos: 2, frames: 4, size: 32, pictures: 40, height: 64, width: 80 };
const python = process.env.VSSL_PYTHON || 'python3';
const withPeers = spawnSync(python, ['-c', 'import av, cv2']).status === 0 ? test.serial : test.serial.skip;

const benchFolders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('vssl-bench-loader-'));

test.serial('every way to load a batch is verified and timed; what was made for it is removed', async (t) => {
  const before = benchFolders();
  const { cases, close } = openLoaderBench(null, small);
  t.is(new Set(cases.map(({ name }) => name)).size, cases.length);
  t.deepEqual(benchFolders(), before, 'naming the cases makes nothing');
  const result = await runBench({ what: 'loader', cases, pairs: 1, threads: [1, 2], python: null });
  for (const { name, wrong, clips, timing, checks } of result.rows) {
    t.false(wrong, `${name}: ${JSON.stringify(checks)}`);
    t.is(clips, 4);
    t.true(timing!.limit.perSecond > 0);
    t.deepEqual(Object.keys(timing!.stages!), ['pictures', 'augmentation']);
  }
  const kinds = Object.fromEntries(
    result.rows.map(({ name, timing }) => [name.split(',')[0], timing!.limit.kind]),
  );
  t.deepEqual(kinds, {
    'decoding alone': 'decoding alone',
    'decoding and augmentation': 'decoding alone',
    'augmentation alone': 'widening copy',
    'warm cache': 'widening copy',
    'raw copy': 'widening copy',
    'JPEG copy': 'decoding alone',
  });
  const copies = result.rows.filter(({ checks }) => checks.some(({ what }) => what.includes('beside')));
  t.is(copies.length, 3 * 2, 'copies and memory are held against another way to make the clips');
  t.regex(formatBench(result), /raw copy.*pictures .*, augmentation /s);
  await close();
  t.deepEqual(benchFolders(), before);
});

test.serial('videos of a data set instead', async (t) => {
  const { file, remove } = scratch();
  t.teardown(remove);
  for (const name of ['a', 'b', 'c']) await writeSquareVideo(file(`${name}.avi`), (time) => [time, 12]);
  const { cases, close } = openLoaderBench(file('.'), { ...small, frames: 3 });
  t.teardown(close);
  const one = cases.filter(({ name }) => name.startsWith('decoding and'));
  const { rows } = await runBench({ what: 'loader', cases: one, pairs: 1, threads: 1, python: null });
  t.false(rows[0]!.wrong);
  const few = openLoaderBench(file('.'), { ...small, videos: 4 });
  await t.throwsAsync(async () => few.cases[0]!.prepare(few.cases[0]!.parameters), {
    code: 'ERR_VSSL_USAGE',
    message: /4 video files or more.*has 3/,
  });
  await few.close();
});

test.serial('clips that depend on more than their plan fail the check, and nothing is timed', async (t) => {
  const engine = loadEngine();
  const { createLoader } = engine;
  t.teardown(() => {
    engine.createLoader = createLoader;
  });
  let calls = 0;
  engine.createLoader = (options) => {
    const loader = createLoader.call(engine, options);
    // every other call gives the clips of other pictures
    const later = (plan: object): object =>
      JSON.parse(JSON.stringify(plan), (key, value) =>
        key === 'times' ? value.map((time: number) => time + 0.2) : value,
      );
    return withMethod(loader, 'load', (plan, into) =>
      loader.load(calls++ % 2 === 0 ? plan : later(plan), into),
    );
  };
  const { cases, close } = openLoaderBench(null, small);
  t.teardown(close);
  const one = cases.filter(({ name }) => name.startsWith('decoding and'));
  const result = await runBench({ what: 'loader', cases: one, pairs: 1, threads: 1, python: null });
  t.true(result.rows[0]!.wrong);
  t.is(result.rows[0]!.timing, undefined);
  t.regex(formatBench(result), /WRONG.*again on one thread off by/);
});

withPeers('libraries of Python give the clips that we give', async (t) => {
  const { cases, close } = openLoaderBench(null, small);
  t.teardown(close);
  const result = await runBench({ what: 'loader', cases, pairs: 1, threads: 1, python });
  for (const { name, timing } of result.rows)
    for (const peer of timing!.peers) {
      const said = peer.status === 'run' ? peer.distance.toFixed(3) : peer.reason;
      t.true(
        peer.status === 'run' || /No module named|older than/.test(said),
        `${name}, ${peer.name}: ${said}`,
      );
      t.log(`${name}, ${peer.name}: ${said}`);
    }
});
