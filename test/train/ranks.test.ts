/**
 * Processes that train together: the bytes of one another, of two equal runs, and of a run that was broken; and how they
 * end when one of them is lost.
 */
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { freePort } from '#src/train/free-port.js';
import { listCheckpoints } from '#src/weights/checkpoint.js';
import { readSafetensors } from '#src/weights/safetensors.js';
import { isAlive } from '../helpers/is-alive.js';
import { comparable, type RunOptions, resumeAndCompare, runToEnd, start } from '../helpers/killed-run.js';
import { asLaunched, disturb } from '../helpers/rank-processes.js';
import { makeTinyVideos, readLines, tinyConfig } from '../helpers/tiny-run.js';

const STEPS = 14;
const videos = await makeTinyVideos(11);
const root = await mkdtemp(join(tmpdir(), 'vssl-ranks-'));
const at = (name: string) => join(root, name);
const config = at('config.json');
const settings = tinyConfig({ train: { steps: STEPS, checkpointEvery: 4, threads: 1 } });
await writeFile(config, JSON.stringify(settings));

const runAt = (name: string, ...more: string[]): RunOptions => ({
  ...{ config, data: videos.folder, out: at(name) },
  more: ['--ranks', '2', ...more],
});

const unbroken = at('unbroken');

test.before('the unbroken run on two ranks', async (t) => {
  await runToEnd(t, runAt('unbroken'));
  const { steps, quarantine } = await comparable(unbroken);
  t.is(steps.length, STEPS);
  t.deepEqual(
    quarantine.filter(({ what }) => what === 'file').map(({ path }) => path),
    [videos.garbage, videos.undecodable],
    'what one rank could not load has left on both',
  );
  t.false(existsSync(join(unbroken, 'lock')));
});

test.serial('two ranks train as one process does', async (t) => {
  const alone = at('alone');
  await runToEnd(t, { ...runAt('alone'), more: [] });
  const [one, two] = await Promise.all([comparable(alone), comparable(unbroken)]);
  t.deepEqual(two.plans, one.plans);
  t.deepEqual(two.quarantine, one.quarantine);
  for (const [i, { loss }] of two.steps.entries()) {
    const off = Math.abs(Number(loss) - Number(one.steps[i]!.loss));
    // in fp32 with this rate two runs drift apart; how far a rounding alone takes them is what native tests hold it to
    t.true(off < (i === 0 ? 1e-5 : 0.1), `step ${i + 1}: ${off}`);
  }
});

test.serial('two equal runs have the same bytes', async (t) => {
  await runToEnd(t, runAt('again'));
  const files = await Promise.all(
    [unbroken, at('again')].map((out) => readFile(join(out, 'weights.safetensors'))),
  );
  t.true(files[0]!.equals(files[1]!));
  t.deepEqual(await comparable(at('again')), await comparable(unbroken));
});

async function checkLost(
  t: ExecutionContext,
  end: Awaited<ReturnType<typeof disturb>>,
  says: RegExp,
  longest: number,
) {
  t.is(end.code, 1, end.stderr);
  t.regex(end.stderr, says);
  t.is(end.stderr.match(/error:/g)?.length, 1, end.stderr);
  t.true(end.seconds < longest, `${end.seconds} s`);
  for (const pid of end.ranks) t.false(isAlive(pid), 'no process is left behind');
}

for (const rank of [1, 0])
  test.serial(
    `rank ${rank} is killed: the other ends, and the same command goes on to the same bytes`,
    async (t) => {
      const run = runAt(`killed-${rank}`);
      const end = await disturb(run, 6, (ranks) => process.kill(ranks[rank]!, 'SIGKILL'));
      const says =
        rank === 1 ? /rank 1 \(.*process \d+\) is gone without a word/ : /rank 0 was ended by SIGKILL/;
      await checkLost(t, end, says, 20);
      t.deepEqual(
        (await listCheckpoints(join(run.out, 'checkpoints'))).map(({ step }) => step),
        [4],
      );
      await resumeAndCompare(t, run, unbroken);
    },
  );

test.serial('a rank is stopped: the other gives it the time it has, and ends', async (t) => {
  const run = runAt('stopped', '--rank-timeout', '3');
  const end = await disturb(run, 6, (ranks) => process.kill(ranks[1]!, 'SIGSTOP'));
  await checkLost(t, end, /rank 1 \(.*\) did not answer for 3 s/, 40);
  await resumeAndCompare(t, runAt('stopped'), unbroken);
});

test.serial('Ctrl-C stops all ranks at one step, with a checkpoint', async (t) => {
  const run = runAt('interrupted');
  const end = await disturb(run, 5, (_, launcher) => process.kill(launcher, 'SIGINT'));
  t.is(end.code, 130, end.stderr);
  t.regex(end.stderr, /stopped after step \d+, with a checkpoint/);
  for (const pid of end.ranks) t.false(isAlive(pid));
  await resumeAndCompare(t, run, unbroken);
});

test.serial('a launcher that is killed leaves no rank behind', async (t) => {
  const end = await disturb(runAt('orphans'), 3, (_, launcher) => process.kill(launcher, 'SIGKILL'));
  for (let i = 0; i < 200 && end.ranks.some(isAlive); i++) await delay(50);
  for (const pid of end.ranks) t.false(isAlive(pid));
});

test.serial('a run goes on with another number of ranks', async (t) => {
  const out = at('other-number');
  const first = await start(runAt('other-number', '--max-steps', '4')).ended;
  t.is(first.code, 0, first.stderr);
  const { code, stderr } = await start({ config, data: videos.folder, out, more: ['--ranks', '4'] }).ended;
  t.is(code, 0, stderr);
  t.regex(stderr, /was made with 2 ranks and goes on with 4: its last bits/);
  const last = await readLines(join(out, 'metrics.jsonl'));
  const expected = await readLines(join(unbroken, 'metrics.jsonl'));
  t.is(last.length, STEPS);
  t.true(Math.abs(Number(last.at(-1)!.loss) - Number(expected.at(-1)!.loss)) < 0.1);
});

test.serial('ranks of another configuration, or of other videos, do not begin', async (t) => {
  const plain = (name: string, change: Partial<RunOptions> = {}): RunOptions => ({
    ...{ config, data: videos.folder, out: at(name), more: ['--rank-timeout', '20'] },
    ...change,
  });
  const [first, other] = await asLaunched([
    plain('spec-0'),
    plain('spec-1', { more: ['--rank-timeout', '20', '--seed', '9'] }),
  ]);
  for (const { code, stderr } of [first!, other!]) {
    t.is(code, 1);
    t.regex(stderr, /rank 1 would not train what rank 0 does: train\.seed is 9 there and 3 on rank 0/);
  }
  const fewer = at('fewer');
  await cp(videos.folder, fewer, { recursive: true, filter: (path) => basename(path) !== 'v05.mp4' });
  for (const { code, stderr } of await asLaunched([plain('data-0'), plain('data-1', { data: fewer })])) {
    t.is(code, 1);
    t.regex(stderr, /data\.path holds other videos there \(12\) than on rank 0 \(13\)/);
  }
  const [one, two] = await asLaunched([plain('gone-0'), plain('gone-1', { data: at('nowhere') })]);
  t.is(two!.code, 4);
  t.regex(one!.stderr, /rank 1 ended: .*nowhere/);
});

test.serial('a file that one rank alone cannot use is named', async (t) => {
  const damaged = at('damaged');
  await cp(videos.folder, damaged, { recursive: true });
  await writeFile(join(damaged, 'v05.mp4'), Buffer.alloc(4000, 'no video'));
  const of = (rank: number, data: string): RunOptions => ({
    ...{ config, data, out: at(`damaged-${rank}`), more: ['--rank-timeout', '20'] },
  });
  for (const { code, stderr } of await asLaunched([of(0, videos.folder), of(1, damaged)])) {
    t.is(code, 1, stderr);
    t.regex(stderr, /cannot use a file that rank \d can: .*v05\.mp4|rank \d ended: .*v05\.mp4/);
  }
});

test.serial('what ranks cannot share is refused before anything is read', async (t) => {
  const odd = await start({ ...runAt('odd'), more: ['--ranks', '3'] }).ended;
  t.is(odd.code, 2);
  t.regex(odd.stderr, /train\.batch.*multiple of the 3 ranks.*but got 4; next to it: 3 and 6/);
  const both = await start(runAt('both'), { RANK: '0', WORLD_SIZE: '4', MASTER_ADDR: 'a', MASTER_PORT: '1' })
    .ended;
  t.is(both.code, 2);
  t.regex(both.stderr, /--ranks 2 starts processes of its own, but a launcher has started 4/);
  const lonely = await start(
    { ...runAt('lonely'), more: ['--rank-timeout', '2'] },
    {
      RANK: '1',
      WORLD_SIZE: '2',
      LOCAL_RANK: '0',
      MASTER_ADDR: '127.0.0.1',
      MASTER_PORT: `${await freePort()}`,
    },
  ).ended;
  t.is(lonely.code, 1);
  t.regex(lonely.stderr, /rank 1 did not reach rank 0 at 127\.0\.0\.1:\d+ within 2 s/);
});

test.serial('BatchNorm sees the batch of all ranks, or not', async (t) => {
  const run = runAt('apart', '--set', 'train.syncNorm=false');
  await runToEnd(t, run);
  const losses = async (out: string) => (await readLines(join(out, 'metrics.jsonl'))).map(({ loss }) => loss);
  t.notDeepEqual(await losses(run.out), await losses(unbroken));
  const { tensors } = await readSafetensors(join(run.out, 'weights.safetensors'));
  t.true(tensors.length > 0);
});
