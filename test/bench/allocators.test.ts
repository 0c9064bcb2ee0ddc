// Which allocators peers are tried with, and which of them a row says was used.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type Allocator, DEFAULT_ALLOCATOR, findAllocators } from '#src/bench/allocators.js';
import type { BenchCase } from '#src/bench/case.js';
import type { PeerTiming } from '#src/bench/result.js';
import { runBench } from '#src/bench/run-bench.js';
import { olderThanNamed } from '#src/bench/versions.js';
import { formatBench } from '#src/cli/format-bench.js';

const peerModules = join(dirname(fileURLToPath(import.meta.url)), '../../../test/fixtures/peers');
const withPython = spawnSync('python3', ['--version']).status === 0 ? test : test.skip;
const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('a library is preloaded where it is found; glibc is told to keep its memory', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vssl-allocators-'));
  const names = () => findAllocators([join(folder, 'nowhere'), folder]).map(({ name }) => name);
  t.deepEqual(names(), ['default', 'glibc keeping memory']);
  const file = join(folder, 'libjemalloc.so.2');
  writeFileSync(file, '');
  t.deepEqual(names(), ['default', 'glibc keeping memory', 'jemalloc']);
  const [plain, kept, preloaded] = findAllocators([folder]);
  t.deepEqual(plain!.env, {});
  t.like(kept!.env, { MALLOC_TRIM_THRESHOLD_: '17179869184', GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' });
  t.is(preloaded!.env.LD_PRELOAD!.split(':')[0], file);
  rmSync(folder, { recursive: true });
});

test('a library is older than named by its first number that differs', (t) => {
  for (const version of ['torch 2.12.9', 'torch 1.99.0', 'torch', 'torchvision 0.28.0, torch 2.12.0+cpu'])
    t.regex(olderThanNamed(version)!, /torch .*older than 2\.13\.0/, version);
  for (const version of [
    'torch 2.13.0+cpu',
    'torch 2.14',
    'torch 3.0.0',
    'torchvision 0.28.0, torch 2.13.1',
    'plain 1',
  ])
    t.is(olderThanNamed(version), null, version);
});

const values = Float32Array.of(1, 2, 3);
const doubled = Float32Array.of(2, 4, 6);
const doubles: BenchCase = {
  name: 'doubling',
  kernel: 'doubling',
  parameters: { factor: 2 },
  prepare: () => ({
    inputs: { values: { data: values, shape: [3] } },
    run: () => {},
    outputs: () => ({ doubled }),
    verify: async () => [],
    limitSeconds: () => 1e-6,
  }),
  flops: 3,
  bytes: 24,
  limit: 'copy',
  verified: 'values',
  peers: [],
};

async function runWith(peer: string, allocators: readonly Allocator[]) {
  const peers = [{ module: 'plain', name: peer, tolerance: 1e-6 }];
  const cases = [{ ...doubles, peers }];
  const result = await runBench({ cases, pairs: 3, threads: 1, python: 'python3', peerModules, allocators });
  return { peer: result.rows[0]!.timing!.peers[0]!, text: formatBench(result) };
}

const waiting = (name: string, seconds: number): Allocator => ({
  name,
  env: { PLAIN_SECONDS: `${seconds}` },
});

withPython('the fastest is used, and named; the ratio of the default is in the result alone', async (t) => {
  for (const allocators of [
    [DEFAULT_ALLOCATOR, waiting('slow', 0.03), waiting('fast', 0)],
    [DEFAULT_ALLOCATOR, waiting('fast', 0), waiting('slow', 0.03)],
  ]) {
    const { peer, text } = await runWith('waits', allocators);
    t.like(peer, { status: 'run', allocator: 'fast' });
    const { seconds, byDefault } = peer as PeerTiming;
    t.true(seconds < 0.001 && byDefault!.seconds >= 0.001, `${seconds}, ${byDefault!.seconds}`);
    t.regex(text, /waits \(fast\)/);
    t.notRegex(text, /default/);
  }
});

withPython('where the default is fastest there is no second ratio', async (t) => {
  const { peer } = await runWith('waits', [DEFAULT_ALLOCATOR, waiting('slow', 0.03)]);
  t.like(peer, { status: 'run', allocator: 'default', byDefault: undefined });
});

withPython('an allocator with which the peer crashes is left out', async (t) => {
  const crashing = { name: 'crashing', env: { PLAIN_CRASHES: '1' } };
  for (const allocators of [
    [crashing, DEFAULT_ALLOCATOR],
    [DEFAULT_ALLOCATOR, crashing],
  ]) {
    const { peer } = await runWith('crashes', allocators);
    t.like(peer, { status: 'run', allocator: 'default' });
  }
  const { peer } = await runWith('crashes', [crashing]);
  t.true(peer.status === 'not run' && /exit code 5/.test(peer.reason));
});

withPython('a peer that is missing or older than named is said to be, without a ratio', async (t) => {
  for (const [name, reason] of [
    ['misses', /no_such_library/],
    ['is old', /torch 2\.4\.1\+cpu is older than 2\.13\.0/],
  ] as const) {
    const { peer, text } = await runWith(name, [DEFAULT_ALLOCATOR, waiting('fast', 0)]);
    t.true(peer.status === 'not run' && reason.test(peer.reason));
    const line = text.split('\n').at(-1)!;
    t.regex(line, reason);
    t.notRegex(line, /\dx/);
  }
});
