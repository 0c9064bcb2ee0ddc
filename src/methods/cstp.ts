/**
 * CSTP with STOR, Contrastive Spatio-Temporal Pretext learning with Spatio-Temporal Overlap Rate prediction (Zhang, Po,
 * Xu, Liu, Wang, Ou, Zhao, Yu, AAAI 2022, arXiv 2112.08913): two clips whose overlap in time and in space is drawn and
 * predicted, beside their speed and their turn; BYOL joins them. Code read: Katou2/CSTP. docs/methods/cstp.md has the
 * equations.
 */
import { z } from 'zod';
import { between, choice, group, whole } from '../config/fields.js';
import type { ResolvedConfig } from '../config/schema.js';
import { drawAugment } from '../data/augment/draw-augment.js';
import type { CropBox } from '../data/augment/random-crop.js';
import { clipFrame, clockOf, spanOf } from '../data/clip-plan.js';
import type { ClipPlan, FrameAugment } from '../data/plan.js';
import type { Rng } from '../data/rng.js';
import { clipTimes } from '../data/samplers/clock.js';
import { drawSpaceOverlap, drawTimeOverlap, shiftOf } from '../data/samplers/overlap.js';
import { type ClipSpan, countStarts, drawUniformStarts } from '../data/samplers/starts.js';
import type { SamplePlan, ViewContext } from '../data/views.js';
import { configError } from '../errors.js';
import { lossWeight } from './fields.js';
import { headSchema, nativeHead } from './head.js';
import { defineMethod } from './method.js';
import { momentumAt } from './momentum.js';
import { hiddenWidth, nativePredictions, type Prediction, targetsOf } from './predictions.js';
import { tinySettings, tinyTrain } from './tiny.js';

const weight = lossWeight.default(1);

const configSchema = z.strictObject({
  overlaps: z
    .array(between(0.01, 1))
    .min(2)
    .max(16)
    .default([1, 0.8, 0.6, 0.4, 0.2])
    .describe('Classes of overlap: shared fractions of the time, and of the area, of two clips'),
  speeds: z
    .array(whole(1, 64))
    .min(1)
    .max(16)
    .default([1, 2, 4, 8])
    .describe('Classes of speed: factors of the stride, the same for both clips'),
  strong: between(0, 1)
    .default(0.3)
    .describe('Probability that a clip gets colour, grey and blur (data.augment) besides its crop and flip'),
  weights: group({
    contrast: lossWeight.default(0.1).describe('Of BYOL, the sum of both directions'),
    space: weight.describe('Of the overlap in space; 0: crops are independent'),
    time: weight.describe('Of the overlap in time; 0: times are independent'),
    speed: weight.describe('Of the speed; 0: every clip has the first speed'),
    rotation: weight.describe('Of the turn by quarters of a circle; 0: no clip is turned'),
  }).describe('Of the losses; one of weight 0 is left out together with what is drawn for it'),
  hidden: hiddenWidth.describe('Width of the hidden layer of the predicting heads; 0: of what they read'),
  head: headSchema({ hiddenLayers: 1, norm: true })
    .prefault({})
    .describe('The projector; the predictor of BYOL has the same widths'),
  momentum: between(0, 1).default(0.996).describe('m in target <- m target + (1 - m) online'),
  momentumSchedule: choice(['constant', 'cosine'], 'constant').describe(
    'cosine: 1 - m falls to 0 along half a cosine over the run',
  ),
});

type Options = z.output<typeof configSchema>;

const TURNS = 4;

function headsOf({ overlaps, speeds, weights }: Options): readonly Prediction[] {
  const { space, time, speed, rotation } = weights;
  return [
    { name: 'space', input: 'pair', classes: overlaps.length, weight: space },
    { name: 'time', input: 'pair', classes: overlaps.length, weight: time },
    { name: 'speed', input: 'each', classes: speeds.length, weight: speeds.length > 1 ? speed : 0 },
    { name: 'rotation', input: 'each', classes: TURNS, weight: rotation },
  ];
}

/** Rules between the options and the other keys. Throws ERR_VSSL_CONFIG. */
function checkOptions({ overlaps, speeds, weights }: Options, { data }: ResolvedConfig): void {
  const { clip, augment } = data;
  if (Object.values(weights).every((value) => value === 0))
    throw configError('cstp.weights', 'all of them are 0; give one of the losses a weight');
  if (new Set(speeds).size < speeds.length)
    throw configError('cstp.speeds', `expected factors that differ but got ${speeds.join(', ')}`);
  const shifts = overlaps.map((rate) =>
    shiftOf(rate, { frames: clip.frames, stride: clip.stride * Math.min(...speeds) }),
  );
  if (weights.time > 0 && new Set(shifts).size < shifts.length)
    throw configError(
      'cstp.overlaps',
      `${overlaps.join(', ')} of a clip of ${clip.frames} frames with stride ${clip.stride} are shifts of ` +
        `${shifts.join(', ')} frames, of which some are the same: take fewer classes, or longer clips`,
    );
  if (weights.space > 0 && new Set(overlaps).size < overlaps.length)
    throw configError('cstp.overlaps', `expected rates that differ but got ${overlaps.join(', ')}`);
  if (weights.space > 0 && augment.crop === null)
    throw configError(
      'data.augment.crop',
      'is null, and overlap in space (cstp.weights.space) is that of crops',
    );
  if (augment.perFrame)
    throw configError('data.augment.perFrame', 'a clip of CSTP has one crop and one turn: set it to false');
}

/** The place of the speed in the list: uniform over those at which a clip fits into the video, else the slowest. */
function drawSpeed({ speeds, weights }: Options, span: ClipSpan, rng: Rng): number {
  if (weights.speed === 0) return 0;
  const fits = (factor: number) => countStarts({ ...span, stride: span.stride * factor }) > 0;
  const fitting = speeds.flatMap((factor, place) => (fits(factor) ? [place] : []));
  if (fitting.length === 0) return speeds.indexOf(Math.min(...speeds));
  return fitting[rng.int(fitting.length)]!;
}

/** Augmentation of both clips, and the class of their overlap in space. */
function drawFrames(context: ViewContext, options: Options) {
  const { facts, format, augment, rng } = context;
  const { size, frames } = format.clip;
  const drawn = [0, 1].map((view): FrameAugment => {
    const target = { width: facts.width, height: facts.height, size, frames, view };
    const [own] = drawAugment(augment, target, rng.fork('augment', view));
    const strong = rng.fork('strong', view).bool(options.strong);
    return strong ? own! : { ...own!, color: [], gray: false, blur: 0, blurRadius: 0, solarize: null };
  });
  if (options.weights.space === 0) return { drawn, place: 0 };
  const space = rng.fork('space');
  const place = space.int(options.overlaps.length);
  const boxes: readonly CropBox[] = drawSpaceOverlap(drawn[0]!.crop, options.overlaps[place]!, space);
  return { drawn: drawn.map((own, view) => ({ ...own, crop: boxes[view]! })), place };
}

function planPair(context: ViewContext, options: Options): SamplePlan {
  const { row, facts, format, rng } = context;
  const clock = clockOf(row, facts, format);
  const slow = spanOf(clock, format);
  const speed = drawSpeed(options, slow, rng.fork('speed'));
  const span = { ...slow, stride: slow.stride * options.speeds[speed]! };
  const time = options.weights.time > 0 ? drawTimeOverlap(span, options.overlaps, rng.fork('time')) : null;
  const starts = time?.starts ?? drawUniformStarts(span, 2, false, rng.fork('time'));
  const { drawn, place } = drawFrames(context, options);
  const clips = starts.map((start, view) => {
    const clip: ClipPlan = {
      ...clipFrame(row.source, facts, format),
      times: clipTimes(clock, start, span.frames, span.stride),
      augment: [drawn[view]!],
    };
    return { name: `view${view + 1}`, clip };
  });
  const targets = targetsOf(headsOf(options), {
    space: [place],
    time: time && [time.place],
    speed: [speed, speed],
    rotation: [0, 1].map((view) => rng.fork('turn', view).int(TURNS)),
  });
  return { views: [...clips, ...targets] };
}

const NO_SPEED_OR_TURN = { speed: 0, rotation: 0 };
const ABLATION = 'abstract: the overlap task helps contrast and other pretexts; the table was not read';

export const cstp = defineMethod({
  name: 'cstp',
  title: 'CSTP',
  paper: {
    title: 'Contrastive Spatio-Temporal Pretext Learning for Self-supervised Video Representation',
    authors: 'Zhang, Po, Xu, Liu, Wang, Ou, Zhao, Yu',
    venue: 'AAAI 2022',
    arxiv: '2112.08913',
  },
  description:
    'How much two clips of a video overlap in time and in space, how fast they run and how they are turned is ' +
    'predicted; each also predicts what a slow copy of its network makes of the other.',
  configSchema,
  defaults: {
    data: {
      augment: {
        crop: { area: [0.2, 1], aspect: [3 / 4, 4 / 3] },
        jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
      },
    },
  },
  check: checkOptions,
  planViews: planPair,
  nativeOptions(options) {
    return {
      ...nativeHead(options.head),
      ...nativePredictions(headsOf(options), options.hidden),
      contrast: options.weights.contrast,
    };
  },
  hyper: (options, position) => ({ momentum: momentumAt(options, position) }),
  presets: [
    // CSTP on Kinetics (Katou2/CSTP); the network there has one block a stage.
    {
      name: 'cstp',
      description: 'CSTP on Kinetics: R(2+1)D-18, 16 x 112 x 112, batch 128, SGD, 300 epochs',
      needsGpu: true,
      config: {
        method: 'cstp',
        model: { arch: 'r2plus1d_18', width: 1 },
        data: { clip: { frames: 16, stride: 1, size: 112 }, input: 'rgb' },
        train: {
          batch: 128,
          epochs: 300,
          optimizer: { name: 'sgd', lr: 0.09, momentum: 0.9, weightDecay: 5e-4 },
          schedule: { name: 'cosine', warmupEpochs: 150, finalLr: 1e-5 },
          precision: 'bf16',
        },
        cstp: { head: { hiddenDim: 4096, dim: 512 } },
      },
    },
    // Clips of half the tiny presets' span: two of them that hardly overlap, twice as fast, still fit into two seconds.
    {
      name: 'cstp-tiny',
      description: 'CSTP for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 450 steps',
      config: {
        method: 'cstp',
        ...tinySettings,
        data: { ...tinySettings.data, clip: { ...tinySettings.data.clip, stride: 2 } },
        train: tinyTrain,
        cstp: { speeds: [1, 2], momentum: 0.99 },
      },
    },
  ],
  encoders: [{ name: 'online' }, { name: 'target' }],
  claims: [
    {
      name: 'joint',
      statement: 'All tasks together beat contrast with overlap, which beats contrast alone',
      source: ABLATION,
      measure: 'linear',
      arms: [
        { name: 'joint', config: {} },
        { name: 'contrast and overlap', config: { cstp: { weights: NO_SPEED_OR_TURN } } },
        {
          name: 'contrast alone',
          config: { cstp: { weights: { ...NO_SPEED_OR_TURN, space: 0, time: 0 } } },
        },
      ],
    },
    {
      name: 'contrast-helps',
      statement: 'All tasks together beat the predictions without contrast',
      source: ABLATION,
      measure: 'linear',
      arms: [
        { name: 'joint', config: {} },
        { name: 'predictions alone', config: { cstp: { weights: { contrast: 0 } } } },
      ],
    },
  ],
});
