/** Views that are no clips, that some samples lack, and side arrays: from a method's plan to the loaded batch. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { clockOf, planTrainingClip } from '#src/data/clip-plan.js';
import { loadManifest } from '#src/data/manifest.js';
import type { BatchPlan } from '#src/data/plan.js';
import { BatchPlanner } from '#src/data/planner.js';
import { Quarantine } from '#src/data/quarantine.js';
import type { Manifest, VideoRow } from '#src/data/rows.js';
import type { PlanViews } from '#src/data/views.js';
import { resolveConfig } from '#src/methods/config.js';
import type { NativeBatch } from '#src/native/bindings.js';
import { loadEngine } from '#src/native/load.js';
import { Feed } from '#src/train/feed.js';
import { RunLog } from '#src/train/run-log.js';
import { readLines } from '../helpers/tiny-run.js';

const TOTAL_STEPS = 12;

/** A clip; tokens of every second label; the time at which the clip begins. */
const planViews: PlanViews = (context) => {
  const { row, facts, format, labels, progress, rng } = context;
  const clock = clockOf(row, facts, format);
  const start = rng.fork('time').int(clock.frames);
  const clip = planTrainingClip({ ...context, clock, start, view: 0, rng: rng.fork('augment') });
  const label = labels.indexOf(row.label!);
  const values = [label, progress.totalSteps - progress.step];
  return {
    views: [
      { name: 'clip', clip },
      ...(label % 2 === 1 ? [{ name: 'tokens', dtype: 'int64' as const, shape: [2], values }] : []),
    ],
    side: [{ name: 'start', dtype: 'float32', shape: [], values: [clip.times[0]!] }],
  };
};

/** Videos of which every fourth has gone since it was looked at. */
async function makeManifest(): Promise<Manifest> {
  const manifest = await loadManifest('synthetic:motion?count=24&pixels=32&seconds=1');
  const rows = manifest.rows.map(
    (row, i): VideoRow => (i % 4 === 2 ? { ...row, source: { kind: 'file', path: `/gone/${i}` } } : row),
  );
  return { ...manifest, rows };
}

const contentOf = (batch: NativeBatch) =>
  [...batch.views(), ...batch.side()].map(({ name, dtype, shape, rows }) => ({
    ...{ name, shape, rows },
    values: dtype === 'int64' ? batch.toInt64(name) : batch.toFloat32(name),
  }));

test('plans reach the loader, bad files are replaced, and the log replays', async (t) => {
  const manifest = await makeManifest();
  const data = { clip: { frames: 2, stride: 2, size: 8 } };
  const config = resolveConfig({ method: 'cvrl', data, train: { batch: 4, seed: 1 } });
  const quarantine = new Quarantine();
  const getFacts = async ({ facts }: VideoRow) => facts!;
  const planner = new BatchPlanner({
    ...{ config, manifest, quarantine, getFacts, planViews },
    totalSteps: TOTAL_STEPS,
  });
  const loader = loadEngine().createLoader({ threads: 2, cacheBytes: 0 });
  const loads = { patches: 0, whole: 0 };
  const load = (plan: object, into?: NativeBatch) => {
    loads[into ? 'patches' : 'whole'] += 1;
    return loader.load(plan, into);
  };
  const folder = await mkdtemp(join(tmpdir(), 'vssl-views-'));
  const log = await RunLog.open({ folder, tensorboard: false, plans: true, step: 0, quarantine: [] });
  const feed = new Feed({
    ...{ planner, loader: { load }, quarantine, rows: manifest.rows, onError: 'substitute' },
    ...{ from: 0, to: TOTAL_STEPS, aheadBytes: 2 ** 20 },
  });
  const labels = [...new Set(manifest.rows.map(({ label }) => label!))].sort();
  const contents: ReturnType<typeof contentOf>[] = [];
  for (let step = 0; step < TOTAL_STEPS; step++) {
    const { batch, planned } = await feed.next();
    const content = contentOf(batch);
    const [clip, ...others] = content;
    const classes = planned.samples.map(({ row }) => labels.indexOf(row.label!));
    const rows = classes.flatMap((label, i) => (label % 2 === 1 ? [i] : []));
    t.deepEqual(clip!.shape, [4, 2, 8, 8, 3]);
    const start = others.pop()!;
    t.deepEqual(start, {
      ...{ name: 'start', shape: [4], rows: null },
      values: Float32Array.from(planned.plan.views[0]!.clips!, ({ times }) => times[0]!),
    });
    const values = BigInt64Array.from(rows.flatMap((i) => [classes[i]!, TOTAL_STEPS - step]).map(BigInt));
    const tokens = { name: 'tokens', shape: [rows.length, 2], rows: rows.length < 4 ? rows : null, values };
    t.deepEqual(others, rows.length > 0 ? [tokens] : []);
    contents.push(content);
    await log.plan(step + 1, planned);
    batch.dispose();
  }
  await feed.close();
  await log.close();
  t.true(loads.patches > 0 && loads.whole > TOTAL_STEPS, 'replaced in place, and loaded anew');

  const plans = (await readLines(join(folder, 'plans.jsonl'))) as unknown as BatchPlan[];
  t.is(plans.length, TOTAL_STEPS);
  for (const [i, plan] of plans.entries()) {
    const { batch, failures } = await loader.load(plan);
    t.deepEqual(failures, []);
    t.deepEqual(contentOf(batch), contents[i], `step ${i}`);
    batch.dispose();
  }
  loader.dispose();
});
