import { definePreset } from './preset.js';

/**
 * CATE on Kinetics. Encoder, clip and pixels are those of the published weights; how they were trained is not known, so
 * the optimiser and its schedule are those of SimCLR on video (the preset simclr).
 */
export const cate = definePreset({
  name: 'cate',
  description:
    'CATE on Kinetics: R3D-50, 32 frames, 224 x 224, batch 512, LARS, 200 epochs; time and crop encoded',
  config: {
    method: 'cate',
    model: { arch: 'r3d_50', width: 1 },
    data: { clip: { frames: 32, stride: 1, size: 224 }, input: 'rgb' },
    train: {
      batch: 512,
      epochs: 200,
      optimizer: { name: 'lars', lr: 4.8, momentum: 0.9, weightDecay: 1e-6, trustCoefficient: 0.001 },
      schedule: { name: 'cosine', warmupEpochs: 35, finalLr: 0 },
      precision: 'bf16',
    },
    cate: { encode: ['time', 'crop'] },
  },
});
