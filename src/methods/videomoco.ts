/**
 * VideoMoCo (Pan et al., CVPR 2021, arXiv 2103.05905; authors' code tinapan-pt/VideoMoCo): MoCo whose queries lose the
 * frames that a generator, trained against the encoder, picks; keys in the queue count less with age.
 * docs/methods/videomoco.md has the equations.
 */
import { z } from 'zod';
import { between, choice, flag } from '../config/fields.js';
import type { ResolvedConfig } from '../config/schema.js';
import { Rng } from '../data/rng.js';
import { configError } from '../errors.js';
import { lossWeight } from './fields.js';
import { defineMethod } from './method.js';
import {
  checkMomentum,
  momentumFields,
  momentumHyper,
  nativeMomentum,
  stepsToFill,
  tinyMomentum,
  videoSide,
} from './momentum.js';
import { ownNegativesField } from './own-negatives.js';
import { tinySettings, tinyTrain } from './tiny.js';
import { leastPair, planUniformPair } from './uniform-pair.js';

const configSchema = z.strictObject({
  sameWindow: flag(true).describe(
    'Both views show the same window, as published; false: two windows at independent times',
  ),
  ownNegatives: ownNegativesField,
  ...momentumFields({ temperature: 0.07, head: { hiddenLayers: 0, norm: false }, decay: 0.99999 }),
  drop: choice(['learned', 'random', 'none'], 'learned').describe(
    'Which frames of the query are dropped: those that the generator picks, any, or none',
  ),
  dropRatio: between(0, 1).default(0.25).describe('Part of the frames that is dropped'),
  dropFrom: between(0, 1)
    .default(0.5)
    .describe('Part of the run after which frames are dropped; before, this is MoCo with decay'),
  fill: choice(['zero', 'mean'], 'zero').describe(
    'What a dropped frame becomes: zeros, or flat at its own mean as in the authors’ code',
  ),
  straightThrough: choice(['mask', 'frame'], 'mask').describe(
    'How the generator’s gradient passes the choice of frames: through the mask, or as in the authors’ code',
  ),
  cleanGradients: flag(true).describe(
    'false: the generator gets the gradient of InfoNCE too, as in the authors’ code',
  ),
  generatorScale: lossWeight.default(100).describe('Factor of the generator’s loss'),
});

type Options = z.output<typeof configSchema>;

const { data } = tinySettings;

/**
 * A decay that weighs the oldest key of the small presets' queue as the published one weighs the oldest of 65536 by its
 * place: 0.9966^192 = 0.99999^65536 = 0.52. The published one itself would weigh it by 0.998 and change nothing.
 */
const DECAY = { decay: 0.9966, ageUnit: 'key' } as const;

/** At least one frame is dropped and one is kept. Throws ERR_VSSL_CONFIG. */
function checkDrop({ drop, dropFrom, dropRatio }: Options, { data: { clip } }: ResolvedConfig): void {
  if (drop === 'none' || dropFrom === 1) return;
  const dropped = Math.round(dropRatio * clip.frames);
  if (dropped < 1 || dropped >= clip.frames)
    throw configError(
      'videomoco.dropRatio',
      `${dropRatio} of data.clip.frames (${clip.frames}) is ${dropped} frames, but at least one has to be dropped and ` +
        "one kept; take another ratio or longer clips, or videomoco.drop 'none' to drop none",
    );
}

export const videomoco = defineMethod({
  name: 'videomoco',
  title: 'VideoMoCo',
  paper: {
    title: 'VideoMoCo: Contrastive Video Representation Learning with Temporally Adversarial Examples',
    authors: 'Pan, Song, Yang, Jiang, Liu',
    venue: 'CVPR 2021',
    arxiv: '2103.05905',
  },
  description:
    'MoCo in which a second network drops the frames that change the query most, and old keys count less.',
  configSchema,
  defaults: {
    data: {
      augment: {
        crop: { area: [0.2, 1], aspect: [3 / 4, 4 / 3] },
        jitter: { p: 1, brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.4 },
        blur: { p: 0 },
      },
    },
  },
  check(options, config) {
    checkMomentum(options, config);
    checkDrop(options, config);
  },
  planViews: (context, options) => ({
    ...planUniformPair(context, options),
    ...videoSide(context, options),
  }),
  least: (options, config) => {
    const { symmetric, drop, dropFrom } = options;
    const toDrop = drop === 'none' || dropFrom === 1 ? 1 : Math.floor(1 / (1 - dropFrom));
    return {
      ...leastPair(config, options),
      steps: Math.max(toDrop, stepsToFill(options, config, symmetric)),
    };
  },
  nativeOptions: (options) => {
    const { symmetric, drop, dropRatio, fill, straightThrough, cleanGradients, generatorScale } = options;
    const ownNegatives = options.ownNegatives !== 'none';
    const own = {
      symmetric,
      ownNegatives,
      drop,
      dropRatio,
      fill,
      straightThrough,
      cleanGradients,
      generatorScale,
    };
    return { ...nativeMomentum(options), ...own };
  },
  hyper: (options, { step, totalSteps }, { train }) => ({
    ...momentumHyper(options, { step, totalSteps }, train.seed),
    drop: step >= options.dropFrom * totalSteps ? 1 : 0,
    dropSeed: new Rng(train.seed, 'dropped frames', step).bits(),
  }),
  presets: [
    // VideoMoCo on Kinetics (tinapan-pt/VideoMoCo, README's command and train.py's defaults).
    {
      name: 'videomoco',
      description: 'VideoMoCo on Kinetics: R(2+1)D-18, 32 frames, 112 x 112, batch 32, SGD, 200 epochs',
      needsGpu: true,
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
    },
    // VideoMoCo for two CPU cores and a few hundred short videos: the settings of moco-tiny, its head and its
    // jitter too, frames dropped half the time. The views are two windows as there, not one window as
    // published, so that what differs from MoCo is dropping and decay.
    {
      name: 'videomoco-tiny',
      description:
        'VideoMoCo for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 450 steps',
      config: {
        method: 'videomoco',
        ...tinySettings,
        data: { ...data, augment: { ...data.augment, jitter: { ...data.augment.jitter, p: 0.8 } } },
        train: tinyTrain,
        videomoco: { ...tinyMomentum, ...DECAY, sameWindow: false, head: { hiddenLayers: 1 } },
      },
    },
  ],
  encoders: [{ name: 'query' }, { name: 'key' }],
  claims: [
    {
      name: 'drop-and-decay',
      statement: 'MoCo gains from decay and from adversarial dropping, and most from both',
      source: 'paper, ablation of the two parts',
      measure: 'linear',
      arms: [
        { name: 'both', config: {} },
        { name: 'dropping only', config: { videomoco: { decay: 1 } } },
        { name: 'MoCo', config: { videomoco: { decay: 1, drop: 'none' } } },
      ],
    },
    {
      name: 'decay-alone',
      statement: 'MoCo with decay beats MoCo without',
      source: 'paper, ablation of the two parts',
      measure: 'linear',
      arms: [
        { name: 'decay', config: { videomoco: { drop: 'none' } } },
        { name: 'MoCo', config: { videomoco: { decay: 1, drop: 'none' } } },
      ],
    },
    {
      name: 'both-over-decay',
      statement: 'Decay and adversarial dropping together beat decay alone',
      source: 'paper, ablation of the two parts',
      measure: 'linear',
      arms: [
        { name: 'both', config: {} },
        { name: 'decay', config: { videomoco: { drop: 'none' } } },
      ],
    },
    {
      name: 'learned-dropping',
      statement: 'Dropping the frames that the generator picks beats dropping any, which beats dropping none',
      source: 'paper, comparison with random dropping',
      measure: 'linear',
      arms: [
        { name: 'learned', config: { videomoco: { drop: 'learned' } } },
        { name: 'random', config: { videomoco: { drop: 'random' } } },
        { name: 'none', config: { videomoco: { drop: 'none' } } },
      ],
    },
    {
      name: 'drop-ratio-over-less',
      statement: 'Dropping a quarter of the frames beats dropping an eighth',
      source: 'paper, ablation of the ratio',
      measure: 'linear',
      arms: [
        { name: 'a quarter', config: { videomoco: { dropRatio: 0.25 } } },
        { name: 'an eighth', config: { videomoco: { dropRatio: 0.125 } } },
      ],
    },
    {
      name: 'drop-ratio-over-more',
      statement: 'Dropping a quarter of the frames beats dropping half',
      source: 'paper, ablation of the ratio',
      measure: 'linear',
      arms: [
        { name: 'a quarter', config: { videomoco: { dropRatio: 0.25 } } },
        { name: 'half', config: { videomoco: { dropRatio: 0.5 } } },
      ],
    },
    {
      name: 'strong-decay-hurts',
      statement: 'A decay very close to 1 beats a strong one, which forgets the old negatives',
      source: 'paper, ablation of t; age is the place in the queue, so that a short queue holds old keys too',
      measure: 'linear',
      arms: [
        { name: 't 0.9966', config: {} },
        { name: 't 0.9', config: { videomoco: { decay: 0.9 } } },
      ],
    },
    {
      name: 'factorised-convolutions',
      statement: 'R(2+1)D-18 beats R3D-18',
      source: 'paper, comparison of encoders',
      measure: 'linear',
      arms: [
        { name: 'R(2+1)D-18', config: { model: { arch: 'r2plus1d_18' } } },
        { name: 'R3D-18', config: { model: { arch: 'r3d_18' } } },
      ],
    },
  ],
});
