// The whole run on cases made for the test: what is verified, what is timed, what the result says.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { BenchCase, Workload } from '#src/bench/case.js';
import type { BenchResult, PeerResult } from '#src/bench/result.js';
import { type RunBenchOptions, runBench } from '#src/bench/run-bench.js';
import { timingOf } from '#src/bench/timing.js';

const peerModules = join(dirname(fileURLToPath(import.meta.url)), '../../../test/fixtures/peers');
const withPython = spawnSync('python3', ['--version']).status === 0 ? test : test.skip;

function doubling(error: number): Workload {
  const values = Float32Array.of(1, 2, 3);
  const doubled = new Float32Array(3);
  const run = () =>
    void values.forEach((value, i) => {
      doubled[i] = 2 * value;
    });
  return {
    inputs: { values: { data: values, shape: [3] } },
    run,
    outputs: () => ({ doubled }),
    verify: async () => {
      run();
      return [{ what: 'values', error, tolerance: 1e-6 }];
    },
    checkGradient: async () => [{ what: 'gradient', error: 0, tolerance: 0 }],
    limitSeconds: () => 1e-6,
  };
}

const doubles: BenchCase = {
  name: 'doubling',
  kernel: 'doubling',
  parameters: { factor: 2 },
  small: { factor: 2 },
  prepare: () => doubling(0),
  flops: 3,
  bytes: 24,
  limit: 'copy',
  verified: 'values',
  peers: [],
};
const peers = (...names: string[]) => names.map((name) => ({ module: 'plain', name, tolerance: 1e-6 }));
const run = (options: Partial<RunBenchOptions>) =>
  runBench({ cases: [doubles], pairs: 3, threads: 1, python: null, peerModules, ...options });

test('the result describes the machine and each row', async (t) => {
  const result = await run({});
  const copy = JSON.parse(JSON.stringify(result)) as BenchResult;
  t.is(copy.format, 'vssl-native bench');
  t.is(copy.formatVersion, 1);
  t.false(Number.isNaN(Date.parse(copy.date)));
  const { machine } = copy;
  for (const text of [machine.cpu, machine.platform, machine.node, machine.version, machine.isa.selected])
    t.true(text.length > 0);
  t.true(machine.cores >= 1 && machine.memoryBytes > 0);
  const [row] = copy.rows;
  t.is(row!.name, 'doubling');
  t.false(row!.wrong);
  t.deepEqual(
    row!.checks.map(({ what }) => what),
    ['small: values', 'small: gradient', 'values'],
  );
  const timing = row!.timing!;
  t.is(timing.rounds, 3);
  t.true(timing.seconds > 0 && timing.limit.perSecond > 0);
  t.deepEqual(timing.peers, []);
});

test('a case that is wrong is not timed', async (t) => {
  for (const error of [1e-3, Number.NaN]) {
    const { rows } = await run({ cases: [{ ...doubles, prepare: () => doubling(error) }] });
    t.true(rows[0]!.wrong);
    t.is(rows[0]!.timing, undefined);
  }
});

test('fewer rounds where a case takes long', async (t) => {
  const { rows } = await run({ cases: [{ ...doubles, roundsAtMost: 1 }] });
  t.is(rows[0]!.timing!.rounds, 1);
});

const rounds = { first: [1, 2, 1], limit: [0.5, 1, 0.5], last: [1, 2, 1] };
const ready = [
  {
    spec: { module: 'plain', name: 'doubles', tolerance: 1 },
    peer: { handle: 1, version: '1' },
    distance: 0,
  },
];
const turns = [{ ours: [1, 2, 1], theirs: [8, 16, 8] }];
const asked = { ...doubles, peers: peers('doubles') };

test('ratios are of turns side by side', (t) => {
  const timing = timingOf(asked, { ...rounds, peers: turns, others: 0.02 }, { ready, absent: [] });
  t.false(timing.noisy);
  t.deepEqual(timing.limit.fraction, { median: 0.5, low: 0.5, high: 0.5 });
  const [peer] = timing.peers;
  t.like(peer, { status: 'run', seconds: 8, ratio: { median: 8, low: 8, high: 8 } });
});

test('a noisy row claims nothing', (t) => {
  for (const noise of [{ last: [2, 4, 2] }, { last: [0.8, 1.6, 0.8] }, { others: 0.3 }]) {
    const timing = timingOf(asked, { ...rounds, peers: turns, ...noise }, { ready, absent: [] });
    t.true(timing.noisy);
    t.is(timing.limit.fraction, undefined);
    t.like(timing.peers[0], { status: 'run', ratio: undefined });
  }
});

const byName = (result: BenchResult) =>
  Object.fromEntries(result.rows[0]!.timing!.peers.map((peer): [string, PeerResult] => [peer.name, peer]));

withPython('peers are verified and timed; those that do not run say why', async (t) => {
  const names = ['doubles', 'differs', 'refuses', 'misses', 'fails'];
  const result = await run({ cases: [{ ...doubles, peers: peers(...names) }], python: 'python3' });
  const found = byName(result);
  t.deepEqual(Object.keys(found), names);
  const ran = found.doubles!;
  t.is(ran.status, 'run');
  if (ran.status === 'run') {
    t.is(ran.distance, 0);
    t.true(ran.seconds > 0);
  }
  for (const [name, reason] of [
    ['differs', /something else/],
    ['refuses', /not with 1 threads/],
    ['misses', /no_such_library/],
    ['fails', /does not work/],
  ] as const) {
    const peer = found[name]!;
    t.is(peer.status, 'not run');
    if (peer.status === 'not run') t.regex(peer.reason, reason);
  }
});

withPython('a peer that takes the child down does not stop the others', async (t) => {
  const found = byName(
    await run({ cases: [{ ...doubles, peers: peers('dies', 'doubles') }], python: 'python3' }),
  );
  t.is(found.dies!.status, 'not run');
  t.is(found.doubles!.status, 'run');
});

withPython('a peer that fails while it is timed is listed, and ours is timed', async (t) => {
  const found = byName(
    await run({ cases: [{ ...doubles, peers: peers('doubles', 'tires') }], python: 'python3' }),
  );
  for (const peer of Object.values(found))
    t.true(peer.status === 'not run' && /while it was timed: .*exit code 4/.test(peer.reason));
});

test('without an interpreter every peer is named with the reason', async (t) => {
  const found = byName(
    await run({ cases: [{ ...doubles, peers: peers('doubles') }], python: '/nonexistent/python' }),
  );
  const peer = found.doubles!;
  t.true(peer.status === 'not run' && /nonexistent/.test(peer.reason));
});

test('stops when told to', async (t) => {
  const stop = new AbortController();
  stop.abort();
  await t.throwsAsync(run({ signal: stop.signal }), { code: 'ERR_VSSL_ABORTED' });
});
