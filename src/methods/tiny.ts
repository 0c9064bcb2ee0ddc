import type { BaseConfigInput } from '../config/schema.js';

/**
 * Settings for two CPU cores and a few hundred short videos. What differs from the published settings besides size: the
 * still background is taken away, because on small sets instance discrimination leans on it; crops and colours vary
 * less and AdamW takes the place of SGD, because a few hundred steps are too few for the full recipe. 8 frames in 1.6
 * seconds, whatever the rate of a video: half that span made retrieval several times worse, and more leaves two seconds
 * of video with no two windows that differ.
 */
export const tinySettings = {
  model: { arch: 'r3d_10', width: 0.25 },
  data: {
    clip: { frames: 8, stride: 4, fps: 18, size: 64 },
    input: 'temporal-mean-removed',
    augment: {
      crop: { area: [0.5, 1], aspect: [2 / 3, 3 / 2] },
      jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
      blur: { p: 0.3 },
    },
  },
  train: {
    batch: 48,
    steps: 720,
    optimizer: { name: 'adamw', lr: 3e-3, weightDecay: 0.01 },
    schedule: { name: 'cosine', warmupSteps: 36 },
    precision: 'bf16',
    checkpointEvery: 100,
  },
} satisfies Omit<BaseConfigInput, 'method'>;

/** `train` of most small presets. cvrl-tiny and simclr-tiny are longer, for the sake of retrieval. */
export const tinyTrain = {
  ...tinySettings.train,
  steps: 450,
  schedule: { name: 'cosine', warmupSteps: 25 },
} as const;
