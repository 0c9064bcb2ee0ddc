import { definePreset } from './preset.js';

/** MoCo on video (facebookresearch/SlowFast, configs/contrastive_ssl/MoCo_SlowR50_8x8.yaml, 2 clips). */
export const moco = definePreset({
  name: 'moco',
  description: 'MoCo v2 on Kinetics: R3D-50, 8 frames with stride 8, 224 x 224, batch 512, SGD, 200 epochs',
  config: {
    method: 'moco',
    model: { arch: 'r3d_50', width: 1 },
    data: {
      clip: { frames: 8, stride: 8, size: 224 },
      input: 'rgb',
      augment: {
        crop: { area: [0.2, 0.766], aspect: [3 / 4, 4 / 3] },
        jitter: { brightness: 0.6, contrast: 0.6, saturation: 0.6, hue: 0.15 },
      },
    },
    train: {
      batch: 512,
      epochs: 200,
      optimizer: { name: 'sgd', lr: 0.4, momentum: 0.9, weightDecay: 1e-4 },
      schedule: { name: 'cosine', warmupEpochs: 35, finalLr: 0 },
      precision: 'bf16',
    },
    moco: { temperature: 0.1, momentum: 0.994, momentumSchedule: 'cosine', head: { hiddenLayers: 2 } },
  },
});
