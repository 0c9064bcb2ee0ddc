import { definePreset } from './preset.js';

/**
 * TCGL on UCF101 (YangLiu9208/TCGL, 1_train_TCGL_UCF101_R3D.py). The authors divide the rate by 10 when the validation
 * loss has not fallen for 50 epochs; here it is divided after two thirds and five sixths of the run.
 */
export const tcgl = definePreset({
  name: 'tcgl',
  description: 'TCGL on UCF101: R3D-18, 3 snippets of 16 frames, 112 x 112, batch 24, SGD, 300 epochs',
  config: {
    method: 'tcgl',
    model: { arch: 'r3d_18', width: 1 },
    data: { clip: { frames: 16, stride: 1, size: 112 }, input: 'temporal-mean-removed' },
    train: {
      batch: 24,
      epochs: 300,
      optimizer: { name: 'sgd', lr: 3e-3, momentum: 0.9, weightDecay: 5e-4 },
      schedule: { name: 'step', milestones: [200, 250], gamma: 0.1 },
      precision: 'bf16',
    },
  },
});
