// A run tells when other programs take the processors, once, with what it costs.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import anyTest from 'ava';
import { Crowding } from '#src/train/crowding.js';

const test = existsSync('/proc/stat') ? anyTest.serial : anyTest.skip;

async function besideBusyPrograms(work: () => Promise<void>): Promise<void> {
  const programs: ChildProcess[] = Array.from({ length: 2 * availableParallelism() }, () =>
    spawn(process.execPath, ['-e', 'console.log(1); for (;;);'], { stdio: ['ignore', 'pipe', 'ignore'] }),
  );
  try {
    for (const { stdout } of programs) await once(stdout!, 'data');
    await work();
  } finally {
    for (const program of programs) program.kill('SIGKILL');
  }
}

test('others are told of once, while no processor is free', (t) =>
  besideBusyPrograms(async () => {
    const told: string[] = [];
    const crowding = new Crowding((message) => told.push(message));
    for (let line = 0; line < 2; line++) {
      await sleep(700);
      const share = crowding.note(0.5)!;
      t.true(share > 0.2 && share <= 1.1, `${share}`);
    }
    t.is(told.length, 1);
    t.regex(told[0]!, /^other programs use \d+ % of the processors, and none is free/);
  }));

test('a process that works alone is not told of itself', async (t) => {
  const told: string[] = [];
  const crowding = new Crowding((message) => told.push(message));
  const start = performance.now();
  while (performance.now() - start < 300);
  const share = crowding.note(0.1);
  t.true(share === undefined || share < 1);
  if (share !== undefined && share < 0.2) t.deepEqual(told, []);
});
