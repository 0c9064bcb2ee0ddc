import { mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test from 'ava';
import { listCheckpoints } from '#src/weights/checkpoint.js';
import { comparable, killWhen, resumeAndCompare, runToEnd } from '../helpers/killed-run.js';
import { makeTinyVideos, tinyConfig } from '../helpers/tiny-run.js';

/**
 * A run that is killed with SIGKILL and resumed ends with the bytes of the run that was not. Real files, one that cannot
 * be opened and one of which clips fail until it leaves among them, three decoder threads.
 */
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

const runAt = (out: string) => ({ config, data: videos.folder, out });
const unbroken = join(root, 'unbroken');

test.before('the unbroken run', async (t) => {
  await runToEnd(t, runAt(unbroken));
  const { steps, quarantine } = await comparable(unbroken);
  t.is(steps.length, STEPS);
  t.true(Number(steps.at(-1)!.epoch) >= 3, 'several epochs');
  const files = quarantine.filter(({ what }) => what === 'file');
  t.deepEqual(
    files.map(({ path }) => path),
    [videos.garbage, videos.undecodable],
  );
  t.true(Number(files[1]!.epoch) < Number(steps.at(-1)!.epoch), 'the run goes on without the damaged file');
  t.true(quarantine.filter(({ what }) => what === 'clip').length >= 3);
});

test.serial('killed in mid-epoch', async (t) => {
  const out = join(root, 'mid-epoch');
  let lines = 0;
  t.true(await killWhen(runAt(out), (name) => name === 'metrics.jsonl' && ++lines === 7));
  const steps = (await listCheckpoints(join(out, 'checkpoints'))).map(({ step }) => step);
  t.deepEqual(steps, [4]);
  await resumeAndCompare(t, runAt(out), unbroken);
});

test.serial('killed before the first checkpoint', async (t) => {
  const out = join(root, 'early');
  t.true(await killWhen(runAt(out), (name) => name === 'metrics.jsonl'));
  t.deepEqual(await listCheckpoints(join(out, 'checkpoints')), []);
  await resumeAndCompare(t, runAt(out), unbroken);
});

test.serial('killed during a checkpoint write', async (t) => {
  for (let attempt = 0; attempt < 10; attempt++) {
    const out = join(root, `during-${attempt}`);
    const killed = await killWhen(
      runAt(out),
      (name) => name.startsWith('step-000000008') && name.endsWith('.tmp'),
    );
    const names = await readdir(join(out, 'checkpoints'));
    const inTime =
      names.some((name) => name.endsWith('.tmp')) && !names.includes('step-000000008.safetensors');
    if (!killed || !inTime) continue; // the write was faster than the kill
    t.true(names.includes('step-000000004.safetensors'));
    return await resumeAndCompare(t, runAt(out), unbroken);
  }
  t.fail('no attempt hit the write of a checkpoint');
});

test.serial('killed just after a checkpoint', async (t) => {
  const out = join(root, 'after');
  const killed = await killWhen(runAt(out), (name) => basename(name) === 'step-000000008.safetensors');
  t.true(killed);
  t.true((await listCheckpoints(join(out, 'checkpoints'))).some(({ step }) => step === 8));
  await resumeAndCompare(t, runAt(out), unbroken);
});

test.serial('killed again and again', async (t) => {
  const out = join(root, 'often');
  for (const last of [2, 6, 9, 13]) {
    let seen = 0;
    await killWhen(runAt(out), (name) => name === 'metrics.jsonl' && ++seen >= last);
  }
  await resumeAndCompare(t, runAt(out), unbroken);
});
