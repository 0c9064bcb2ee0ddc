/** A rank whose group of processes may have less memory than it needs: it ends, the others say why, and the run goes on. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { isAlive } from '../helpers/is-alive.js';
import { type RunOptions, runToEnd, start } from '../helpers/killed-run.js';
import { engineBytes, type MemoryGroup, makeMemoryGroup } from '../helpers/memory-group.js';
import { linesOf, startLaunched } from '../helpers/rank-processes.js';
import { makeTinyVideos, readLines, tinyConfig } from '../helpers/tiny-run.js';

const MB = 2 ** 20;
const linux = process.platform === 'linux';
const beside = (bytes: number) => (linux ? makeMemoryGroup(engineBytes() + bytes) : null);
const [refusing, killing] = [beside(220 * MB), beside(520 * MB)];

const root = await mkdtemp(join(tmpdir(), 'vssl-ranks-memory-'));
const videos = await makeTinyVideos(9);
test.after.always(async () => {
  refusing?.remove();
  killing?.remove();
  await rm(root, { recursive: true, force: true });
});

/** A run whose ranks wait for each other for a minute at most. */
async function configured(name: string, settings: object): Promise<RunOptions> {
  const config = join(root, `${name}.json`);
  await writeFile(config, JSON.stringify(settings));
  return { config, data: videos.folder, out: join(root, name), more: ['--rank-timeout', '60'] };
}

/** The run folder has its first steps whole, and the same command with two ranks goes on to the end. */
async function checkGoesOn(t: ExecutionContext, run: RunOptions, whole: RunOptions, steps: number) {
  const names = await readdir(join(run.out, 'checkpoints'));
  t.deepEqual(
    names.filter((name) => !/^step-\d+\.safetensors$/.test(name)),
    [],
  );
  t.is((await readLines(join(run.out, 'metrics.jsonl'))).length, steps);
  for (const each of [run, whole]) await runToEnd(t, { ...each, more: ['--ranks', '2'] });
  const weights = (out: string) => readFile(join(out, 'weights.safetensors'));
  t.true((await weights(run.out)).equals(await weights(whole.out)));
}

(refusing ? test.serial : test.serial.skip)(
  'a step that needs more than one rank can have: the other names that rank and what it asked for',
  async (t) => {
    const clip = { frames: 16, stride: 1, size: 112 };
    const base = tinyConfig({
      data: { clip },
      train: { batch: 8, steps: 3, checkpointEvery: 1, threads: 1 },
    });
    const settings = { ...base, model: { arch: 'r3d_10', width: 0.5 } };
    const run = await configured('refused', settings);
    const begun = await start({ ...run, more: ['--ranks', '2', '--max-steps', '1'] }).ended;
    t.is(begun.code, 0, begun.stderr);
    const from = performance.now();
    const processes = await startLaunched([run, { ...run, group: refusing! }]);
    const [first, second] = await Promise.all(processes.map(({ ended }) => ended));
    t.true(performance.now() - from < 60_000);
    t.is(refusing!.kills() ?? 0, 0);
    for (const { code, stderr } of [first!, second!]) {
      t.is(code, 1, stderr);
      t.is(stderr.match(/error:/g)?.length, 1, stderr);
    }
    const reason = /step 2, a batch of 8: \d+ bytes more were asked for; this process holds \d+ of the \d+/;
    t.regex(second!.stderr, new RegExp(`error: ${reason.source}.*ERR_VSSL_OUT_OF_MEMORY`));
    t.regex(
      first!.stderr,
      new RegExp(`error: rank 1 \\(.*process \\d+\\) ended: ${reason.source}.*ERR_VSSL_RANKS`),
    );
    for (const { child } of processes) t.false(isAlive(child.pid!), 'no process is left behind');
    await checkGoesOn(t, run, { ...run, out: join(root, 'refused-whole') }, 1);
  },
);

/** A neighbour in a rank's group takes memory until the kernel has ended both, the rank first. */
async function crowdOut(group: MemoryGroup, rank: number): Promise<void> {
  writeFileSync(`/proc/${rank}/oom_score_adj`, '1000');
  const grow = 'const kept = []; for (;;) kept.push(Buffer.alloc(2 ** 24, 1));';
  await once(spawn(...group.wrap([process.execPath, '-e', grow]), { stdio: 'ignore' }), 'close');
}

(killing ? test.serial : test.serial.skip)(
  'a rank that the kernel ends for its memory: the other names it',
  async (t) => {
    const run = await configured(
      'killed',
      tinyConfig({ train: { steps: 20, checkpointEvery: 2, threads: 1 } }),
    );
    const processes = await startLaunched([run, { ...run, group: killing! }]);
    const [first, second] = processes.map(({ child }) => child);
    await linesOf(run, 6, () => {
      if (first!.exitCode !== null) throw new Error('ended too early');
    });
    const from = performance.now();
    first!.kill('SIGSTOP'); // so that no step ends before
    await crowdOut(killing!, second!.pid!);
    first!.kill('SIGCONT');
    const [ended, lost] = await Promise.all(processes.map(({ ended }) => ended));
    t.true(performance.now() - from < 60_000);
    t.is(lost!.signal, 'SIGKILL');
    t.true((killing!.kills() ?? 1) >= 1);
    t.is(ended!.code, 1, ended!.stderr);
    t.is(ended!.stderr.match(/error:/g)?.length, 1, ended!.stderr);
    t.regex(ended!.stderr, /rank 1 \(.*process \d+\) is gone without a word: killed, out of memory/);
    for (const { pid } of [first!, second!]) t.false(isAlive(pid!), 'no process is left behind');
    const steps = (await readLines(join(run.out, 'metrics.jsonl'))).length;
    await checkGoesOn(t, run, { ...run, out: join(root, 'killed-whole') }, steps);
  },
);
