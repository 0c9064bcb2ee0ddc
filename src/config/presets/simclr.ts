import { definePreset } from './preset.js';

/** SimCLR on video (facebookresearch/SlowFast, configs/contrastive_ssl/SimCLR_SlowR50_8x8.yaml). */
export const simclr = definePreset({
  name: 'simclr',
  description: 'SimCLR on Kinetics: R3D-50, 8 frames with stride 8, 224 x 224, batch 512, LARS, 200 epochs',
  config: {
    method: 'simclr',
    model: { arch: 'r3d_50', width: 1 },
    data: { clip: { frames: 8, stride: 8, size: 224 }, input: 'rgb' },
    train: {
      batch: 512,
      epochs: 200,
      optimizer: { name: 'lars', lr: 4.8, momentum: 0.9, weightDecay: 1e-6, trustCoefficient: 0.001 },
      schedule: { name: 'cosine', warmupEpochs: 35, finalLr: 0 },
      precision: 'bf16',
    },
  },
});
