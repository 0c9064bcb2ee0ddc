import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { lockFolder } from '#src/weights/folder-lock.js';

const newFolder = () => mkdtemp(join(tmpdir(), 'vssl-lock-'));
/** As training has it. */
const use = { doing: 'training in', advice: 'choose another --out' };
const useText = JSON.stringify(use);
const module = JSON.stringify(import.meta.resolve('#src/weights/folder-lock.js'));

/** A process that takes the lock, says so, and stays. */
async function holder(folder: string) {
  const script = `const { lockFolder } = await import(${module}); await lockFolder(process.argv[1], ${useText}); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

test('a second taker in the same process is refused until the first lets go', async (t) => {
  const folder = await newFolder();
  const lock = await lockFolder(folder, use);
  await t.throwsAsync(lockFolder(folder, use), {
    code: 'ERR_VSSL_LOCKED',
    message: new RegExp(`process ${process.pid} `),
  });
  await lock.release();
  t.deepEqual(await readdir(folder), []);
  await (await lockFolder(folder, use)).release();
});

test('another living process is respected, a killed one is not', async (t) => {
  const folder = await newFolder();
  const child = await holder(folder);
  const error = await t.throwsAsync(lockFolder(folder, use), { code: 'ERR_VSSL_LOCKED' });
  t.true(error!.message.includes(String(child.pid)));
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.deepEqual(await readdir(folder), ['lock']);
  const lock = await lockFolder(folder, use);
  t.is(JSON.parse(await readFile(join(folder, 'lock'), 'utf8')).pid, process.pid);
  await lock.release();
});

/** A worker thread that takes the lock, says so, and stays: idle, or computing without ever coming up for air. */
async function workerHolder(folder: string, busy: boolean): Promise<Worker> {
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(${module}).then(async ({ lockFolder }) => {
      await lockFolder(workerData.folder, ${useText});
      parentPort.postMessage('held');
      setTimeout(() => { while (workerData.busy); }, 50);
      setInterval(() => {}, 1000);
    });`;
  const worker = new Worker(script, { eval: true, workerData: { folder, busy } });
  await once(worker, 'message');
  await new Promise((resolve) => setTimeout(resolve, 200));
  return worker;
}

for (const busy of [false, true])
  test(`a worker thread's lock holds while it ${busy ? 'computes' : 'waits'}, and ends with it`, async (t) => {
    const folder = await newFolder();
    const worker = await workerHolder(folder, busy);
    await t.throwsAsync(lockFolder(folder, use), { code: 'ERR_VSSL_LOCKED' });
    await worker.terminate();
    t.deepEqual(await readdir(folder), ['lock']);
    await (await lockFolder(folder, use)).release();
    t.deepEqual(await readdir(folder), []);
  });

test('a terminated worker of another process has lost its lock, a living one has not', async (t) => {
  const folder = await newFolder();
  const script = `
    import { Worker } from 'node:worker_threads';
    const worker = new Worker(\`
      import(${module}).then(async ({ lockFolder }) => {
        await lockFolder(require('node:worker_threads').workerData, ${useText});
        require('node:worker_threads').parentPort.postMessage('held');
        setInterval(() => {}, 1000);
      });\`, { eval: true, execArgv: [], workerData: process.argv[1] });
    worker.once('message', () => console.log('held'));
    process.stdin.once('data', async () => { await worker.terminate(); console.log('gone'); setInterval(() => {}, 1000); });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  await t.throwsAsync(lockFolder(folder, use), { code: 'ERR_VSSL_LOCKED' });
  child.stdin.write('end it');
  await once(child.stdout, 'data');
  await (await lockFolder(folder, use)).release();
  child.kill('SIGKILL');
});

test('a lock whose process number now belongs to another process is taken over', async (t) => {
  const folder = await newFolder();
  await writeFile(
    join(folder, 'lock'),
    JSON.stringify({ pid: process.pid, host: hostname(), started: 'earlier', token: 'x' }),
  );
  const take = lockFolder(folder, use);
  if (process.platform === 'linux') await t.notThrowsAsync(async () => (await take).release());
  else await t.throwsAsync(take);
});

test('a lock of another machine holds while it is renewed', async (t) => {
  const folder = await newFolder();
  const path = join(folder, 'lock');
  await writeFile(path, JSON.stringify({ pid: 1, host: 'elsewhere', started: '', token: 'x' }));
  const error = await t.throwsAsync(lockFolder(folder, use), { code: 'ERR_VSSL_LOCKED' });
  t.true(error!.message.includes('elsewhere') && error!.message.includes(path));
  const old = new Date(Date.now() - 3600_000);
  await utimes(path, old, old);
  await (await lockFolder(folder, use)).release();
  t.deepEqual(await readdir(folder), []);
});

test('a lock file that says nothing is taken over', async (t) => {
  const folder = await newFolder();
  await writeFile(join(folder, 'lock'), '');
  await (await lockFolder(folder, use)).release();
  t.deepEqual(await readdir(folder), []);
});

test('of many takers at once exactly one wins, a dead lock in the way or not', async (t) => {
  for (const dead of [false, true]) {
    const folder = await newFolder();
    if (dead)
      await writeFile(
        join(folder, 'lock'),
        JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), started: '', token: 'x' }),
      );
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder, use)));
    const winners = results.filter((result) => result.status === 'fulfilled');
    t.is(winners.length, 1, `dead ${dead}`);
    for (const { value } of winners) await value.release();
  }
});
