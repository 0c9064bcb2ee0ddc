import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { BatchPlan } from '#src/data/plan.js';
import { resolveConfig, type TrainConfig } from '#src/methods/config.js';
import { getMethod } from '#src/methods/registry.js';
import { loadEngine } from '#src/native/load.js';
import { buildSessionSpec } from '#src/train/session-spec.js';
import { train } from '#src/train/train.js';
import { makeTinyVideos, readLines, tinyConfig } from '../helpers/tiny-run.js';

const videos = await makeTinyVideos(11);
const newOut = async () => join(await mkdtemp(join(tmpdir(), 'vssl-cate-')), 'run');

function configOf(reading: 'A' | 'B'): TrainConfig {
  const { cvrl, ...rest } = tinyConfig();
  return {
    ...rest,
    method: 'cate',
    cate: {
      encode: ['time', 'crop', 'flip', 'speed', 'colour'],
      speeds: [0.5, 1],
      reading,
      anchors: 3,
      transformer: { layers: 1, heads: 2, width: 16, mlpRatio: 2, dim: 8 },
    },
  };
}

for (const reading of ['A', 'B'] as const) {
  test(`reading ${reading}: a run with bad files resumes exactly, and its plans give its losses again`, async (t) => {
    const [whole, parts] = [await newOut(), await newOut()];
    const config = configOf(reading);
    await train(config, { out: whole, data: videos.folder }).result;
    await train(config, { out: parts, data: videos.folder, maxSteps: 4 }).result;
    await train(config, { out: parts, data: videos.folder }).result;
    const weights = (out: string) => readFile(join(out, 'weights.safetensors'));
    t.deepEqual(await weights(parts), await weights(whole));
    t.true((await readLines(join(whole, 'quarantine.jsonl'))).some(({ where }) => (where as number) >= 0));

    // What the head was told is what the executed plans say, those of replaced files too.
    const resolved = resolveConfig(config);
    const engine = loadEngine();
    const session = await engine.createSession(buildSessionSpec(resolved, { accumulate: 1, device: 'cpu' }));
    const loader = engine.createLoader({ threads: 2, cacheBytes: 0 });
    const plans = (await readLines(join(whole, 'plans.jsonl'))) as unknown as (BatchPlan & {
      step: number;
    })[];
    const metrics = await readLines(join(whole, 'metrics.jsonl'));
    t.is(plans.length, 8);
    for (const [i, { version, views, side = [] }] of plans.entries()) {
      const plan: BatchPlan = { version, views, side };
      const { batch, failures } = await loader.load(plan);
      t.deepEqual(failures, []);
      const hyper = getMethod('cate').hyper(resolved, { step: i, totalSteps: 8 });
      const { losses } = await session.step(batch, { ...hyper, lr: metrics[i]!.lr as number });
      t.is(losses.loss, metrics[i]!.loss as number);
      batch.dispose();
    }
    loader.dispose();
    session.dispose();
  });
}
