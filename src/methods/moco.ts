/**
 * MoCo v2 on video (He et al., CVPR 2020, arXiv 1911.05722; Chen et al., arXiv 2003.04297; for video Feichtenhofer et
 * al., CVPR 2021, arXiv 2104.14558, facebookresearch/SlowFast MoCo_SlowR50_8x8.yaml). docs/methods/moco.md has the
 * equations.
 */
import { z } from 'zod';
import { sgdOnKinetics } from './kinetics.js';
import { defineMethod } from './method.js';
import { tinyMomentum } from './momentum.js';
import { momentumPair, momentumPairAugment, momentumPairFields } from './momentum-pair.js';
import { tinySettings, tinyTrain } from './tiny.js';

export const moco = defineMethod({
  name: 'moco',
  title: 'MoCo v2',
  paper: {
    title: 'Improved Baselines with Momentum Contrastive Learning',
    authors: 'Chen, Fan, Girshick, He',
    venue: 'arXiv 2020',
    arxiv: '2003.04297',
  },
  description:
    'A clip finds the key that a slow copy of its encoder made of another clip of the video, among the keys of ' +
    'thousands of clips seen before.',
  configSchema: z.strictObject({
    ...momentumPairFields({ temperature: 0.2, head: { hiddenLayers: 1, norm: false }, decay: 1 }),
  }),
  defaults: {
    data: {
      augment: momentumPairAugment,
    },
  },
  ...momentumPair,
  presets: [
    // MoCo on video (facebookresearch/SlowFast, configs/contrastive_ssl/MoCo_SlowR50_8x8.yaml, 2 clips).
    {
      name: 'moco',
      description:
        'MoCo v2 on Kinetics: R3D-50, 8 frames with stride 8, 224 x 224, batch 512, SGD, 200 epochs',
      needsGpu: true,
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
        train: sgdOnKinetics,
        moco: { temperature: 0.1, momentum: 0.994, momentumSchedule: 'cosine', head: { hiddenLayers: 2 } },
      },
    },
    // MoCo for two CPU cores and a few hundred short videos.
    {
      name: 'moco-tiny',
      description:
        'MoCo v2 for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 450 steps',
      config: { method: 'moco', ...tinySettings, train: tinyTrain, moco: tinyMomentum },
    },
  ],
  encoders: [{ name: 'query' }, { name: 'key' }],
  claims: [
    {
      name: 'momentum',
      statement: 'A slowly moving copy makes better keys than a fast one; a copy without momentum fails',
      source: 'MoCo paper, ablation of the momentum (section 4.1); no momentum fails to train there',
      measure: 'linear',
      arms: [
        { name: 'm 0.99', config: { moco: { momentum: 0.99, momentumSchedule: 'constant' } } },
        { name: 'm 0', config: { moco: { momentum: 0, momentumSchedule: 'constant' } } },
      ],
    },
    {
      name: 'mlp-head',
      statement: 'A hidden layer in the head beats a linear head',
      source: 'MoCo v2, table 1',
      measure: 'linear',
      arms: [
        { name: 'one hidden layer', config: { moco: { head: { hiddenLayers: 1 } } } },
        { name: 'linear', config: { moco: { head: { hiddenLayers: 0 } } } },
      ],
    },
    {
      name: 'momentum-annealing',
      statement: 'Annealing the momentum towards 1 beats a constant one',
      source: 'Feichtenhofer et al. 2021, about one point on Kinetics',
      measure: 'linear',
      arms: [
        { name: 'annealed', config: { moco: { momentumSchedule: 'cosine' } } },
        { name: 'constant', config: { moco: { momentumSchedule: 'constant' } } },
      ],
    },
    {
      name: 'shuffled-norm',
      statement: 'Keys in another order beat keys in that of their queries, whose BatchNorm groups leak',
      source: 'MoCo paper, section 3.3; the small demonstration of the authors loses 4 points at 800 epochs',
      measure: 'linear',
      arms: [
        { name: 'shuffled groups', config: { moco: { shuffle: true } } },
        { name: 'groups as they are', config: { moco: { shuffle: false } } },
      ],
    },
    {
      name: 'grouped-norm',
      statement: 'Groups by themselves, not shuffled, change nothing: the whole batch is at least as good',
      source: 'not in the paper: what shuffling does has to be told from what small groups do',
      measure: 'linear',
      relation: 'at least as good',
      arms: [
        { name: 'whole batch', config: { moco: { normGroups: 1 } } },
        { name: 'groups as they are', config: { moco: { shuffle: false } } },
      ],
    },
  ],
});
