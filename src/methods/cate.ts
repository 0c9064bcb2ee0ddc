/**
 * CATE, Composable Augmentation Encoding (Sun, Nagrani, Tian, Schmid, ICCV 2021, arXiv 2104.00616): two clips of a video
 * attract each other through a head that is told what lies between them. The authors published weights and a notebook
 * that uses them, no training code. docs/methods/cate.md has the equations.
 */
import { z } from 'zod';
import { auto, choice, flag, group, orNull, whole } from '../config/fields.js';
import type { ResolvedConfig } from '../config/schema.js';
import { type ClipFormat, clockOf, planTrainingClip, spanOf } from '../data/clip-plan.js';
import type { ClipPlan } from '../data/plan.js';
import type { Rng } from '../data/rng.js';
import {
  type ClipSpan,
  countStarts,
  differingStart,
  drawStartsWithin,
  placesFor,
} from '../data/samplers/starts.js';
import type { SamplePlan, ViewContext } from '../data/views.js';
import { configError } from '../errors.js';
import {
  ENCODINGS,
  type EncodingName,
  type EncodingOptions,
  readEncodings,
  tokensOf,
} from './cate-encodings.js';
import { temperature } from './fields.js';
import { headSchema, nativeHead } from './head.js';
import { larsOnKinetics } from './kinetics.js';
import { defineMethod } from './method.js';
import { tinySettings, tinyTrain } from './tiny.js';

/** Seconds that count as 1 when shifts have no bound: Kinetics' clips are 10 s long. */
const FREE_SCALE = 10;

const cateSchema = z.strictObject({
  encode: z
    .array(z.enum(ENCODINGS))
    .default(['time', 'crop'])
    .describe('What the head is told of the two clips; what is not told it has to ignore'),
  constant: flag(false).describe(
    'Every encoding says that nothing changes: the same network without what it is told',
  ),
  timeForm: choice(['sign', 'magnitude', 'both'], 'both').describe(
    'What is told of the shift in time: which clip is first, how far they are apart, or both',
  ),
  timeScale: auto(z.number().positive()).describe(
    'Seconds that are told as 1, longer shifts too; auto: maxShift, or 10 without one',
  ),
  cropFrame: choice(['view', 'picture'], 'view').describe(
    'Crop boxes as a flipped clip sees them, mirrored; picture: as they lie in the video',
  ),
  maxShift: orNull(z.number().min(0)).describe(
    'Seconds between the starts of the two clips at most; null: anywhere in the video',
  ),
  speeds: z
    .array(z.number().positive().max(64))
    .min(1)
    .default([1])
    .describe('Each clip draws one of these factors on data.clip.stride'),
  reading: choice(['A', 'B'], 'A').describe(
    'A: one clip of a pair is told, the other is not, in turn; B: both are told their own side',
  ),
  guard: flag(true).describe(
    'B: all rows that an anchor meets are told what its own pair is; else the telling gives it away',
  ),
  anchors: whole(1, 2 ** 20)
    .nullable()
    .default(16)
    .describe('B with its guard: pairs of a batch that are anchors, each against all videos; null: all'),
  temperature: temperature.default(0.1),
  head: choice(['transformer', 'mlp'], 'transformer').describe(
    'mlp: the plain projection head of SimCLR, which is told nothing',
  ),
  transformer: group({
    layers: whole(1, 64).default(2).describe('Blocks of attention and MLP'),
    heads: whole(1, 1024).default(4).describe('Of attention'),
    width: whole(1, 16384).default(128).describe('Of a token; the heads divide it'),
    mlpRatio: whole(1, 64).default(4).describe('Hidden width of a block / width'),
    dim: whole(1, 65536).default(128).describe('Width of the embedding'),
  }),
  mlp: headSchema({ hiddenLayers: 2, norm: true }).prefault({}),
});

type CateOptions = z.output<typeof cateSchema>;

/** Frames of the video from one frame of a clip of this speed to the next. */
function strideAt(speed: number, { clip }: Pick<ClipFormat, 'clip'>): number {
  return Math.max(1, Math.round(clip.stride * speed));
}

/** What the head is told, in this order; nothing where it would not be used. */
function toldOf({ encode, constant, head }: CateOptions): readonly EncodingName[] {
  return constant || head === 'mlp' ? [] : encode;
}

function encodingOptions({ timeForm, timeScale, maxShift, cropFrame }: CateOptions): EncodingOptions {
  const scale = timeScale === 'auto' ? maxShift || FREE_SCALE : timeScale;
  return { timeForm, timeScale: scale, cropFrame };
}

/** Starts of two clips, at most `most` frames apart where that is not null; looped, they differ unless `most` is 0. */
function drawCateStarts(spans: readonly [ClipSpan, ClipSpan], most: number | null, rng: Rng) {
  const counted = spans.map((span) =>
    most === 0 ? { places: countStarts(span) || span.length, isLooped: false } : placesFor(span),
  );
  const counts = counted.map(({ places }) => places) as [number, number];
  const [first, second] =
    most === null ? counts.map((count) => rng.int(count)) : drawStartsWithin(counts, most, rng);
  const isLooped = counted.every((one) => one.isLooped);
  return [first!, isLooped ? differingStart(first!, second!, spans[1]) : second!];
}

/**
 * Two clips at uniform times, at most maxShift apart, each at a speed and with an augmentation of its own; and beside
 * them what the head is told.
 */
function planCatePair(context: ViewContext, options: CateOptions): SamplePlan {
  const { row, facts, rng } = context;
  const { speeds, maxShift } = options;
  const clock = clockOf(row, facts, context.format);
  const formats = [0, 1].map((view) => {
    const speed = speeds[rng.fork('speed', view).int(speeds.length)]!;
    return { ...context.format, clip: { ...context.format.clip, stride: strideAt(speed, context.format) } };
  });
  const starts = drawCateStarts(
    formats.map((format) => spanOf(clock, format)) as [ClipSpan, ClipSpan],
    maxShift === null ? null : Math.floor(maxShift / clock.period + 1e-6),
    rng.fork('time'),
  );
  const [first, second] = starts.map((start, view) =>
    planTrainingClip({
      ...context,
      format: formats[view]!,
      clock,
      start,
      view,
      rng: rng.fork('augment', view),
    }),
  ) as [ClipPlan, ClipPlan];
  const told = toldOf(options);
  return {
    views: [
      { name: 'view1', clip: first },
      { name: 'view2', clip: second },
    ],
    ...(told.length > 0 && { side: [readEncodings(told, [first, second], encodingOptions(options))] }),
  };
}

/** Rules between the options and the clip. Throws ERR_VSSL_CONFIG. */
function checkOptions(options: CateOptions, config: ResolvedConfig): void {
  const { encode, speeds, transformer } = options;
  const { data } = config;
  const twice = encode.find((name, i) => encode.indexOf(name) < i);
  if (twice !== undefined)
    throw configError('cate.encode', `'${twice}' stands twice; name each encoding once`);
  if (transformer.width % transformer.heads !== 0)
    throw configError(
      'cate.transformer.width',
      `expected a multiple of cate.transformer.heads (${transformer.heads}) but got ${transformer.width}`,
    );
  const strides = speeds.map((speed) => strideAt(speed, data));
  if (new Set(strides).size < strides.length)
    throw configError(
      'cate.speeds',
      `expected factors that make different strides of data.clip.stride (${data.clip.stride}), but ` +
        `${speeds.join(', ')} make ${strides.join(', ')}; take factors further apart or a larger stride`,
    );
  // Encodings of what is drawn for a whole clip have no meaning when each frame has its own.
  const lost = toldOf(options).find((name) => name === 'crop' || name === 'flip' || name === 'colour');
  if (data.augment.perFrame && lost !== undefined)
    throw configError(
      'cate.encode',
      `'${lost}' cannot be told of clips whose frames are augmented one by one: leave it out, or set data.augment.perFrame to false`,
    );
}

/** Seconds told as 1 in claims: no shift of a clip of 1.6 seconds within six seconds is longer. */
const CLAIMED_SCALE = 4.5;

/** A head that is told these; and one that is not, the arm to compare with, of the same size. */
const told = (encode: EncodingName[]) => ({ encode, timeScale: CLAIMED_SCALE });
const untold = (encode: EncodingName[]) => ({ ...told(encode), constant: true });

export const cate = defineMethod({
  name: 'cate',
  title: 'CATE',
  paper: {
    title: 'Composable Augmentation Encoding for Video Representation Learning',
    authors: 'Sun, Nagrani, Tian, Schmid',
    venue: 'ICCV 2021',
    arxiv: '2104.00616',
  },
  description:
    'Two clips of a video attract each other through a transformer that is told how they differ in time, place and ' +
    'colour, so that the features may keep what a plain contrastive loss makes them forget.',
  configSchema: cateSchema,
  defaults: { data: { augment: { crop: { area: [0.08, 1], aspect: [3 / 4, 4 / 3] } } } },
  check: checkOptions,
  planViews: planCatePair,
  least({ speeds, maxShift }, config) {
    const strides = speeds.map((speed) => strideAt(speed, config.data));
    const frames = (config.data.clip.frames - 1) * Math.max(...strides) + 1;
    return maxShift === null ? { frames: frames + 1 } : { frames, seconds: maxShift };
  },
  nativeOptions(options) {
    const { temperature, head, encode, constant, reading, guard, anchors, transformer, mlp } = options;
    const { layers, heads, width, mlpRatio, dim } = transformer;
    return {
      ...{ temperature, head, tokens: tokensOf(encode), constant, reading, guard, anchors: anchors ?? 0 },
      ...{ layers, heads, width, mlpRatio, ...nativeHead(mlp) },
      headDim: head === 'mlp' ? mlp.dim : dim,
    };
  },
  presets: [
    // CATE on Kinetics. Encoder, clip and pixels are those of the published weights; how they were trained is
    // not known, so the optimiser and its schedule are those of SimCLR on video (the preset simclr).
    {
      name: 'cate',
      description:
        'CATE on Kinetics: R3D-50, 32 frames, 224 x 224, batch 512, LARS, 200 epochs; time and crop encoded',
      needsGpu: true,
      config: {
        method: 'cate',
        model: { arch: 'r3d_50', width: 1 },
        data: { clip: { frames: 32, stride: 1, size: 224 }, input: 'rgb' },
        train: larsOnKinetics,
        cate: { encode: ['time', 'crop'] },
      },
    },
    // CATE for two CPU cores and a few hundred short videos: 2 seconds of shift are told as 1.
    {
      name: 'cate-tiny',
      description:
        'CATE for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 450 steps; time, crop and flip encoded',
      config: {
        method: 'cate',
        ...tinySettings,
        train: tinyTrain,
        cate: { encode: ['time', 'crop', 'flip'], timeScale: 2 },
      },
    },
  ],
  encoders: [{ name: 'encoder' }],
  claims: [
    {
      name: 'time-encoding',
      statement: 'A head that is told the shift in time beats one that is not, on data where order matters',
      source: 'abstract and project page; Something-Something',
      measure: 'linear',
      arms: [
        { name: 'time told', config: { cate: told(['time']) } },
        { name: 'not told', config: { cate: untold(['time']) } },
      ],
    },
    {
      name: 'time-encoding-neighbours',
      statement: 'The same by nearest neighbours',
      source: 'abstract and project page; Something-Something',
      measure: 'knn',
      arms: [
        { name: 'time told', config: { cate: told(['time']) } },
        { name: 'not told', config: { cate: untold(['time']) } },
      ],
    },
    {
      name: 'flip-encoding',
      statement: 'A head that is told the flip beats one that is not, where a class is a direction',
      source: 'abstract, as for time and crop: what is encoded is kept; on labels that a flip changes',
      measure: 'linear',
      arms: [
        { name: 'flip told', config: { cate: told(['flip']) } },
        { name: 'not told', config: { cate: untold(['flip']) } },
      ],
    },
    {
      name: 'shift-kept',
      statement:
        'Features of a run in which the shift was told keep it: a regression reads it off two windows',
      source: 'abstract: the features keep what is encoded',
      measure: 'shift-probe',
      arms: [
        { name: 'time told', config: { cate: told(['time']) } },
        { name: 'not told', config: { cate: untold(['time']) } },
      ],
    },
    {
      name: 'composition',
      statement: 'Several encodings together are at least as good as one',
      source: 'abstract: the encodings can be composed',
      measure: 'linear',
      relation: 'at least as good',
      arms: [
        { name: 'time, crop and flip', config: { cate: told(['time', 'crop', 'flip']) } },
        { name: 'time', config: { cate: told(['time']) } },
      ],
    },
    {
      name: 'large-shifts-untold',
      statement: 'Without encoding, shifts anywhere in the video lose against shifts of half a second',
      source: 'paper, the motivation of the encodings',
      measure: 'linear',
      arms: [
        { name: 'half a second', config: { cate: { ...untold(['time']), maxShift: 0.5 } } },
        { name: 'anywhere', config: { cate: untold(['time']) } },
      ],
    },
    {
      name: 'large-shifts-told',
      statement: 'With the shift encoded, shifts anywhere in the video can be used and beat short ones',
      source: 'paper, the motivation of the encodings',
      measure: 'linear',
      arms: [
        { name: 'anywhere', config: { cate: told(['time']) } },
        { name: 'half a second', config: { cate: { ...told(['time']), maxShift: 0.5 } } },
      ],
    },
  ],
});
