/**
 * The attentive probe: a query that attends to all places of the last feature map learns labels, and the encoder stays as
 * it is (as V-JEPA is evaluated, Bardes et al. 2024, arXiv 2404.08471). Begin it with --init. docs/methods/attentive.md
 * has the equations.
 */
import { z } from 'zod';
import { auto, between, whole } from '../config/fields.js';
import type { BaseConfigInput } from '../config/schema.js';
import { configError } from '../errors.js';
import { classCount, planLabelled } from './labelled.js';
import { defineMethod } from './method.js';
import { tinySettings } from './tiny.js';

/** Optimiser, rate, decay and schedule of V-JEPA's own evaluation; batch and length for one machine. */
const train = {
  batch: 64,
  epochs: 20,
  optimizer: { name: 'adamw', lr: 1e-3, weightDecay: 0.01 },
  schedule: { name: 'cosine', finalLr: 0 },
  precision: 'bf16',
} satisfies BaseConfigInput['train'];

const presetOf = (set: string, name: string, classes: number) => ({
  name: `attentive-${name}` as const,
  description: `Attentive probe on ${set}: R3D-50, 8 frames with stride 8, 224 x 224, batch 64, AdamW, 20 epochs`,
  needsGpu: true,
  config: {
    method: 'attentive',
    model: { arch: 'r3d_50', width: 1 },
    data: { clip: { frames: 8, stride: 8, size: 224 }, input: 'rgb', ...(name === 'ssv2' && noFlip) },
    train,
    attentive: { classes },
  } as const,
});
const noFlip = { augment: { flip: 0 } } as const;

export const attentive = defineMethod({
  name: 'attentive',
  title: 'Attentive probe',
  description:
    'A query that attends to every place of the feature map learns the labels of the data; the encoder stays as it is. Begin it with --init.',
  labels: true,
  configSchema: z.strictObject({
    classes: classCount,
    smoothing: between(0, 0.99).default(0).describe('Share of a target that goes to all classes alike'),
    layers: whole(1, 32)
      .default(1)
      .describe('Blocks; in all but the last the places attend to one another too'),
    heads: whole(1, 1024).default(8).describe('Of attention; divides the width'),
    width: auto(whole(1, 65536)).describe("Of the query and of what it attends to; auto: the encoder's"),
  }),
  defaults: { data: { augment: { crop: { area: [0.4, 1] }, jitter: { p: 0 }, gray: 0, blur: { p: 0 } } } },
  check({ heads, width }) {
    if (width !== 'auto' && width % heads !== 0)
      throw configError(
        'attentive.heads',
        `expected a divisor of attentive.width (${width}) but got ${heads}`,
      );
  },
  planViews: (context, { classes }) => planLabelled(context, 'attentive', classes),
  nativeOptions: ({ width, ...rest }) => ({ ...rest, width: width === 'auto' ? 0 : width }),
  presets: [
    presetOf('UCF101', 'ucf101', 101),
    presetOf('HMDB51', 'hmdb51', 51),
    presetOf('Kinetics-400', 'k400', 400),
    presetOf('Something-Something V2', 'ssv2', 174),
    // For two CPU cores and what the other tiny presets have trained.
    {
      name: 'attentive-tiny',
      description:
        'Attentive probe for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 24, AdamW, 200 steps',
      needsGpu: false,
      config: {
        method: 'attentive',
        ...tinySettings,
        data: { ...tinySettings.data, augment: { crop: { area: [0.5, 1], aspect: [2 / 3, 3 / 2] } } },
        train: {
          ...tinySettings.train,
          batch: 24,
          steps: 200,
          optimizer: { name: 'adamw', lr: 2e-3, weightDecay: 0.01 },
          schedule: { name: 'cosine', warmupSteps: 10 },
        },
        attentive: { classes: 16, heads: 4 },
      },
    },
  ],
});
