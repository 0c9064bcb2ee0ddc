/**
 * ConCur, Temporal Contrastive Learning with Curriculum (Roy and Etemad, ICASSP 2023, arXiv 2209.00760): two clips of a
 * video whose largest distance grows over the run attract each other, and the distance is predicted. No code of the
 * authors was found; docs/methods/concur.md says what is theirs and what was chosen.
 */
import { z } from 'zod';
import { between, choice, flag, group, whole } from '../config/fields.js';
import type { RawConfig } from '../config/raw.js';
import { clockOf, planTrainingClip, spanOf } from '../data/clip-plan.js';
import { SCHEDULES, scheduledPart } from '../data/samplers/schedule.js';
import { type ClipSpan, countStarts, drawShiftedStarts } from '../data/samplers/starts.js';
import type { RunProgress } from '../data/views.js';
import { lossScale, lossWeight, temperature } from './fields.js';
import { headSchema, nativeHead } from './head.js';
import { type Claim, defineMethod } from './method.js';
import { binOf, hiddenWidth, nativePredictions, type Prediction, targetsOf } from './predictions.js';
import { tinySettings } from './tiny.js';

const configSchema = z.strictObject({
  schedule: choice(SCHEDULES, 'up').describe(
    'The largest distance between the two clips over the run: up or down between its ends, in one step, or at the ' +
      'small or the large end throughout',
  ),
  until: between(0.01, 1)
    .default(0.8)
    .describe('Fraction of the run after which the schedule has arrived; step: it jumps half way there'),
  least: between(0, 1e3)
    .default(0.5)
    .describe('The small end, in lengths of a clip; the large end is all that the video allows'),
  distance: group({
    weight: lossWeight.default(0.5).describe('Weight of predicting the distance; 0: it is not predicted'),
    signed: flag(true).describe('Which clip comes first is predicted too; false: how far apart alone'),
    form: choice(['classes', 'number'], 'classes').describe(
      'Predicted as one of some classes, or as a number',
    ),
    classes: whole(2, 1000).default(8).describe('Equal parts of all distances that a video allows'),
    hidden: hiddenWidth.describe('Width of the hidden layer of the head; 0: of the features of both clips'),
  }),
  temperature: temperature.default(0.1),
  head: headSchema({ hiddenLayers: 1, norm: true }).prefault({}),
  lossScale: lossScale.default(1).describe('Factor on the contrast, the mean over the 2N rows'),
});

type Options = z.output<typeof configSchema>;

function headsOf({ distance }: Options): readonly Prediction[] {
  const { weight, form, classes } = distance;
  return [{ name: 'distance', input: 'pair', classes: form === 'classes' ? classes : 0, weight }];
}

/** Frames that the two clips may begin apart at this place in the run. */
export function farthestAt(options: Options, span: ClipSpan, progress: RunProgress): number {
  const all = Math.max(0, countStarts(span) - 1);
  const least = Math.min(all, Math.round(options.least * span.frames * span.stride));
  const part = scheduledPart({ kind: options.schedule, until: options.until }, progress);
  return least + Math.floor((all - least) * part);
}

/** The target of the distance head: signed and unsigned distances in units of all that the video allows. */
function distanceOf(
  { distance }: Options,
  span: ClipSpan,
  [a, b]: readonly [number, number],
): number[] | null {
  const all = countStarts(span) - 1;
  if (all < 1) return null;
  const { signed, form, classes } = distance;
  const gap = signed ? (b - a) / all : Math.abs(b - a) / all;
  return [form === 'classes' ? binOf(gap, signed ? -1 : 0, 1, classes) : gap];
}

const SCHEDULE = 'abstract: easy positives first, hard ones later; orderings to be tested, no table was read';

function against(name: string, statement: string, other: string, config: RawConfig): Claim {
  const arms = [
    { name: 'growing', config: {} },
    { name: other, config: { concur: config } },
  ];
  return { name, statement, source: SCHEDULE, measure: 'retrieval', arms };
}

export const concur = defineMethod({
  name: 'concur',
  title: 'ConCur',
  paper: {
    title: 'Temporal Contrastive Learning with Curriculum',
    authors: 'Roy, Etemad',
    venue: 'ICASSP 2023',
    arxiv: '2209.00760',
  },
  description:
    'Two clips of a video, at first near in time and later ever farther apart, attract each other; how far apart they ' +
    'are is predicted from their features.',
  configSchema,
  planViews(context, options) {
    const { row, facts, format, progress, rng } = context;
    const clock = clockOf(row, facts, format);
    const span = spanOf(clock, format);
    const range = { least: 0, most: farthestAt(options, span, progress) };
    const starts = drawShiftedStarts(span, range, rng.fork('time'));
    const clips = starts.map((start, view) => ({
      name: `view${view + 1}`,
      clip: planTrainingClip({ ...context, clock, start, view, rng: rng.fork('augment', view) }),
    }));
    const targets = targetsOf(headsOf(options), { distance: distanceOf(options, span, starts) });
    return { views: [...clips, ...targets] };
  },
  nativeOptions(options) {
    const { temperature, head, lossScale, distance } = options;
    return {
      ...{ temperature, lossScale },
      ...nativeHead(head),
      ...nativePredictions(headsOf(options), distance.hidden),
    };
  },
  presets: [
    // The network and the data are the paper's; the rest was not to be had and was chosen: docs/methods/concur.md.
    {
      name: 'concur',
      description: 'ConCur on Kinetics: R(2+1)D-18, 16 x 112 x 112, batch 64, SGD, 200 epochs',
      needsGpu: true,
      config: {
        method: 'concur',
        model: { arch: 'r2plus1d_18', width: 1 },
        data: { clip: { frames: 16, stride: 2, size: 112 }, input: 'rgb' },
        train: {
          batch: 64,
          epochs: 200,
          optimizer: { name: 'sgd', lr: 0.0075, momentum: 0.9, weightDecay: 1e-4 },
          schedule: { name: 'cosine', warmupEpochs: 10, finalLr: 0 },
          precision: 'bf16',
        },
      },
    },
    {
      name: 'concur-tiny',
      description:
        'ConCur for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 720 steps',
      config: { method: 'concur', ...tinySettings },
    },
  ],
  encoders: [{ name: 'encoder' }],
  claims: [
    against('growing-span', 'A span that grows beats one that stays small', 'small', { schedule: 'small' }),
    against('not-all-at-once', 'A span that grows beats one that is large from the beginning', 'large', {
      schedule: 'large',
    }),
    against('direction', 'A span that grows beats one that shrinks', 'shrinking', { schedule: 'down' }),
    {
      name: 'distance',
      statement: 'Predicting the distance of the two clips helps',
      source: 'abstract: both terms',
      measure: 'linear',
      arms: [
        { name: 'both', config: {} },
        { name: 'contrast alone', config: { concur: { distance: { weight: 0 } } } },
      ],
    },
    {
      name: 'arrow-of-time',
      statement: 'Predicting which clip comes first beats predicting how far apart they are alone',
      source: 'chosen here: the signed distance tells the arrow of time',
      measure: 'linear',
      arms: [
        { name: 'signed', config: {} },
        { name: 'unsigned', config: { concur: { distance: { signed: false } } } },
      ],
    },
  ],
});
