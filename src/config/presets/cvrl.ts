import { definePreset } from './preset.js';

/** CVRL on Kinetics as published (configs/experiments/cvrl_pretrain_k600_200ep.yaml of the authors' code). */
export const cvrl = definePreset({
  name: 'cvrl',
  description: "CVRL's published Kinetics settings: R3D-50, 16 x 224 x 224, batch 1024, SGD 0.32, 200 epochs",
  config: {
    method: 'cvrl',
    model: { arch: 'r3d_50', width: 1 },
    data: { clip: { frames: 16, stride: 2, size: 224 }, input: 'rgb' },
    train: {
      batch: 1024,
      epochs: 200,
      optimizer: { name: 'sgd', lr: 0.32, momentum: 0.9, nesterov: false, weightDecay: 1e-6 },
      schedule: { name: 'cosine', warmupEpochs: 5, finalLr: 0 },
      precision: 'bf16',
    },
  },
});
