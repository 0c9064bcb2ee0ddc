// The protocol with a real Python child and peers that need no library.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import anyTest from 'ava';
import { type OpenPeer, PeerProcess } from '#src/bench/peer.js';

const modules = join(dirname(fileURLToPath(import.meta.url)), '../../../test/fixtures/peers');
const test = spawnSync('python3', ['--version']).status === 0 ? anyTest : anyTest.skip;

const values = Float32Array.of(1, -2, 0.5, 1e30);
const inputs = { values: { data: values, shape: [4] } };
const plain = (name: string) => ({ module: 'plain', name });

async function withPeers<T>(work: (peers: PeerProcess) => Promise<T>, python = 'python3'): Promise<T> {
  const peers = new PeerProcess({ python, modules });
  try {
    return await work(peers);
  } finally {
    await peers.stop();
  }
}

test('opens a peer, reads its outputs, takes turns, closes it', (t) =>
  withPeers(async (peers) => {
    const peer = (await peers.open(plain('doubles'), { factor: 2 }, inputs, 1)) as OpenPeer;
    t.is(peer.version, 'plain 1');
    t.deepEqual(await peers.outputs(peer), { doubled: Float32Array.of(2, -4, 1, 2e30) });
    for (const plan of [
      { repeats: 1, warm: 1 },
      { repeats: 100, warm: 0 },
    ]) {
      const seconds = await peers.takeTurn(peer, plan);
      t.true(seconds > 0 && seconds < 0.1, `${seconds}`);
    }
    await peers.close(peer);
    await t.throwsAsync(peers.takeTurn(peer, { repeats: 1, warm: 0 }), { code: 'ERR_VSSL_BENCH_PEER' });
  }));

test('several peers at once, and new inputs under an old name', (t) =>
  withPeers(async (peers) => {
    const one = (await peers.open(plain('doubles'), { factor: 2 }, inputs, 1)) as OpenPeer;
    const others = { values: { data: Float32Array.of(5), shape: [1] } };
    const other = (await peers.open(plain('doubles'), { factor: 3 }, others, 1)) as OpenPeer;
    t.deepEqual(await peers.outputs(other), { doubled: Float32Array.of(15) });
    t.is((await peers.outputs(one)).doubled!.length, 4);
  }));

test('a peer that cannot run says why, and the child goes on', (t) =>
  withPeers(async (peers) => {
    const open = (name: string) => peers.open(plain(name), { factor: 2 }, inputs, 3);
    t.deepEqual(await open('refuses'), { unavailable: 'not with 3 threads' });
    const missing = (await open('misses')) as { unavailable: string };
    t.regex(missing.unavailable, /no_such_library/);
    const failing = (await open('fails')) as OpenPeer;
    await t.throwsAsync(peers.outputs(failing), { message: /ValueError: does not work/ });
    t.regex(
      ((await peers.open({ module: 'nowhere', name: 'x' }, {}, {}, 1)) as { unavailable: string })
        .unavailable,
      /nowhere/,
    );
    t.true(peers.alive);
    t.true('handle' in (await open('doubles')));
  }));

test('a child that dies is an error, not a hang', (t) =>
  withPeers(async (peers) => {
    const dying = (await peers.open(plain('dies'), { factor: 2 }, inputs, 1)) as OpenPeer;
    await t.throwsAsync(peers.outputs(dying), { code: 'ERR_VSSL_BENCH_PEER', message: /exit code 3/ });
    t.false(peers.alive);
    await t.throwsAsync(peers.outputs(dying), { code: 'ERR_VSSL_BENCH_PEER' });
  }));

test('an interpreter that is not there is an error', (t) =>
  withPeers(async (peers) => {
    await t.throwsAsync(peers.open(plain('doubles'), {}, inputs, 1), {
      code: 'ERR_VSSL_BENCH_PEER',
      message: /no-such-python/,
    });
  }, '/nonexistent/no-such-python'));

test('stop() ends a child in the middle of its work and removes its files', async (t) => {
  const peers = new PeerProcess({ python: 'python3', modules });
  const peer = (await peers.open(plain('doubles'), { factor: 2 }, inputs, 1)) as OpenPeer;
  const turn = peers.takeTurn(peer, { repeats: 1e9, warm: 0 });
  const { folder } = peers;
  t.true(existsSync(folder));
  await Promise.all([t.throwsAsync(turn, { code: 'ERR_VSSL_BENCH_PEER' }), peers.stop()]);
  t.false(existsSync(folder));
});
