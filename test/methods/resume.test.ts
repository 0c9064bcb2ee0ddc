import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { mergeRaw, type RawConfig } from '#src/config/raw.js';
import { getPreset, listMethods } from '#src/methods/registry.js';
import { killWhen, resumeAndCompare, runToEnd } from '../helpers/killed-run.js';

/**
 * Each method by its tiny preset, with a smaller network and shorter run: killed with SIGKILL after its first checkpoint
 * and resumed, it ends with the bytes of the run that was not killed: queues, ages, momentum encoders, generator, order
 * heads, optimizers and the schedules of all of them.
 */
const STEPS = 9;
const smaller = {
  model: { width: 0.125 },
  data: { clip: { size: 32 }, workers: 2 },
  train: {
    batch: 8,
    steps: STEPS,
    schedule: { warmupSteps: 2 },
    checkpointEvery: 3,
    threads: 2,
    device: 'cpu',
    seed: 5,
  },
  log: { every: 1, plans: true },
};
// queues that are overwritten twice before the run is over, and a generator that learns from the first step on
const shorter: Record<string, RawConfig> = {
  moco: { moco: { queue: 24 } },
  videomoco: { videomoco: { queue: 24, dropFrom: 0 } },
  modist: { modist: { queue: 24 } },
  fame: { fame: { queue: 24 } },
};
const root = await mkdtemp(join(tmpdir(), 'vssl-methods-'));

for (const { name } of listMethods())
  test.serial(`${name}: killed and resumed`, async (t) => {
    const layers = [getPreset(`${name}-tiny`).config, smaller, shorter[name] ?? {}] as RawConfig[];
    const config = join(root, `${name}.json`);
    await writeFile(config, JSON.stringify(layers.reduce((all, layer) => mergeRaw(all, layer))));
    const runAt = (out: string) => ({
      config,
      data: 'synthetic:motion?count=20',
      out: join(root, name, out),
    });
    const [unbroken, broken] = [runAt('unbroken'), runAt('broken')];
    await runToEnd(t, unbroken);
    let lines = 0;
    t.true(await killWhen(broken, (file) => file === 'metrics.jsonl' && ++lines === 5));
    await resumeAndCompare(t, broken, unbroken.out);
  });
