import { spawnSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { ntXent, topkDotAsync } from '#src/kernels/index.js';

const kernels = import.meta.resolve('#src/kernels/index.js');
const shared = `
  const x = Float32Array.from({ length: 256 * 64 }, (_, i) => Math.sin(i * 12.9898));
  const options = { rows: 256, dim: 64, threads: 2 };
`;
const losses = `${shared}
  const { parentPort } = await import('node:worker_threads');
  const { ntXent, ntXentAsync } = await import(${JSON.stringify(kernels)});
  const found = [];
  for (let i = 0; i < 10; i++) found.push(ntXent(x, options).loss, (await ntXentAsync(x, options)).loss);
  parentPort.postMessage(found);
`;
const endless = `${shared}
  const { ntXent, ntXentAsync } = await import(${JSON.stringify(kernels)});
  const { parentPort } = await import('node:worker_threads');
  parentPort?.postMessage('started');
  for (;;) { ntXentAsync(x, options); ntXent(x, options); }
`;

const moduleUrl = (source: string) => new URL(`data:text/javascript,${encodeURIComponent(source)}`);

function messageOf(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

test('several workers and the main thread use the kernels at once', async (t) => {
  const x = Float32Array.from({ length: 256 * 64 }, (_, i) => Math.sin(i * 12.9898));
  const expected = ntXent(x, { rows: 256, dim: 64 }).loss;
  const workers = Array.from({ length: 4 }, () => new Worker(moduleUrl(losses)));
  const results = Promise.all(workers.map(messageOf));
  for (let i = 0; i < 20; i++) t.is(ntXent(x, { rows: 256, dim: 64, threads: 2 }).loss, expected);
  for (const found of await results) t.deepEqual(found, Array(20).fill(expected));
  await Promise.all(workers.map((worker) => worker.terminate()));
});

test('workers may be terminated in the middle of calls', async (t) => {
  const workers = Array.from({ length: 4 }, () => new Worker(moduleUrl(endless)));
  await Promise.all(workers.map(messageOf));
  await Promise.all(workers.map((worker) => worker.terminate()));
  t.is(ntXent(new Float32Array(2 * 3).fill(1), { rows: 2, dim: 3 }).loss, 0);
});

// What they search is freed when they end: nothing may still read it then.
test('workers may be terminated while they search memory of their own', async (t) => {
  const searching = `
    const { topkDotAsync } = await import(${JSON.stringify(kernels)});
    const { parentPort } = await import('node:worker_threads');
    const rows = new Float32Array(new SharedArrayBuffer(4 * 64 * 200_000)).fill(0.5);
    parentPort.postMessage('started');
    for (;;) await Promise.all([1, 2].map((threads) => topkDotAsync(rows.slice(0, 64 * 8), rows, { dim: 64, k: 5, threads })));
  `;
  for (let round = 0; round < 8; round++) {
    const worker = new Worker(moduleUrl(searching));
    await messageOf(worker);
    await new Promise((resolve) => setTimeout(resolve, 5 * round));
    await worker.terminate();
  }
  const rows = new Float32Array(new SharedArrayBuffer(16)).fill(1);
  t.deepEqual([...(await topkDotAsync(Float32Array.of(2, 3), rows, { dim: 2, k: 1 })).scores], [5]);
});

// The addon must stay mapped when the only threads that loaded it are gone, or its pool would run unmapped code.
test('a process whose workers alone loaded the addon ends cleanly', (t) => {
  const main = `
    import { Worker } from 'node:worker_threads';
    for (let round = 0; round < 3; round++) {
      const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(losses)})));
      await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      await worker.terminate();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    console.log('done');
  `;
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', main],
    {
      encoding: 'utf8',
    },
  );
  t.is(signal, null, stderr);
  t.is(status, 0, stderr);
  t.is(stdout.trim(), 'done');
});
