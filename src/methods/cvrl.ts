/**
 * CVRL, Contrastive Video Representation Learning (Qian et al., CVPR 2021, arXiv 2008.03800).
 *
 * Two clips of one video whose starts lie a gap t ~ P(t) apart, each under a spatial augmentation that is the same for
 * all its frames; one encoder and MLP head; NT-Xent over the batch. Sources: the paper and the authors' code
 * (tensorflow/models, official/projects/video_ssl). docs/methods/cvrl.md has the equations.
 */
import { z } from 'zod';
import { choice } from '../config/fields.js';
import { clockOf, planTrainingClip, spanOf } from '../data/clip-plan.js';
import { drawPairStarts } from '../data/samplers/starts.js';
import { lossScale, temperature } from './fields.js';
import { headSchema, nativeHead } from './head.js';
import { defineMethod } from './method.js';
import { ownNegativesField, planOwnNegative } from './own-negatives.js';
import { tinySettings } from './tiny.js';
import { leastPair } from './uniform-pair.js';

/** No spatial augmentation at all: the arm that has temporal augmentation alone. */
const NO_SPATIAL = { crop: null, flip: 0, jitter: { p: 0 }, gray: 0, blur: { p: 0 }, solarize: { p: 0 } };

export const cvrl = defineMethod({
  name: 'cvrl',
  title: 'CVRL',
  paper: {
    title: 'Spatiotemporal Contrastive Video Representation Learning',
    authors: 'Qian, Meng, Gong, Yang, Wang, Belongie, Cui',
    venue: 'CVPR 2021',
    arxiv: '2008.03800',
  },
  description:
    'Two clips of a video, near in time more often than far, each augmented alike over its frames, attract each other ' +
    'and repel all other clips of the batch.',
  configSchema: z.strictObject({
    sampling: choice(['decreasing', 'uniform', 'increasing', 'same'], 'decreasing').describe(
      'Distribution of the gap between the two clips; same: one window for both',
    ),
    samplingPower: z
      .number()
      .positive()
      .max(100)
      .default(1)
      .describe('decreasing: P(t) ~ c - t^power; increasing: P(t) ~ t^power'),
    ownNegatives: ownNegativesField,
    temperature: temperature.default(0.1),
    head: headSchema({ hiddenLayers: 3, norm: true }).prefault({}),
    lossScale: lossScale
      .default(2)
      .describe(
        'Factor on the mean over the 2N rows; 2 is the sum of the two directions of the authors’ code',
      ),
  }),
  planViews(context, options) {
    const { row, facts, format, rng } = context;
    const clock = clockOf(row, facts, format);
    const span = spanOf(clock, format);
    const law = { kind: options.sampling, power: options.samplingPower };
    const starts = drawPairStarts(span, law, rng.fork('time'));
    const views = starts.map((start, view) => ({
      name: `view${view + 1}`,
      clip: planTrainingClip({ ...context, clock, start, view, rng: rng.fork('augment', view) }),
    }));
    return { views: [...views, ...planOwnNegative(context, options.ownNegatives, starts[0])] };
  },
  least: ({ sampling }, config) => leastPair(config, { sameWindow: sampling === 'same' }),
  nativeOptions: ({ temperature, head, lossScale, ownNegatives }) => ({
    ...{ temperature, lossScale, ownNegatives: ownNegatives !== 'none' },
    ...nativeHead(head),
  }),
  presets: [
    // CVRL on Kinetics as published (configs/experiments/cvrl_pretrain_k600_200ep.yaml of the authors' code).
    {
      name: 'cvrl',
      description:
        "CVRL's published Kinetics settings: R3D-50, 16 x 224 x 224, batch 1024, SGD 0.32, 200 epochs",
      needsGpu: true,
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
    },
    // CVRL for two CPU cores and a few hundred short videos.
    {
      name: 'cvrl-tiny',
      description: 'CVRL for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 720 steps',
      config: { method: 'cvrl', ...tinySettings },
    },
  ],
  encoders: [{ name: 'encoder' }],
  claims: [
    {
      name: 'consistent-augmentation',
      statement:
        'Spatial augmentation that is the same for all frames of a clip beats one drawn for each frame',
      source: 'paper, ablation of spatial augmentation',
      measure: 'linear',
      arms: [
        { name: 'consistent', config: {} },
        { name: 'per frame', config: { data: { augment: { perFrame: true } } } },
      ],
    },
    {
      name: 'consistent-colours',
      statement: 'The same of colours, flip and blur alone, with one crop for the clip in both arms',
      source: 'not in the paper: it tells what the crops do apart from the rest',
      measure: 'linear',
      arms: [
        { name: 'consistent', config: {} },
        { name: 'same crop, the rest per frame', config: { data: { augment: { perFrame: 'same-crop' } } } },
      ],
    },
    {
      name: 'temporal-and-spatial',
      statement: 'Temporal and spatial augmentation together beat spatial alone, which beats temporal alone',
      source: 'paper, ablation of augmentations',
      measure: 'linear',
      arms: [
        { name: 'both', config: {} },
        { name: 'spatial only', config: { cvrl: { sampling: 'same' } } },
        { name: 'temporal only', config: { data: { augment: NO_SPATIAL } } },
      ],
    },
    {
      name: 'sampling-direction',
      statement: 'A decreasing P(t) beats a uniform one, which beats an increasing one',
      source: 'paper, figure of sampling distributions',
      measure: 'linear',
      arms: [
        { name: 'decreasing', config: { cvrl: { sampling: 'decreasing' } } },
        { name: 'uniform', config: { cvrl: { sampling: 'uniform' } } },
        { name: 'increasing', config: { cvrl: { sampling: 'increasing' } } },
      ],
    },
    {
      name: 'sampling-power',
      statement: 'Among decreasing distributions the linear one beats the root and the square',
      source: 'paper, figure of sampling distributions',
      measure: 'linear',
      arms: [
        { name: '-t', config: { cvrl: { samplingPower: 1 } } },
        { name: '-t^0.5', config: { cvrl: { samplingPower: 0.5 } } },
        { name: '-t^2', config: { cvrl: { samplingPower: 2 } } },
      ],
    },
    {
      name: 'longer-training',
      statement: 'Four times the training (800 epochs against 200) gives better features',
      source: 'authors’ code, README: 66.1 against 63.8 on Kinetics-400',
      measure: 'linear',
      arms: [
        { name: '4x', config: {}, budget: 4 },
        { name: '1x', config: {}, budget: 1 },
      ],
    },
  ],
});
