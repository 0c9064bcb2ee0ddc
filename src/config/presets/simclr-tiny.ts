import type { Preset } from './preset.js';

/** SimCLR for two CPU cores and a few hundred short videos: cvrl-tiny with clips drawn uniformly in time. */
export const simclrTiny: Preset = {
  name: 'simclr-tiny',
  description: 'SimCLR for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 500 steps',
  config: {
    method: 'simclr',
    model: { arch: 'r3d_10', width: 0.25 },
    data: { clip: { frames: 8, stride: 2, size: 64 }, input: 'temporal-mean-removed' },
    train: {
      batch: 48,
      steps: 500,
      optimizer: { name: 'sgd', lr: 0.1, momentum: 0.9, weightDecay: 1e-4 },
      schedule: { name: 'cosine', warmupSteps: 25 },
      precision: 'bf16',
      checkpointEvery: 100,
    },
    simclr: { head: { hiddenLayers: 1 } },
  },
};
