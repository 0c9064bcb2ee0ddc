/**
 * FAME, Foreground-background Merging (Ding et al., CVPR 2022, arXiv 2109.15130): MoCo whose first clip is laid on the
 * background of another video. The merging is data.augment.background, which every method can switch on;
 * docs/methods/fame.md has the equations.
 */
import { z } from 'zod';
import { flag } from '../config/fields.js';
import { type Claim, defineMethod } from './method.js';
import { tinyMomentum } from './momentum.js';
import { momentumPair, momentumPairAugment, momentumPairFields } from './momentum-pair.js';
import { tinySettings, tinyTrain } from './tiny.js';

const ABLATION = 'paper, ablation study; its numbers were not read again';

function shares(name: string, statement: string, other: number): Claim {
  const arms = [
    { name: 'beta 0.5', config: {} },
    { name: `beta ${other}`, config: { data: { augment: { fame: { share: other } } } } },
  ];
  return { name, statement, source: ABLATION, measure: 'linear', arms };
}

export const fame = defineMethod({
  name: 'fame',
  engine: 'moco',
  title: 'FAME',
  paper: {
    title: 'Motion-aware Contrastive Video Representation Learning via Foreground-background Merging',
    authors: 'Ding, Li, Yang, Qian, Xu, Chen, Wang, Xiong',
    venue: 'CVPR 2022',
    arxiv: '2109.15130',
  },
  description:
    'MoCo whose first clip keeps what moves and gets the background of another video: what the two clips have in ' +
    'common is then the motion.',
  configSchema: z.strictObject({
    ...momentumPairFields({ temperature: 0.1, head: { hiddenLayers: 1, norm: false }, decay: 1 }),
    symmetric: flag(true).describe('Each view is query and key in turn; the loss is the sum of both'),
  }),
  defaults: {
    data: {
      augment: {
        ...momentumPairAugment,
        background: 'fame',
      },
    },
  },
  ...momentumPair,
  presets: [
    // FAME on Kinetics (Mark12Ding/FAME). Its loss is the mean of the two directions and here it is their sum: half the
    // rate and twice the decay make the same step.
    {
      name: 'fame',
      description: 'FAME on Kinetics: R(2+1)D-18, 16 x 112 x 112, batch 64, SGD, 200 epochs',
      needsGpu: true,
      config: {
        method: 'fame',
        model: { arch: 'r2plus1d_18', width: 1 },
        data: { clip: { frames: 16, stride: 2, size: 112 }, input: 'rgb' },
        train: {
          batch: 64,
          epochs: 200,
          optimizer: { name: 'sgd', lr: 0.005, momentum: 0.9, weightDecay: 2e-4 },
          schedule: { name: 'cosine', warmupEpochs: 0, finalLr: 0 },
          precision: 'bf16',
        },
      },
    },
    // The still background stays: taking it away is what FAME is for.
    {
      name: 'fame-tiny',
      description: 'FAME for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 450 steps',
      config: {
        method: 'fame',
        ...tinySettings,
        data: { ...tinySettings.data, input: 'rgb' },
        train: tinyTrain,
        fame: { ...tinyMomentum, symmetric: false },
      },
    },
  ],
  encoders: [{ name: 'query' }, { name: 'key' }],
  claims: [
    {
      name: 'merging',
      statement: 'Another background under the first clip beats its own',
      source: 'paper, comparison with MoCo; largest where scenes are swapped in the test',
      measure: 'linear',
      arms: [
        { name: 'merged', config: {} },
        { name: 'own background', config: { data: { augment: { background: 'own' } } } },
      ],
    },
    shares('not-less', 'Keeping half of the picture beats keeping three tenths', 0.3),
    shares('not-more', 'Keeping half of the picture beats keeping seven tenths', 0.7),
    {
      name: 'refined-mask',
      statement: 'A mask refined by colours is no worse than one of differences alone',
      relation: 'at least as good',
      source: ABLATION,
      measure: 'linear',
      arms: [
        { name: 'refined', config: {} },
        { name: 'differences', config: { data: { augment: { fame: { mask: 'difference' } } } } },
      ],
    },
  ],
});
