import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import anyTest from 'ava';
import { watchOthers } from '#src/native/contention.js';

const test = existsSync('/proc/stat') ? anyTest.serial : anyTest.skip;

async function withBusyChild<T>(work: (pid: number) => Promise<T>): Promise<T> {
  const child = spawn(process.execPath, ['-e', 'console.log(1); for (;;);'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  try {
    return await work(child.pid!);
  } finally {
    child.kill('SIGKILL');
  }
}

test('another process counts, unless it is named', (t) =>
  withBusyChild(async (pid) => {
    const [others, rest] = [watchOthers([]), watchOthers([pid])];
    await sleep(1000);
    const [all, without] = [others()!.others, rest()!.others];
    t.true(all > 0 && all <= 1.1, `${all}`);
    t.true(without < all, `${without} of ${all}`);
  }));

test('our own work is not that of others', (t) => {
  const watch = watchOthers([]);
  const start = performance.now();
  while (performance.now() - start < 500);
  const share = watch()!.others;
  t.true(share >= 0 && share <= 1, `${share}`);
});

test('a process that has gone tells nothing', (t) => {
  t.is(watchOthers([2 ** 30])(), undefined);
});
