import { appendFile, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { PlannedBatch } from '#src/data/planner.js';
import type { FailedClipRecord, QuarantineRecord } from '#src/train/faults.js';
import { RunLog, removeRunLog } from '#src/train/run-log.js';
import { parseEvents } from '#src/train/tensorboard.js';

const newFolder = () => mkdtemp(join(tmpdir(), 'vssl-log-'));
const lines = async (folder: string, name: string) =>
  (await readFile(join(folder, name), 'utf8'))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

async function eventSteps(folder: string): Promise<number[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('events.'));
  const all = await Promise.all(
    names.map(async (name) => [...parseEvents(await readFile(join(folder, name)))]),
  );
  return all.flat().map(({ step }) => step);
}

const planned = (epoch: number) =>
  ({ plan: { version: 1, views: [] }, epoch, samples: [] }) as unknown as PlannedBatch;
const record = (path: string, step: number): QuarantineRecord => ({
  what: 'file',
  id: path,
  path,
  code: 'ERR_VSSL_VIDEO_DECODE',
  reason: 'bad',
  where: 1.5,
  epoch: 0,
  step,
});

const failedClip = (path: string, step: number): FailedClipRecord => ({
  ...record(path, step),
  what: 'clip',
  failed: 1,
  loaded: 0,
});

async function write(folder: string, from: number, to: number, quarantine: QuarantineRecord[] = []) {
  const log = await RunLog.open({ folder, tensorboard: true, plans: true, step: from, quarantine });
  for (let step = from + 1; step <= to; step++) {
    await log.plan(step, planned(0));
    await log.metrics({ step, epoch: 0, loss: step / 2 }, { 'train/loss': step / 2 });
  }
  return log;
}

test('after a resume each file reads as one run', async (t) => {
  const folder = await newFolder();
  const first = await write(folder, 0, 7);
  t.true(await first.quarantine(record('early', 2)));
  t.false(await first.quarantine(record('early', 5)));
  t.true(await first.quarantine(failedClip('odd', 3)));
  t.true(await first.quarantine(failedClip('odd', 4)));
  t.true(await first.quarantine(failedClip('odd', 5)));
  t.true(await first.quarantine(record('late', 6)));
  await first.close();
  // killed while a line was written
  await appendFile(join(folder, 'metrics.jsonl'), '{"step":8,"ep');
  const second = await write(folder, 4, 10, [record('early', 2)]);
  t.false(await second.quarantine(record('early', 9)));
  t.true(await second.quarantine(record('late', 6)));
  await second.close();
  const expected = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  t.deepEqual(
    (await lines(folder, 'metrics.jsonl')).map(({ step }) => step),
    expected,
  );
  t.deepEqual(
    (await lines(folder, 'plans.jsonl')).map(({ step }) => step),
    expected,
  );
  t.deepEqual(
    (await lines(folder, 'quarantine.jsonl')).map(({ path, step }) => [path, step]),
    [
      ['early', 2],
      ['odd', 3],
      ['odd', 4],
      ['late', 6],
    ],
  );
  t.deepEqual(await eventSteps(folder), [0, ...expected]);
});

test('a run that goes on in another folder has the files that are known to be bad', async (t) => {
  const folder = await newFolder();
  await (await write(folder, 4, 6, [record('early', 2)])).close();
  t.deepEqual(
    (await lines(folder, 'quarantine.jsonl')).map(({ path }) => path),
    ['early'],
  );
});

test('a new run starts its files anew', async (t) => {
  const folder = await newFolder();
  await (await write(folder, 0, 3)).close();
  await writeFile(join(folder, 'notes.txt'), 'mine');
  await removeRunLog(folder);
  t.deepEqual(await readdir(folder), ['notes.txt']);
  await (await write(folder, 0, 2)).close();
  t.deepEqual(
    (await lines(folder, 'metrics.jsonl')).map(({ step }) => step),
    [1, 2],
  );
  t.deepEqual(await eventSteps(folder), [0, 1, 2]);
});

test('a damaged event file is cut at the damage', async (t) => {
  const folder = await newFolder();
  await (await write(folder, 0, 5)).close();
  const name = (await readdir(folder)).find((file) => file.startsWith('events.'))!;
  const bytes = await readFile(join(folder, name));
  await writeFile(join(folder, name), bytes.subarray(0, bytes.length - 5));
  await (await write(folder, 5, 6)).close();
  t.deepEqual(await eventSteps(folder), [0, 1, 2, 3, 4, 6]);
});

test('what is switched off is not written', async (t) => {
  const folder = await newFolder();
  const log = await RunLog.open({ folder, tensorboard: false, plans: false, step: 0, quarantine: [] });
  await log.metrics({ step: 1, epoch: 0, loss: 1 }, { 'train/loss': 1 });
  await log.plan(1, planned(0));
  await log.close();
  t.deepEqual((await readdir(folder)).sort(), ['metrics.jsonl', 'quarantine.jsonl']);
});

test('a folder that is not there is named', async (t) => {
  const folder = join(await newFolder(), 'absent');
  const error = await t.throwsAsync(
    RunLog.open({ folder, tensorboard: false, plans: false, step: 0, quarantine: [] }),
    {
      code: 'ERR_VSSL_RUN_WRITE',
    },
  );
  t.true(error!.message.includes(folder));
});
