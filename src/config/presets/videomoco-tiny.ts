import { tinyMomentum } from './moco-tiny.js';
import { definePreset } from './preset.js';
import { tinySettings, tinyTrain } from './tiny.js';

/**
 * VideoMoCo for two CPU cores and a few hundred short videos: the settings of moco-tiny, frames dropped half the time. The
 * views are two windows as there, not one window as published, so that what differs from MoCo is dropping and decay.
 */
export const videomocoTiny = definePreset({
  name: 'videomoco-tiny',
  description:
    'VideoMoCo for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 450 steps',
  config: {
    method: 'videomoco',
    ...tinySettings,
    train: tinyTrain,
    videomoco: { ...tinyMomentum, sameWindow: false },
  },
});
