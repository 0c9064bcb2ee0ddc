import { definePreset } from './preset.js';
import { tinySettings, tinyTrain } from './tiny.js';

/** CATE for two CPU cores and a few hundred short videos: 2 seconds of shift are told as 1. */
export const cateTiny = definePreset({
  name: 'cate-tiny',
  description:
    'CATE for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 450 steps; time, crop and flip encoded',
  config: {
    method: 'cate',
    ...tinySettings,
    train: tinyTrain,
    cate: { encode: ['time', 'crop', 'flip'], timeScale: 2 },
  },
});
