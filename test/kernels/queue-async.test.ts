import { Worker } from 'node:worker_threads';
import test from 'ava';
import { MomentumQueue } from '#src/kernels/index.js';

const kernels = import.meta.resolve('#src/kernels/index.js');

function values(count: number, seed = 1): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin((i + seed * 1000) * 12.9898) * 3);
}

test('gives what the synchronous call gives', async (t) => {
  const queue = new MomentumQueue({ capacity: 500, dim: 48, decay: 0.99 });
  const q = values(60 * 48);
  const p = values(60 * 48, 2);
  for (const precision of ['fp32', 'bf16'] as const) {
    const options = { rows: 60, precision };
    t.deepEqual(await queue.infoNceAsync(q, p, options), queue.infoNce(q, p, options));
    t.deepEqual(
      await queue.infoNceAsync(q, p, { ...options, gradient: false }),
      queue.infoNce(q, p, { ...options, gradient: false }),
    );
  }
});

test('leaves the event loop free', async (t) => {
  const queue = new MomentumQueue({ capacity: 65536, dim: 64 });
  const x = values(1024 * 64);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await queue.infoNceAsync(x, x, { rows: 1024, threads: 1 });
  clearInterval(timer);
  t.true(turns >= 1, 'one that blocks is done before the first turn');
});

test('sees the queue as it was at the call, whatever is enqueued meanwhile', async (t) => {
  for (const precision of ['fp32', 'bf16'] as const) {
    const queue = new MomentumQueue({ capacity: 3000, dim: 40, decay: 0.9 });
    const q = values(50 * 40);
    const p = values(50 * 40, 2);
    const options = { rows: 50, precision };
    const calls = [];
    const expected = [];
    for (let step = 0; step < 12; step++) {
      expected.push(queue.infoNce(q, p, options));
      calls.push(queue.infoNceAsync(q, p, options));
      queue.enqueue(values(300 * 40, step), 300);
    }
    t.deepEqual(await Promise.all(calls), expected);
    t.is(new Set(expected.map(({ loss }) => loss)).size, 12);
  }
});

test('enqueueAsync takes turns in the order of the calls, with its own copy of the keys', async (t) => {
  const queue = new MomentumQueue({ capacity: 200, dim: 16 });
  const other = new MomentumQueue({ capacity: 200, dim: 16 });
  const calls = Array.from({ length: 20 }, (_, step) => {
    const keys = values(30 * 16, step);
    other.enqueue(keys, 30);
    const call = queue.enqueueAsync(keys, 30);
    keys.fill(Number.NaN);
    return call;
  });
  await Promise.all(calls);
  t.deepEqual(queue.state(), other.state());
});

test('dispose() lets calls in flight end, and those that wait fail', async (t) => {
  const queue = new MomentumQueue({ capacity: 20000, dim: 32 });
  const x = values(64 * 32);
  const expected = queue.infoNce(x, x, { rows: 64 });
  const calls = Array.from({ length: 8 }, () => queue.infoNceAsync(x, x, { rows: 64 }));
  const waiting = queue.enqueueAsync(x, 64);
  queue.dispose();
  for (const result of await Promise.all(calls)) t.deepEqual(result, expected);
  await t.throwsAsync(waiting, { code: 'ERR_VSSL_DISPOSED' });
});

test('arrays changed or transferred away while it runs do no harm', async (t) => {
  const queue = new MomentumQueue({ capacity: 5000, dim: 64 });
  const q = values(64 * 64);
  const p = values(64 * 64, 2);
  const expected = queue.infoNce(q, p, { rows: 64 });
  const gradient = new Float32Array(q.length);
  const kept = queue.infoNceAsync(q, p, { rows: 64 });
  const lost = queue.infoNceAsync(q, p, { rows: 64, gradient });
  p.fill(Number.NaN);
  structuredClone(gradient.buffer, { transfer: [gradient.buffer] });
  structuredClone(q.buffer, { transfer: [q.buffer as ArrayBuffer] });
  t.deepEqual(await kept, expected);
  await t.throwsAsync(lost, { code: 'ERR_VSSL_INVALID_ARGUMENT', message: /gradient/ });
});

test('an error has the stack of the caller', async (t) => {
  async function theCaller() {
    const queue = new MomentumQueue({ capacity: 500, dim: 64 });
    const gradient = new Float32Array(64 * 64);
    const call = queue.infoNceAsync(values(64 * 64), values(64 * 64), { rows: 64, gradient });
    structuredClone(gradient.buffer, { transfer: [gradient.buffer] });
    await call;
  }
  const error = await t.throwsAsync(theCaller());
  t.regex(error?.stack ?? '', /theCaller/);
});

const shared = `
  const { MomentumQueue } = await import(${JSON.stringify(kernels)});
  const { parentPort } = await import('node:worker_threads');
  const queue = new MomentumQueue({ capacity: 2000, dim: 32 });
  const x = Float32Array.from({ length: 64 * 32 }, (_, i) => Math.sin(i * 12.9898));
`;
const moduleUrl = (source: string) => new URL(`data:text/javascript,${encodeURIComponent(source)}`);

function messageOf(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

test('several workers have queues of their own', async (t) => {
  const source = `${shared}
    const found = [];
    for (let i = 0; i < 5; i++) {
      found.push((await queue.infoNceAsync(x, x, { rows: 64 })).loss);
      queue.enqueue(x, 64);
    }
    parentPort.postMessage(found);
  `;
  const workers = Array.from({ length: 3 }, () => new Worker(moduleUrl(source)));
  const [first, ...others] = (await Promise.all(workers.map(messageOf))) as number[][];
  t.is(first!.length, 5);
  for (const found of others) t.deepEqual(found, first);
  await Promise.all(workers.map((worker) => worker.terminate()));
});

test('workers may be terminated in the middle of calls', async (t) => {
  const source = `${shared}
    parentPort.postMessage('started');
    for (;;) {
      queue.infoNceAsync(x, x, { rows: 64 });
      queue.enqueueAsync(x, 64);
      queue.enqueue(x, 64);
    }
  `;
  const workers = Array.from({ length: 3 }, () => new Worker(moduleUrl(source)));
  await Promise.all(workers.map(messageOf));
  await new Promise((resolve) => setTimeout(resolve, 30));
  await Promise.all(workers.map((worker) => worker.terminate()));
  t.is(new MomentumQueue({ capacity: 3, dim: 2 }).length, 3);
});
