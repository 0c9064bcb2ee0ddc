/** `vssl-native train` as a process of its own that can be killed, and what a run leaves behind. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, watch } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { listCheckpoints } from '#src/weights/checkpoint.js';
import { readSafetensors } from '#src/weights/safetensors.js';
import type { MemoryGroup } from './memory-group.js';
import { readLines } from './tiny-run.js';

const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));

export interface RunOptions {
  /** Configuration file. */
  readonly config: string;
  readonly data: string;
  readonly out: string;
  /** Further arguments. */
  readonly more?: readonly string[];
  /** Its process starts in this control group. */
  readonly group?: MemoryGroup;
}

export function start(
  { config, data, out, more = [], group }: RunOptions,
  environment: NodeJS.ProcessEnv = {},
) {
  const command = [
    process.execPath,
    main,
    'train',
    '--config',
    config,
    '--data',
    data,
    '--out',
    out,
    '--json',
    ...more,
  ];
  const [program, ...args] = group ? group.wrap(command).flat() : command;
  const child = spawn(program!, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, CI: '1', ...environment },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  return { child, ended: once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr })) };
}

export async function runToEnd(t: ExecutionContext, run: RunOptions): Promise<void> {
  const { code, stdout, stderr } = await start(run).ended;
  t.is(code, 0, stderr);
  t.like(JSON.parse(stdout.trim().split('\n').at(-1)!), { finished: true });
}

/** Kills the run at the first file event for which `when` holds; false when it ended before that. */
export async function killWhen(run: RunOptions, when: (name: string) => boolean): Promise<boolean> {
  const checkpoints = join(run.out, 'checkpoints');
  mkdirSync(checkpoints, { recursive: true });
  const { child, ended } = start(run);
  const onEvent = (_kind: string, name: string | null) => {
    if (name && when(name)) child.kill('SIGKILL');
  };
  const watchers = [watch(run.out, onEvent), watch(checkpoints, onEvent)];
  const { signal } = await ended;
  for (const watcher of watchers) watcher.close();
  return signal === 'SIGKILL';
}

/** What must not depend on whether a run was broken; of the log, what is no measurement of time or memory. */
export async function comparable(out: string) {
  const untimed = ({
    clipsPerSecond,
    dataSeconds,
    stepSeconds,
    othersShare,
    exchangeSeconds,
    rssBytes,
    ...step
  }: Record<string, unknown>) => step;
  return {
    steps: (await readLines(join(out, 'metrics.jsonl'))).map(untimed),
    plans: await readLines(join(out, 'plans.jsonl')),
    quarantine: await readLines(join(out, 'quarantine.jsonl')),
  };
}

/** Names and bytes of all tensors of the last checkpoint: every network, the optimizer, queues, counters. */
async function lastState(out: string): Promise<{ name: string; bytes: string }[]> {
  const last = (await listCheckpoints(join(out, 'checkpoints'))).at(-1)!;
  const { tensors } = await readSafetensors(last.path);
  return tensors.map(({ name, data }) => ({ name, bytes: createHash('sha256').update(data).digest('hex') }));
}

/** Ends a broken run and compares every byte that matters with the run that was not broken. */
export async function resumeAndCompare(
  t: ExecutionContext,
  run: RunOptions,
  unbroken: string,
): Promise<void> {
  await runToEnd(t, run);
  const [expected, found] = await Promise.all(
    [unbroken, run.out].map((out) => readFile(join(out, 'weights.safetensors'))),
  );
  t.true(expected!.equals(found!), 'weights.safetensors differs');
  t.deepEqual(await lastState(run.out), await lastState(unbroken));
  t.deepEqual(await comparable(run.out), await comparable(unbroken));
  t.deepEqual(
    (await readdir(join(run.out, 'checkpoints'))).filter((name) => name.endsWith('.tmp')),
    [],
  );
  t.false(existsSync(join(run.out, 'lock')));
}
