/**
 * TEG, Exploring Temporal Granularity in Self-Supervised Video Representation Learning (Qian et al., arXiv 2112.04480):
 * a long clip and a short one within it; every step of the short one finds the step of the long one that is nearest in
 * time, and the means of both find each other. No code of the authors was found; docs/methods/teg.md says what is theirs
 * and what was chosen.
 */
import { z } from 'zod';
import { timeSteps } from '../config/architectures.js';
import { between } from '../config/fields.js';
import type { RawConfig } from '../config/raw.js';
import type { ResolvedConfig } from '../config/schema.js';
import { drawAugment } from '../data/augment/draw-augment.js';
import { clipFrame, clockOf, spanOf } from '../data/clip-plan.js';
import { clipTimes } from '../data/samplers/clock.js';
import { drawNested, type Placed } from '../data/samplers/nested.js';
import type { SamplePlan, ViewContext } from '../data/views.js';
import { configError } from '../errors.js';
import { lossWeight, temperature } from './fields.js';
import { headSchema, nativeHead } from './head.js';
import { type Claim, defineMethod } from './method.js';
import { tinySettings } from './tiny.js';

const configSchema = z.strictObject({
  longer: between(1, 64)
    .default(4)
    .describe('Stride of the long clip in strides of the short one, or what of it a video allows'),
  fine: lossWeight
    .default(0.5)
    .describe('Weight of matching steps in time; 0: the means over time alone are compared'),
  persistent: lossWeight
    .default(0.5)
    .describe('Weight of matching the means over time; 0: the steps alone are compared'),
  temperature: temperature.default(0.1),
  head: headSchema({ hiddenLayers: 3, norm: true })
    .prefault({})
    .describe('Two heads of this form: one for each step, one for their mean'),
});

type Options = z.output<typeof configSchema>;

/** Rules between the options and the network. Throws ERR_VSSL_CONFIG. */
function checkOptions({ fine, persistent }: Options, { model, data }: ResolvedConfig): void {
  if (fine === 0 && persistent === 0)
    throw configError('teg.fine', 'and teg.persistent are both 0; give one of the losses a weight');
  const { frames } = data.clip;
  const steps = timeSteps(model, frames);
  if (fine > 0 && steps < 2)
    throw configError(
      'model.timeStrides',
      `${model.arch} makes one step in time of ${frames} frames, and the fine loss (teg.fine) needs at least 2: ` +
        'give it fewer strides of 2 in time, such as model.timeStrides=[1, 2, 1, 1] of r3d_10, r3d_18, r3d_34 and ' +
        'r2plus1d_18, clips of more frames, or an architecture that keeps its steps (r3d_50)',
    );
}

function planNested(context: ViewContext, options: Options): SamplePlan {
  const { row, facts, format, augment, rng } = context;
  const { frames, size } = format.clip;
  const clock = clockOf(row, facts, format);
  const { long, short } = drawNested(spanOf(clock, format), options.longer, rng.fork('time'));
  const views = [long, short].map(({ start, stride }, view) => {
    const target = { width: facts.width, height: facts.height, size, frames, view };
    const clip = {
      ...clipFrame(row.source, facts, format),
      times: clipTimes(clock, start, frames, stride),
      augment: drawAugment(augment, target, rng.fork('augment', view)),
    };
    return { name: `view${view + 1}`, clip };
  });
  // from the beginning of the long clip, and going on where a short video begins again
  const secondsOf = ({ start, stride }: Placed) =>
    Array.from({ length: frames }, (_, i) => (start - long.start + i * stride) * clock.period);
  const values = [...secondsOf(long), ...secondsOf(short)];
  return { views, side: [{ name: 'times', dtype: 'float32', shape: [2, frames], values }] };
}

const FINE_ONLY = ['fine', { teg: { fine: 1, persistent: 0 } }] as const;
const PERSISTENT_ONLY = ['persistent', { teg: { fine: 0, persistent: 1 } }] as const;
const JOINT = ['joint', {}] as const;

function ordering(
  name: string,
  statement: string,
  measure: string,
  arms: readonly (readonly [string, RawConfig])[],
): Claim {
  const source = 'abstract, on the granularity that tasks need; the tables were not read';
  return { name, statement, source, measure, arms: arms.map(([arm, config]) => ({ name: arm, config })) };
}

export const teg = defineMethod({
  name: 'teg',
  title: 'TEG',
  paper: {
    title: 'Exploring Temporal Granularity in Self-Supervised Video Representation Learning',
    authors: 'Qian, Li, Yuan, Gong, Liu, Brown, Belongie, Yang, Adam, Cui',
    venue: 'arXiv 2021',
    arxiv: '2112.04480',
  },
  description:
    'Each moment of a short clip finds its own in a longer clip around it, among the moments of all videos; the two ' +
    'clips as a whole attract each other too.',
  configSchema,
  check: checkOptions,
  planViews: planNested,
  nativeOptions: ({ fine, persistent, temperature, head }) => ({
    ...{ fine, persistent, temperature },
    ...nativeHead(head),
  }),
  presets: [
    // CVRL's settings, of the same group; those of the paper were not to be had: docs/methods/teg.md.
    {
      name: 'teg',
      description: 'TEG on Kinetics: R3D-50, 16 x 224 x 224, batch 1024, SGD 0.32, 200 epochs',
      needsGpu: true,
      config: {
        method: 'teg',
        model: { arch: 'r3d_50', width: 1 },
        data: { clip: { frames: 16, stride: 2, size: 224 }, input: 'rgb' },
        train: {
          batch: 1024,
          epochs: 200,
          optimizer: { name: 'sgd', lr: 0.32, momentum: 0.9, weightDecay: 1e-6 },
          schedule: { name: 'cosine', warmupEpochs: 5, finalLr: 0 },
          precision: 'bf16',
        },
        teg: { head: { hiddenDim: 2048 } },
      },
    },
    // The network keeps 4 steps of 8 frames. Long clips have the span of the other tiny presets, short ones half of it.
    {
      name: 'teg-tiny',
      description:
        'TEG for 2 CPU cores: R3D-10 at a quarter of its width with 4 steps in time, 8 x 64 x 64, batch 48, 720 steps',
      config: {
        method: 'teg',
        ...tinySettings,
        model: { ...tinySettings.model, timeStrides: [1, 2, 1, 1] },
        data: { ...tinySettings.data, clip: { ...tinySettings.data.clip, stride: 2 } },
        teg: { longer: 2 },
      },
    },
  ],
  encoders: [{ name: 'encoder' }],
  claims: [
    ordering('fine-tells-when', 'The fine loss alone tells better when something is', 'shift-probe', [
      FINE_ONLY,
      PERSISTENT_ONLY,
    ]),
    ordering('persistent-tells-what', 'The persistent loss alone tells better what a clip shows', 'linear', [
      PERSISTENT_ONLY,
      FINE_ONLY,
    ]),
    ordering(
      'joint-tells-when',
      'Both together tell when better than the persistent loss alone',
      'shift-probe',
      [JOINT, PERSISTENT_ONLY],
    ),
  ],
});
