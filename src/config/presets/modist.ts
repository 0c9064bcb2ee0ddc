import { definePreset } from './preset.js';

/**
 * MoDist on Kinetics: what is known of the authors' settings (defaults of amazon-science/self-supervised-maclr), the
 * optimiser of moco's preset where nothing is known.
 */
export const modist = definePreset({
  name: 'modist',
  description:
    'MoDist on Kinetics: R3D-50, 8 frames with stride 8 and flow edges of 16 with stride 4, 224 x 224, batch 512, SGD, 600 epochs',
  config: {
    method: 'modist',
    model: { arch: 'r3d_50', width: 1 },
    data: {
      clip: { frames: 8, stride: 8, fps: 30, size: 224 },
      input: 'rgb',
      augment: {
        crop: { area: [0.3, 1], aspect: [0.5, 2] },
        jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
      },
    },
    train: {
      batch: 512,
      epochs: 600,
      optimizer: { name: 'sgd', lr: 0.4, momentum: 0.9, weightDecay: 1e-4 },
      schedule: { name: 'cosine', warmupEpochs: 35, finalLr: 0 },
      precision: 'bf16',
    },
    modist: { motion: { frames: 16, stride: 4 }, head: { hiddenDim: 2048 } },
  },
});
