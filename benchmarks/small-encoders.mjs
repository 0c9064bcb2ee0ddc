// Encoders to search with: a short run of a small preset, and the same network untrained.
import { cpus } from 'node:os';
import { join } from 'node:path';
import { bareRow } from '../dist/esm/data/rows.js';
import { calibrateEncoder } from '../dist/esm/eval/calibrate.js';
import { readEncoderDescription, VideoEncoder } from '../dist/esm/index.js';
import { loadEngine } from '../dist/esm/native/load.js';
import { cli } from './cli.mjs';

/** A run without labels, of `steps` steps; not again where it is done. */
export async function trained(run, data, { preset, steps, seed, changes }) {
  const set = { ...changes, 'train.steps': steps, 'train.schedule.warmupSteps': Math.round(steps / 20) };
  const sets = Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  cli(['train', '--preset', preset, '--data', data, '--out', run, '--seed', `${seed}`, ...sets]);
  return await VideoEncoder.load(run);
}

/** The same network untrained, with the BatchNorm statistics of these videos: else it would be a straw man. */
export async function untrainedLike(run, videos, seed) {
  const description = await readEncoderDescription(join(run, 'weights.safetensors'));
  const encoder = await VideoEncoder.createLike(description, { seed });
  const loader = loadEngine().createLoader({ threads: cpus().length, cacheBytes: 0 });
  try {
    const rows = videos.map((path) => bareRow(path, path, { kind: 'file', path }));
    const planClip = async ({ path }) => Object.values(await encoder.planFile(path, 1, 1))[0][0];
    await calibrateEncoder(encoder, loader, rows, planClip);
  } finally {
    loader.dispose();
  }
  return encoder;
}
