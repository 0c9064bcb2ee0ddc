/**
 * MoDist (Xiao, Tighe, Modolo, arXiv 2106.09703; MaCLR, ECCV 2022; options of amazon-science/self-supervised-maclr):
 * momentum contrast of clips of pictures with one another and with clips of the video's motion. docs/methods/modist.md
 * has the equations.
 */
import { z } from 'zod';
import { architecturesWith, checkLeastClip, LEAST_WIDTH } from '../config/architectures.js';
import { auto, choice, flag, group } from '../config/fields.js';
import { archName, channelFactor, frameCount, type ResolvedConfig, strideCount } from '../config/schema.js';
import { type ClipFormat, clockOf, planTrainingClip } from '../data/clip-plan.js';
import { type MotionFormat, planMotionClip } from '../data/motion-clip.js';
import { drawShiftedStarts } from '../data/samplers/starts.js';
import type { SamplePlan, ViewContext, ViewPlan } from '../data/views.js';
import { configError } from '../errors.js';
import { lossWeight } from './fields.js';
import { sgdOnKinetics } from './kinetics.js';
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
import { tinySettings, tinyTrain } from './tiny.js';

const { symmetric: _, ...shared } = momentumFields({
  temperature: 0.1,
  head: { hiddenLayers: 1, norm: false },
  decay: 1,
});

const configSchema = z.strictObject({
  ...shared,
  lambda: lossWeight.default(1).describe('Factor of all losses with motion; 0: no motion pathway'),
  weights: group({
    vv: lossWeight.default(1).describe('Pictures find pictures'),
    vm: lossWeight.default(1).describe('Pictures find motion'),
    mv: lossWeight.default(1).describe('Motion finds pictures'),
    mm: lossWeight.default(0).describe('Motion finds motion'),
  }).describe('Factors of the four losses; what no loss needs is not computed'),
  motion: group({
    input: choice(['flow-edges', 'flow', 'difference'], 'flow-edges').describe(
      'What the motion pathway sees; difference needs no optical flow',
    ),
    arch: auto(archName).describe('Its backbone; auto: model.arch'),
    width: auto(channelFactor).describe('Its factor on channel counts; auto: half of model.width'),
    frames: auto(frameCount).describe('Frames of its clips; auto: data.clip.frames'),
    stride: auto(strideCount).describe('Their stride; auto: data.clip.stride'),
  }),
  minShift: z
    .number()
    .min(0)
    .default(0.5)
    .describe('Seconds between the two times of a video at least, where it is long enough'),
  maxShift: z.number().min(0).default(10).describe('Seconds between them at most'),
  aligned: flag(false).describe(
    'Pictures and motion of one time are positives of each other: the ablation of the shift',
  ),
});

type Options = z.output<typeof configSchema>;

/** Which of the four losses count. */
function activeLosses({ lambda, weights }: Options) {
  return {
    vv: weights.vv > 0,
    vm: lambda * weights.vm > 0,
    mv: lambda * weights.mv > 0,
    mm: lambda * weights.mm > 0,
  };
}

/** Whether there is a motion pathway at all. */
function hasMotion(options: Options): boolean {
  const { vm, mv, mm } = activeLosses(options);
  return vm || mv || mm;
}

function motionFormat({ motion }: Options, { clip }: Pick<ClipFormat, 'clip'>): MotionFormat {
  const { input, frames, stride } = motion;
  return {
    modality: input,
    frames: frames === 'auto' ? clip.frames : frames,
    stride: stride === 'auto' ? clip.stride : stride,
  };
}

/** The motion pathway's network. */
function motionModel({ motion }: Options, { model }: ResolvedConfig) {
  const { arch: visual, width, ...options } = model;
  const arch = motion.arch === 'auto' ? visual : motion.arch;
  const own = Object.entries(options).filter(([key]) => architecturesWith(key).includes(arch));
  return { arch, width: motion.width === 'auto' ? width / 2 : motion.width, ...Object.fromEntries(own) };
}

/** Rules between the options, the model and the clip. Throws ERR_VSSL_CONFIG. */
function checkOptions(options: Options, config: ResolvedConfig): void {
  const { lambda, minShift, maxShift } = options;
  checkMomentum(options, config);
  if (minShift > maxShift)
    throw configError(
      'modist.maxShift',
      `expected at least modist.minShift (${minShift}) but got ${maxShift}`,
    );
  const { vv, vm } = activeLosses(options);
  if (!vv && !vm)
    throw configError(
      'modist.weights',
      `the network of the pictures learns nothing: vv is 0, and so is lambda (${lambda}) x vm ` +
        `(${options.weights.vm}); give one of them a weight`,
    );
  if (!hasMotion(options)) return;
  const { arch, width } = motionModel(options, config);
  if (width < LEAST_WIDTH)
    throw configError(
      'modist.motion.width',
      `auto is half of model.width, ${width}, but the least is ${LEAST_WIDTH}; give a width`,
    );
  const { frames } = motionFormat(options, config.data);
  checkLeastClip(arch, { frames, size: config.data.clip.size }, 'modist.motion.frames');
}

/** Frames of the video from the first to the last of the longer kind of clip: both begin where that one fits. */
function longestReach(options: Options, format: Pick<ClipFormat, 'clip'>): number {
  const reach = (clip: { frames: number; stride: number }) => (clip.frames - 1) * clip.stride;
  return Math.max(reach(format.clip), hasMotion(options) ? reach(motionFormat(options, format)) : 0);
}

/**
 * Views by name: v1 and m1 are queries, v2 and m2 keys, and the two lie at different times; `aligned` swaps the times of
 * the clips of motion, so that v1 and m2, m1 and v2 show the same moment. What no loss needs is left out.
 */
function planViews(context: ViewContext, options: Options): SamplePlan {
  const { row, facts, format, rng } = context;
  const clock = clockOf(row, facts, format);
  const motion = motionFormat(options, format);
  const { vv, vm, mv, mm } = activeLosses(options);
  const [first, second] = drawShiftedStarts(
    { length: clock.frames, frames: longestReach(options, format) + 1, stride: 1 },
    { least: Math.ceil(options.minShift / clock.period), most: Math.floor(options.maxShift / clock.period) },
    rng.fork('time'),
  );
  const shared = { ...context, clock };
  const pictures = (name: string, start: number, view: number): ViewPlan => ({
    name,
    clip: planTrainingClip({ ...shared, start, view, rng: rng.fork('augment', view) }),
  });
  const moving = (name: string, start: number, view: number): ViewPlan => ({
    name,
    clip: planMotionClip({ ...shared, start, view, rng: rng.fork('motion', view), motion }),
  });
  const { aligned } = options;
  const views = [
    ...(vv || vm ? [pictures('v1', first, 0)] : []),
    ...(vv || mv ? [pictures('v2', second, 1)] : []),
    ...(mv || mm ? [moving('m1', aligned ? second : first, 0)] : []),
    ...(vm || mm ? [moving('m2', aligned ? first : second, 1)] : []),
  ];
  return { views, ...videoSide(context, options) };
}

function nativeOptions(options: Options, config: ResolvedConfig) {
  const { lambda, weights } = options;
  return { ...nativeMomentum(options), lambda, ...weights, motionModel: motionModel(options, config) };
}

export const modist = defineMethod({
  name: 'modist',
  title: 'MoDist',
  paper: {
    title: 'MoDist: Motion Distillation for Self-supervised Video Representation Learning',
    authors: 'Xiao, Tighe, Modolo',
    venue: 'arXiv 2021 (MaCLR, ECCV 2022)',
    arxiv: '2106.09703',
  },
  description:
    'A clip of pictures finds another of its video, and one of the video’s motion, among the keys of slow copies of a ' +
    'visual and a motion network.',
  configSchema,
  defaults: {
    data: {
      augment: {
        crop: { area: [0.3, 1], aspect: [0.5, 2] },
        jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
      },
    },
  },
  check: checkOptions,
  planViews,
  nativeOptions,
  least(options, config) {
    return {
      frames: longestReach(options, config.data) + 1,
      seconds: options.minShift,
      steps: stepsToFill(options, config, false),
    };
  },
  hyper: (options, position, { train }) => momentumHyper(options, position, train.seed),
  presets: [
    // MoDist on Kinetics: what is known of the authors' settings (defaults of
    // amazon-science/self-supervised-maclr), the optimiser of moco's preset where nothing is known.
    {
      name: 'modist',
      description:
        'MoDist on Kinetics: R3D-50, 8 frames with stride 8 and flow edges of 16 with stride 4, 224 x 224, batch 512, SGD, 600 epochs',
      needsGpu: true,
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
        train: { ...sgdOnKinetics, epochs: 600 },
        modist: { motion: { frames: 16, stride: 4 }, head: { hiddenDim: 2048 } },
      },
    },
    // MoDist for two CPU cores and a few hundred short videos: the settings of moco-tiny, frame differences
    // as motion. Four clips of a video pass four networks, so batches are smaller.
    {
      name: 'modist-tiny',
      description:
        'MoDist for 2 CPU cores: R3D-10 at a quarter of its width, motion at an eighth, 8 x 64 x 64, batch 32, 450 steps',
      config: {
        method: 'modist',
        ...tinySettings,
        train: { ...tinyTrain, batch: 32 },
        modist: { ...tinyMomentum, motion: { input: 'difference' } },
      },
    },
  ],
  encoders: [
    { name: 'visual' },
    {
      name: 'motion',
      when: hasMotion,
      format: (options, { data }) => {
        const { modality, frames, stride } = motionFormat(options, data);
        const clip = { ...data.clip, frames, stride };
        return { clip, shrink: data.shrink, modality, input: 'rgb', mean: [0, 0, 0], std: [1, 1, 1] };
      },
    },
  ],
  claims: [
    {
      name: 'cross-modal',
      statement: 'Contrast with motion beats contrast of pictures alone, for a network of whole pictures',
      source: 'paper, on every dataset; its pictures have their background; spec 4.9, claim 1',
      measure: 'linear',
      arms: [
        { name: 'pictures and motion', config: { data: { input: 'rgb' }, modist: { lambda: 1 } } },
        { name: 'pictures only', config: { data: { input: 'rgb' }, modist: { lambda: 0 } } },
      ],
    },
    {
      name: 'motion-input',
      statement: 'Flow edges beat flow, which beats differences of frames',
      source: 'paper, ablation of the motion input, as recalled; spec 4.9, claim 2',
      measure: 'linear',
      arms: [
        { name: 'flow edges', config: { modist: { motion: { input: 'flow-edges' } } } },
        { name: 'flow', config: { modist: { motion: { input: 'flow' } } } },
        { name: 'difference', config: { modist: { motion: { input: 'difference' } } } },
      ],
    },
    {
      name: 'shifted',
      statement: 'Pictures and motion of different times are better positives than those of one time',
      source: 'paper, ablation of the alignment, as recalled; spec 4.9, claim 3',
      measure: 'linear',
      arms: [
        { name: 'shifted', config: { modist: { aligned: false } } },
        { name: 'aligned', config: { modist: { aligned: true } } },
      ],
    },
    {
      name: 'two-way',
      statement:
        'Both directions between pictures and motion are at least as good as pictures finding motion',
      source: 'paper, ablation of the losses, as recalled; spec 4.9, claim 4',
      measure: 'linear',
      relation: 'at least as good',
      arms: [
        { name: 'both', config: { modist: { weights: { vm: 1, mv: 1 } } } },
        { name: 'pictures find motion', config: { modist: { weights: { vm: 1, mv: 0 } } } },
      ],
    },
    {
      name: 'motion-motion',
      statement: 'Without motion finding motion the features are at least as good: that loss adds little',
      source: 'paper, ablation of the losses, as recalled; off in the authors’ code; spec 4.9, claim 4',
      measure: 'linear',
      relation: 'at least as good',
      arms: [
        { name: 'without', config: { modist: { weights: { mm: 0 } } } },
        { name: 'motion finds motion', config: { modist: { weights: { mm: 1 } } } },
      ],
    },
  ],
});
