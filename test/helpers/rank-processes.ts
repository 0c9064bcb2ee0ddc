/** Ranks as processes of their own: started by `train --ranks` or by a launcher of somebody else's, looked at, and disturbed. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '#src/train/free-port.js';
import { type RunOptions, start } from './killed-run.js';
import { readLines } from './tiny-run.js';

/** Processes that a launcher has started, in rank order. */
export function ranksOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const pids = text.split(' ').filter(Boolean).map(Number);
  const rankOf = (child: number) =>
    Number(/(?:^|\0)RANK=(\d+)/.exec(readFileSync(`/proc/${child}/environ`, 'latin1'))?.[1]);
  return pids.sort((a, b) => rankOf(a) - rankOf(b));
}

/** Waits until a run has written `lines` lines of its log; `goesOn` throws when it has ended before. */
export async function linesOf({ out }: RunOptions, lines: number, goesOn: () => void): Promise<void> {
  const log = join(out, 'metrics.jsonl');
  while (!existsSync(log) || (await readLines(log).catch(() => [])).length < lines) {
    goesOn();
    await delay(5);
  }
}

/** Starts a run, waits for `lines` lines of its log, does something to it, and waits for its end. */
export async function disturb(
  run: RunOptions,
  lines: number,
  act: (ranks: readonly number[], launcher: number) => void,
) {
  const { child, ended } = start(run);
  await linesOf(run, lines, () => {
    if (child.exitCode !== null) throw new Error(`ended too early, with ${child.exitCode}`);
  });
  const ranks = ranksOf(child.pid!);
  const from = performance.now();
  act(ranks, child.pid!);
  const end = await ended;
  return { ...end, ranks, seconds: (performance.now() - from) / 1000 };
}

/** Ranks that a launcher of somebody else's starts, each with arguments of its own. */
export async function startLaunched(runs: readonly RunOptions[]) {
  const size = `${runs.length}`;
  const port = `${await freePort()}`;
  return runs.map((run, rank) =>
    start(run, {
      ...{ RANK: `${rank}`, WORLD_SIZE: size, LOCAL_RANK: `${rank}`, LOCAL_WORLD_SIZE: size },
      ...{ MASTER_ADDR: '127.0.0.1', MASTER_PORT: port },
    }),
  );
}

/** The same until all have ended. */
export async function asLaunched(runs: readonly RunOptions[]) {
  return await Promise.all((await startLaunched(runs)).map(({ ended }) => ended));
}
