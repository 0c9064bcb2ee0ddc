import { definePreset } from './preset.js';
import { tinySettings, tinyTrain } from './tiny.js';

/** Beside the tiny settings: a queue shorter than the set and a copy that keeps up. */
export const tinyMomentum = {
  queue: 192,
  momentum: 0.99,
  momentumSchedule: 'cosine',
  temperature: 0.1,
  normGroups: 4,
} as const;

/** MoCo for two CPU cores and a few hundred short videos. */
export const mocoTiny = definePreset({
  name: 'moco-tiny',
  description: 'MoCo v2 for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 450 steps',
  config: { method: 'moco', ...tinySettings, train: tinyTrain, moco: tinyMomentum },
});
