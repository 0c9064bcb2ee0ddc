import type { BaseConfigInput } from '../config/schema.js';

const shared = {
  batch: 512,
  epochs: 200,
  schedule: { name: 'cosine', warmupEpochs: 35, finalLr: 0 },
  precision: 'bf16',
} as const;

/** `train` of video SimCLR on Kinetics in facebookresearch/SlowFast (configs/contrastive_ssl). */
export const larsOnKinetics = {
  ...shared,
  optimizer: { name: 'lars', lr: 4.8, momentum: 0.9, weightDecay: 1e-6, trustCoefficient: 0.001 },
} satisfies BaseConfigInput['train'];

/** The same of video MoCo. */
export const sgdOnKinetics = {
  ...shared,
  optimizer: { name: 'sgd', lr: 0.4, momentum: 0.9, weightDecay: 1e-4 },
} satisfies BaseConfigInput['train'];
