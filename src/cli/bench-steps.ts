/** The training steps of `bench step`: the small presets, and large networks. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchCase } from '../bench/case.js';
import { type StepSource, stepCase } from '../bench/engine/step.js';
import type { ResolvedConfig } from '../config/schema.js';
import { loadManifest } from '../data/manifest.js';
import { BatchPlanner } from '../data/planner.js';
import { Quarantine } from '../data/quarantine.js';
import { openFacts } from '../embed/video-facts.js';
import { loadConfig } from '../methods/config.js';
import { getMethod, listMethods } from '../methods/registry.js';
import { loadEngine, packageRoot } from '../native/load.js';
import { buildSessionSpec } from '../train/session-spec.js';

const DATA = 'synthetic:motion?count=64';
/** How far the run has come: VideoMoCo drops frames then. */
const PROGRESS = 3 / 4;
/** The preset with which large networks are trained on large clips. */
const LARGE = {
  preset: 'simclr-tiny',
  archs: ['r3d_18', 'r2plus1d_18', 'c3d'],
  set: ['model.width=1', 'data.clip.frames=16', 'data.clip.stride=2', 'data.clip.size=112', 'train.batch=4'],
};

/** Every small preset, then the large networks. */
export function stepCases(): BenchCase[] {
  const small = listMethods().map(({ name }) => {
    const preset = `${name}-tiny`;
    return stepCaseOf(preset, loadConfig({ preset }));
  });
  const large = LARGE.archs.map((arch) => {
    const config = loadConfig({ preset: LARGE.preset, set: [...LARGE.set, `model.arch=${arch}`] });
    return stepCaseOf(`${config.method} ${arch} 16x112x112 batch 4 ${config.train.precision}`, config);
  });
  return [...small, ...large];
}

/** The steps of a run of this configuration. */
export function stepCaseOf(name: string, config: ResolvedConfig): BenchCase {
  const { model, data, train } = config;
  const { nativeOptions } = getMethod(config.method);
  const { name: optimizer, lr, momentum, weightDecay } = train.optimizer;
  const options = Object.entries(nativeOptions(config)).filter(([, value]) => typeof value !== 'object');
  const module = `step_${config.method}`;
  return stepCase({
    name,
    parameters: {
      ...{ method: config.method, arch: model.arch, width: model.width, precision: train.precision },
      ...{ batch: train.batch, frames: data.clip.frames, size: data.clip.size },
      ...{ optimizer, lr, momentum, weightDecay },
      ...(Object.fromEntries(options) as Record<string, number | string | boolean>),
    },
    open: () => openStep(config),
    peers: existsSync(join(packageRoot, 'benchmarks', 'peers', `${module}.py`))
      ? [{ module, name: 'torch' }]
      : [],
  });
}

/** The first batch of a run, and what a step is told at three quarters of it. */
async function openStep(config: ResolvedConfig): Promise<StepSource> {
  const engine = loadEngine('cpu');
  const method = getMethod(config.method);
  const totalSteps = config.train.steps ?? 100;
  const facts = await openFacts(engine);
  const planner = new BatchPlanner({
    ...{ config, totalSteps, manifest: await loadManifest(DATA), quarantine: new Quarantine() },
    planViews: (context) => method.planViews(context, config),
    getFacts: (row) => facts.get(row),
  });
  const { plan } = (await planner.planBatch(0)).batch;
  const position = { step: Math.floor(PROGRESS * totalSteps), totalSteps };
  return {
    spec: buildSessionSpec(config, { accumulate: 1, device: 'cpu' }),
    plan,
    hyper: { ...method.hyper(config, position), lr: config.train.optimizer.lr },
  };
}
