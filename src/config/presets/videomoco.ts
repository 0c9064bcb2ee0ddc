import { definePreset } from './preset.js';

/** VideoMoCo on Kinetics (tinapan-pt/VideoMoCo, README's command and train.py's defaults). */
export const videomoco = definePreset({
  name: 'videomoco',
  description: 'VideoMoCo on Kinetics: R(2+1)D-18, 32 frames, 112 x 112, batch 32, SGD, 200 epochs',
  config: {
    method: 'videomoco',
    model: { arch: 'r2plus1d_18', width: 1 },
    data: {
      clip: { frames: 32, stride: 1, size: 112 },
      input: 'rgb',
      normalize: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
    },
    train: {
      batch: 32,
      epochs: 200,
      optimizer: { name: 'sgd', lr: 0.005, momentum: 0.9, weightDecay: 1e-4 },
      schedule: { name: 'step', milestones: [120, 160], gamma: 0.1 },
      precision: 'bf16',
    },
  },
});
