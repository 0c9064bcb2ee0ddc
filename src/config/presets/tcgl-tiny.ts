import { definePreset } from './preset.js';
import { tinySettings, tinyTrain } from './tiny.js';

/**
 * TCGL for two CPU cores and a few hundred short videos. A video passes the encoder as three snippets and as twelve
 * frame sets, three times the frames of two clips, so batches and the run are shorter. Snippets of 0.8 seconds: three
 * of them nearly fit into a video of two seconds.
 */
export const tcglTiny = definePreset({
  name: 'tcgl-tiny',
  description:
    'TCGL for 2 CPU cores: R3D-10 at a quarter of its width, 3 snippets of 8 x 64 x 64, batch 16, 450 steps',
  config: {
    method: 'tcgl',
    model: tinySettings.model,
    data: {
      clip: { ...tinySettings.data.clip, stride: 2 },
      input: 'temporal-mean-removed',
      augment: { crop: { area: [0.5, 1], aspect: [2 / 3, 3 / 2] } },
    },
    train: { ...tinyTrain, batch: 16 },
    tcgl: { gap: 2 },
  },
});
