import { tinyMomentum } from './moco-tiny.js';
import { definePreset } from './preset.js';
import { tinySettings, tinyTrain } from './tiny.js';

/**
 * MoDist for two CPU cores and a few hundred short videos: the settings of moco-tiny, frame differences as motion. Four
 * clips of a video pass four networks, so batches are smaller.
 */
export const modistTiny = definePreset({
  name: 'modist-tiny',
  description:
    'MoDist for 2 CPU cores: R3D-10 at a quarter of its width, motion at an eighth, 8 x 64 x 64, batch 32, 450 steps',
  config: {
    method: 'modist',
    ...tinySettings,
    train: { ...tinyTrain, batch: 32 },
    modist: { ...tinyMomentum, motion: { input: 'difference' } },
  },
});
