import type { Preset } from './preset.js';

/** SimCLR for two CPU cores and a few hundred short videos: cvrl-tiny with clips drawn uniformly in time. */
export const simclrTiny: Preset = {
  name: 'simclr-tiny',
  description: 'SimCLR for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 900 steps',
  config: {
    method: 'simclr',
    model: { arch: 'r3d_10', width: 0.25 },
    data: {
      clip: { frames: 8, stride: 4, size: 64 },
      input: 'temporal-mean-removed',
      augment: {
        crop: { area: [0.5, 1], aspect: [2 / 3, 3 / 2] },
        jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
        blur: { p: 0.3 },
      },
    },
    train: {
      batch: 48,
      steps: 900,
      optimizer: { name: 'adamw', lr: 3e-3, weightDecay: 0.01 },
      schedule: { name: 'cosine', warmupSteps: 45 },
      precision: 'bf16',
      checkpointEvery: 100,
    },
  },
};
