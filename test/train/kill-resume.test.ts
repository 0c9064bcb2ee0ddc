import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, watch } from 'node:fs';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { listCheckpoints } from '#src/weights/checkpoint.js';
import { makeTinyVideos, readLines, tinyConfig } from '../helpers/tiny-run.js';

/**
 * A run that is killed with SIGKILL and resumed ends with the bytes of the run that was not. Real files, one that cannot
 * be opened and one that cannot be decoded among them, three decoder threads.
 */
const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const STEPS = 14;
const videos = await makeTinyVideos(11);
const root = await mkdtemp(join(tmpdir(), 'vssl-kill-'));
const config = join(root, 'config.json');
// A wide head makes checkpoints of some megabytes, so that there is time to be killed in the middle of one.
await writeFile(
  config,
  JSON.stringify(
    tinyConfig({
      train: { steps: STEPS, checkpointEvery: 4 },
      cvrl: { head: { hiddenDim: 1024, hiddenLayers: 1, dim: 8 } },
    }),
  ),
);

function start(out: string) {
  const args = [main, 'train', '--config', config, '--data', videos.folder, '--out', out, '--json'];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, CI: '1' },
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

async function runToEnd(t: ExecutionContext, out: string): Promise<void> {
  const { code, stdout, stderr } = await start(out).ended;
  t.is(code, 0, stderr);
  t.like(JSON.parse(stdout.trim().split('\n').at(-1)!), { step: STEPS, finished: true });
}

/** Kills the run at the first file event for which `when` holds; false when it ended before that. */
async function killWhen(out: string, when: (name: string) => boolean): Promise<boolean> {
  const checkpoints = join(out, 'checkpoints');
  mkdirSync(checkpoints, { recursive: true });
  const { child, ended } = start(out);
  const onEvent = (_kind: string, name: string | null) => {
    if (name && when(name)) child.kill('SIGKILL');
  };
  const watchers = [watch(out, onEvent), watch(checkpoints, onEvent)];
  const { signal } = await ended;
  for (const watcher of watchers) watcher.close();
  return signal === 'SIGKILL';
}

const comparable = async (out: string) => ({
  steps: (await readLines(join(out, 'metrics.jsonl'))).map(({ step, epoch, loss, lr }) => [
    step,
    epoch,
    loss,
    lr,
  ]),
  plans: await readLines(join(out, 'plans.jsonl')),
  quarantine: await readLines(join(out, 'quarantine.jsonl')),
});

const unbroken = join(root, 'unbroken');

test.before('the unbroken run', async (t) => {
  await runToEnd(t, unbroken);
  const { steps, quarantine } = await comparable(unbroken);
  t.is(steps.length, STEPS);
  t.true(Number(steps.at(-1)![1]) >= 3, 'several epochs');
  t.deepEqual(quarantine.map(({ path }) => path).sort(), [videos.garbage, videos.undecodable].sort());
});

async function resumeAndCompare(t: ExecutionContext, out: string): Promise<void> {
  await runToEnd(t, out);
  const [expected, found] = await Promise.all(
    [unbroken, out].map((run) => readFile(join(run, 'weights.safetensors'))),
  );
  t.true(expected!.equals(found!), 'weights.safetensors differs');
  t.deepEqual(await comparable(out), await comparable(unbroken));
  t.deepEqual(
    (await readdir(join(out, 'checkpoints'))).filter((name) => name.endsWith('.tmp')),
    [],
  );
  t.false(existsSync(join(out, 'lock')));
}

test.serial('killed in mid-epoch', async (t) => {
  const out = join(root, 'mid-epoch');
  let lines = 0;
  t.true(await killWhen(out, (name) => name === 'metrics.jsonl' && ++lines === 7));
  const steps = (await listCheckpoints(join(out, 'checkpoints'))).map(({ step }) => step);
  t.deepEqual(steps, [4]);
  await resumeAndCompare(t, out);
});

test.serial('killed before the first checkpoint', async (t) => {
  const out = join(root, 'early');
  t.true(await killWhen(out, (name) => name === 'metrics.jsonl'));
  t.deepEqual(await listCheckpoints(join(out, 'checkpoints')), []);
  await resumeAndCompare(t, out);
});

test.serial('killed during a checkpoint write', async (t) => {
  for (let attempt = 0; attempt < 10; attempt++) {
    const out = join(root, `during-${attempt}`);
    const killed = await killWhen(out, (name) => name.startsWith('step-000000008') && name.endsWith('.tmp'));
    const names = await readdir(join(out, 'checkpoints'));
    const inTime =
      names.some((name) => name.endsWith('.tmp')) && !names.includes('step-000000008.safetensors');
    if (!killed || !inTime) continue; // the write was faster than the kill
    t.true(names.includes('step-000000004.safetensors'));
    return await resumeAndCompare(t, out);
  }
  t.fail('no attempt hit the write of a checkpoint');
});

test.serial('killed just after a checkpoint', async (t) => {
  const out = join(root, 'after');
  const killed = await killWhen(out, (name) => basename(name) === 'step-000000008.safetensors');
  t.true(killed);
  t.true((await listCheckpoints(join(out, 'checkpoints'))).some(({ step }) => step === 8));
  await resumeAndCompare(t, out);
});

test.serial('killed again and again', async (t) => {
  const out = join(root, 'often');
  for (const last of [2, 6, 9, 13]) {
    let seen = 0;
    await killWhen(out, (name) => name === 'metrics.jsonl' && ++seen >= last);
  }
  await resumeAndCompare(t, out);
});
