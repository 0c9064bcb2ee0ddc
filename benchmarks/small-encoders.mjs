// Encoders to search with: a short run of a small preset, and the same network untrained.
import { cpus } from 'node:os';
import { bareRow } from '../dist/esm/data/rows.js';
import { calibrateEncoder } from '../dist/esm/eval/calibrate.js';
import { VideoEncoder } from '../dist/esm/index.js';
import { loadEngine } from '../dist/esm/native/load.js';
import { cli } from './cli.mjs';

/** Clips of the small presets, and the same for clips of two seconds and pieces of them: 8 pictures in 1.6 s, in 0.6 s. */
export const CLIP = { frames: 8, stride: 4, size: 64, fps: 18 };
export const SHORT_CLIP = { ...CLIP, stride: 1, fps: 12 };

/** A run without labels, of `steps` steps; not again where it is done. */
export async function trained(run, data, { preset, steps, seed, clip = CLIP, input }) {
  const set = {
    ...{ 'data.input': input, 'data.clip.fps': clip.fps, 'data.clip.stride': clip.stride },
    ...{ 'train.steps': steps, 'train.schedule.warmupSteps': Math.round(steps / 20) },
  };
  const sets = Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  cli(['train', '--preset', preset, '--data', data, '--out', run, '--seed', `${seed}`, ...sets]);
  return await VideoEncoder.load(run);
}

/** The network of the small presets untrained, with the BatchNorm statistics of these videos: else it would be a straw man. */
export async function untrained(clip, videos, seed) {
  const encoder = await VideoEncoder.create({ arch: 'r3d_10', width: 0.25, input: 'rgb', clip, seed });
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
