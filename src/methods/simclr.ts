/**
 * SimCLR on video (Chen et al., ICML 2020, arXiv 2002.05709; for video Feichtenhofer et al., CVPR 2021,
 * arXiv 2104.14558, facebookresearch/SlowFast SimCLR_SlowR50_8x8.yaml): two clips of a video, uniform in time.
 * docs/methods/simclr.md has the equations.
 */
import { z } from 'zod';
import { flag } from '../config/fields.js';
import { lossScale, temperature } from './fields.js';
import { headSchema, nativeHead } from './head.js';
import { larsOnKinetics } from './kinetics.js';
import { defineMethod } from './method.js';
import { ownNegativesField } from './own-negatives.js';
import { tinySettings } from './tiny.js';
import { leastPair, planUniformPair } from './uniform-pair.js';

const NO_COLOUR = { jitter: { p: 0 }, gray: 0, blur: { p: 0 } };

export const simclr = defineMethod({
  name: 'simclr',
  title: 'SimCLR',
  paper: {
    title: 'A Simple Framework for Contrastive Learning of Visual Representations',
    authors: 'Chen, Kornblith, Norouzi, Hinton',
    venue: 'ICML 2020',
    arxiv: '2002.05709',
  },
  description:
    'Two clips of a video at independent times attract each other and repel all other clips of the batch.',
  configSchema: z.strictObject({
    sameWindow: flag(false).describe('Both views show the same window; only the augmentation differs'),
    ownNegatives: ownNegativesField,
    temperature: temperature.default(0.1),
    head: headSchema({ hiddenLayers: 2, norm: true }).prefault({}),
    lossScale: lossScale
      .default(1)
      .describe(
        'Factor on the mean over the 2N rows; the authors’ code has 2, the sum of the two directions',
      ),
  }),
  defaults: {
    data: {
      augment: {
        crop: { area: [0.2, 0.766], aspect: [3 / 4, 4 / 3] },
        jitter: { brightness: 0.6, contrast: 0.6, saturation: 0.6, hue: 0.15 },
      },
    },
  },
  planViews: planUniformPair,
  least: (options, config) => leastPair(config, options),
  nativeOptions: ({ temperature, head, lossScale, ownNegatives }) => ({
    ...{ temperature, lossScale, ownNegatives: ownNegatives !== 'none' },
    ...nativeHead(head),
  }),
  presets: [
    // SimCLR on video (facebookresearch/SlowFast, configs/contrastive_ssl/SimCLR_SlowR50_8x8.yaml).
    {
      name: 'simclr',
      description:
        'SimCLR on Kinetics: R3D-50, 8 frames with stride 8, 224 x 224, batch 512, LARS, 200 epochs',
      needsGpu: true,
      config: {
        method: 'simclr',
        model: { arch: 'r3d_50', width: 1 },
        data: { clip: { frames: 8, stride: 8, size: 224 }, input: 'rgb' },
        train: larsOnKinetics,
      },
    },
    // SimCLR for two CPU cores and a few hundred short videos: cvrl-tiny with clips drawn uniformly in time.
    {
      name: 'simclr-tiny',
      description:
        'SimCLR for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 720 steps',
      config: { method: 'simclr', ...tinySettings },
    },
  ],
  encoders: [{ name: 'encoder' }],
  claims: [
    {
      name: 'crop-and-colour',
      statement: 'Crop and colour together beat crop alone, which beats colour alone',
      source: 'SimCLR paper, figure of composed augmentations',
      measure: 'linear',
      arms: [
        { name: 'crop and colour', config: {} },
        { name: 'crop', config: { data: { augment: NO_COLOUR } } },
        { name: 'colour', config: { data: { augment: { crop: null, flip: 0 } } } },
      ],
    },
  ],
});
