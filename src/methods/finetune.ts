/**
 * Fine-tuning: the whole network learns the labels of the data, from weights that another method has trained (`--init`)
 * or from none. docs/methods/finetune.md has the equations.
 */
import { z } from 'zod';
import { between } from '../config/fields.js';
import type { BaseConfigInput } from '../config/schema.js';
import { Rng } from '../data/rng.js';
import { classCount, planLabelled } from './labelled.js';
import { defineMethod } from './method.js';
import { tinySettings } from './tiny.js';

/** Slow R50 8x8 as facebookresearch/SlowFast fine-tunes it on UCF101 (configs/contrastive_ssl/finetune_ucf_Slow_R50_syn8.yaml). */
const onUcf101 = {
  model: { arch: 'r3d_50', width: 1 },
  data: {
    clip: { frames: 8, stride: 8, size: 224 },
    input: 'rgb',
    augment: {
      crop: { area: [0.4, 0.766], aspect: [3 / 4, 4 / 3] },
      jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
      gray: 0.2,
      blur: { p: 0 },
    },
  },
  train: {
    batch: 64,
    epochs: 200,
    optimizer: { name: 'sgd', lr: 0.01, momentum: 0.9, weightDecay: 0 },
    schedule: { name: 'cosine', finalLr: 0 },
    precision: 'bf16',
  },
} satisfies Omit<BaseConfigInput, 'method'>;

const plain = { crop: onUcf101.data.augment.crop, jitter: { p: 0 }, gray: 0, blur: { p: 0 } } as const;

export const finetune = defineMethod({
  name: 'finetune',
  title: 'Fine-tuning',
  description:
    'The whole network learns the labels of the data, what is nearest to the pictures the slowest. Begin it with --init.',
  labels: true,
  configSchema: z.strictObject({
    classes: classCount,
    dropout: between(0, 0.99).default(0.5).describe('Of the pooled feature'),
    smoothing: between(0, 0.99).default(0).describe('Share of a target that goes to all classes alike'),
    encoderRate: between(0, 1e3)
      .default(1)
      .describe("Rate of the encoder's last stage relative to that of the new layer"),
    depthDecay: between(0, 1)
      .default(1)
      .describe('Rate of each stage relative to that of the one behind it; 1: all learn alike'),
  }),
  defaults: { data: { augment: { crop: { area: [0.4, 1] }, gray: 0, blur: { p: 0 } } } },
  planViews: (context, { classes }) => planLabelled(context, 'finetune', classes),
  nativeOptions: (options) => ({ ...options }),
  hyper: (_, { step }, { train }) => ({ dropoutSeed: new Rng(train.seed, 'dropout', step).bits() }),
  presets: [
    {
      name: 'finetune-ucf101',
      description:
        'Fine-tuning on UCF101: R3D-50, 8 frames with stride 8, 224 x 224, batch 64, SGD, 200 epochs',
      needsGpu: true,
      config: { method: 'finetune', ...onUcf101, finetune: { classes: 101, dropout: 0.8 } },
    },
    // no settings of its own are published: those of UCF101, as most papers do
    {
      name: 'finetune-hmdb51',
      description: 'Fine-tuning on HMDB51: as on UCF101, 51 classes',
      needsGpu: true,
      config: { method: 'finetune', ...onUcf101, finetune: { classes: 51, dropout: 0.8 } },
    },
    // Length and warm-up of SlowFast's linear evaluation (linear_k400_Slow_8x8_R50_syn0.yaml), whose rate of 0.5 is that of
    // a single layer; 0.1 and the dropout are ours.
    {
      name: 'finetune-k400',
      description:
        'Fine-tuning on Kinetics-400: R3D-50, 8 frames with stride 8, 224 x 224, batch 64, SGD, 60 epochs',
      needsGpu: true,
      config: {
        method: 'finetune',
        ...onUcf101,
        data: { ...onUcf101.data, augment: plain },
        train: {
          ...onUcf101.train,
          epochs: 60,
          optimizer: { name: 'sgd', lr: 0.1, momentum: 0.9, weightDecay: 1e-4 },
          schedule: { name: 'cosine', warmupEpochs: 8, finalLr: 0 },
        },
        finetune: { classes: 400, dropout: 0.5 },
      },
    },
    // configs/contrastive_ssl/finetune_SSv2_Slow_R50_syn0.yaml: left and right are told apart, so nothing is flipped
    {
      name: 'finetune-ssv2',
      description:
        'Fine-tuning on Something-Something V2: R3D-50, 8 frames with stride 8, 224 x 224, batch 64, SGD, 22 epochs',
      needsGpu: true,
      config: {
        method: 'finetune',
        ...onUcf101,
        data: { ...onUcf101.data, augment: { ...plain, flip: 0 } },
        train: {
          ...onUcf101.train,
          epochs: 22,
          optimizer: { name: 'sgd', lr: 0.12, momentum: 0.9, weightDecay: 1e-6 },
          schedule: { name: 'step', milestones: [14, 18], gamma: 0.1, warmupEpochs: 0.19 },
        },
        finetune: { classes: 174, dropout: 0.5 },
      },
    },
    // For two CPU cores and what the other tiny presets have trained.
    {
      name: 'finetune-tiny',
      description:
        'Fine-tuning for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 24, AdamW, 200 steps',
      config: {
        method: 'finetune',
        ...tinySettings,
        data: { ...tinySettings.data, augment: { crop: { area: [0.5, 1], aspect: [2 / 3, 3 / 2] } } },
        train: {
          ...tinySettings.train,
          batch: 24,
          steps: 200,
          optimizer: { name: 'adamw', lr: 2e-3, weightDecay: 0.05 },
          schedule: { name: 'cosine', warmupSteps: 10 },
        },
        finetune: { classes: 16, dropout: 0.3, depthDecay: 0.7 },
      },
    },
  ],
});
