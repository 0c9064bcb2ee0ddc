// kNN while training: the curve that a run leaves, by folds and against a test set of its own.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { train } from '#src/index.js';
import { parseEvents } from '#src/train/tensorboard.js';
import { readLines, tinyConfig } from '../helpers/tiny-run.js';

const folder = await mkdtemp(join(tmpdir(), 'vssl-knn-'));
test.after.always(() => rm(folder, { recursive: true }));

const set = (split: string) => `synthetic:motion?split=${split}&count=48&pixels=32&appearances=6`;
const runWith = async (name: string, evaluation: object) => {
  const out = join(folder, name);
  const config = tinyConfig({ train: { batch: 16, steps: 6, schedule: { warmupSteps: 1 } } });
  await train({ ...config, eval: { everyEpochs: 1, ...evaluation } }, { data: set('train'), out });
  const lines = await readLines(join(out, 'metrics.jsonl'));
  return { out, curve: lines.filter(({ evaluation }) => evaluation === 'knn') };
};

test.serial('each epoch adds a point with its interval to metrics.jsonl and to TensorBoard', async (t) => {
  const { out, curve } = await runWith('folds', { data: set('train'), folds: 'group:3' });
  t.deepEqual(
    curve.map(({ step }) => step),
    [3, 6],
  );
  for (const point of curve) {
    const { accuracy, accuracyLow, accuracyHigh, top5 } = point as Record<string, number>;
    t.true(accuracyLow! <= accuracy! && accuracy! <= accuracyHigh!);
    t.true(top5! >= accuracy!, 'of 16 motions');
  }
  const events = (await readdir(out)).find((name) => name.startsWith('events.out'))!;
  const scalars = [...parseEvents(await readFile(join(out, events)))].map((event) => event.scalars);
  const values = scalars.flatMap((each) => ('eval/knn/accuracy' in each ? [each['eval/knn/accuracy']] : []));
  t.is(values.length, 2);
  for (const [i, point] of curve.entries()) t.true(Math.abs(values[i]! - Number(point.accuracy)) < 1e-6);
});

test.serial('a test set of its own takes the place of folds', async (t) => {
  const { curve } = await runWith('sets', { data: set('train'), test: set('test') });
  t.is(curve.length, 2);
  for (const { accuracy } of curve) t.true(Number(accuracy) >= 0 && Number(accuracy) <= 1);
});
