/**
 * TCGL (Liu et al., IEEE TIP 2022, arXiv 2112.03587; its preprint TCG, arXiv 2101.00820; authors' code
 * YangLiu9208/TCGL): snippets of a video and frame sets of a snippet as nodes of small graphs, whose corrupted views
 * are contrasted; the order of the shuffled snippets is predicted. docs/methods/tcgl.md has the equations.
 */
import { z } from 'zod';
import { checkLeastClip } from '../config/architectures.js';
import { auto, between, choice, flag, group, whole } from '../config/fields.js';
import type { RawConfig } from '../config/raw.js';
import type { ResolvedConfig } from '../config/schema.js';
import { clockOf, planTrainingClip, spanOf } from '../data/clip-plan.js';
import type { ArrayRow } from '../data/plan.js';
import { Rng } from '../data/rng.js';
import { drawSnippetStarts } from '../data/samplers/snippets.js';
import { configError } from '../errors.js';
import { lossWeight, temperature } from './fields.js';
import { type Claim, clipReach, defineMethod } from './method.js';
import { tinySettings, tinyTrain } from './tiny.js';

const probability = between(0, 1);
const weight = lossWeight.default(1);

const configSchema = z.strictObject({
  snippets: whole(2, 4).default(3).describe('Of each video, each of data.clip.frames frames'),
  gap: whole(0)
    .default(8)
    .describe('Frames of the video between two snippets; less in a video that is too short'),
  sets: whole(1, 64)
    .default(4)
    .describe('Frame sets of a snippet, nodes of its graph; they share out data.clip.frames'),
  dropLow: whole(1, 63)
    .default(1)
    .describe(
      'Temporal DCT coefficients that snippets and frame sets lose, from the lowest, where data.input is ' +
        "'temporal-mean-removed'; 1: the mean. Evaluation removes the mean alone",
    ),
  repeat: whole(1, 16)
    .default(1)
    .describe('Times that each frame of a frame set is shown; c3d needs 2 for sets of 4'),
  adjacency: choice(['chain', 'none', 'full'], 'chain').describe(
    'Inter graph: snippets in true order, which tells who the middle one is; none: no edges (control); ' +
      'full: all joined, which leaves nothing of the order',
  ),
  corrupted: choice(['both', 'second'], 'both').describe(
    'Views that lose edges and features; second: the first is whole, as in the authors’ code',
  ),
  edgeDraws: choice(['graph', 'batch'], 'graph').describe(
    'batch: all videos lose the same edges of their intra graphs, as in the authors’ code',
  ),
  edgeDrop: probability.default(0.2).describe('Probability that a directed edge is dropped'),
  featureMask: probability
    .default(0.1)
    .describe('Probability that a feature is zeroed in all nodes of a graph'),
  temperature: temperature.default(0.5),
  gcnLayers: whole(1, 8).default(1).describe('Layers of the inter graph’s convolution'),
  gates: flag(true).describe(
    'Order prediction weighs the features of each place; false: plain concatenation',
  ),
  dropout: between(0, 0.99).default(0.1).describe('In the head for the order'),
  dim: auto(whole(1, 65536)).describe(
    "Width of graph nodes after the convolution; auto: the encoder's, at most 512",
  ),
  separatePasses: flag(false).describe(
    'BatchNorm sees each place and each frame set by itself, as in the authors’ code; false: all snippets ' +
      'together, all frame sets together',
  ),
  negatives: choice(['graph', 'batch'], 'graph').describe(
    'batch: nodes are told from those of all graphs of their kind in the batch, not of their own graph alone ' +
      '(beyond the paper)',
  ),
  views: choice(['shared', 'separate'], 'shared').describe(
    'separate: the two views of a graph are of two crops of each snippet, not of one (beyond the paper); twice the work',
  ),
  heldOut: between(0, 0.5)
    .default(0)
    .describe(
      'Part of the videos, chosen by their name, of which nothing is learned: how often their order is told right ' +
        'is heldOutAccuracy in the log',
    ),
  setStatistics: flag(false).describe(
    'Frame sets move BatchNorm’s running statistics too, as in the authors’ code',
  ),
  weights: group({
    intra: weight.describe('Graphs of the frame sets of one snippet'),
    inter: weight.describe('Graphs of the snippets of one video'),
    order: weight.describe('The order of the snippets'),
  }).describe('Of the three losses; one of weight 0 is not computed'),
});

type Options = z.output<typeof configSchema>;

/** Coefficients that the engine drops: snippets come without their mean, or as pictures with nothing to drop. */
function droppedCoefficients({ dropLow }: Options, { data }: ResolvedConfig): number {
  return data.input === 'temporal-mean-removed' ? dropLow : 0;
}

/** Rules between the options and the clip. Throws ERR_VSSL_CONFIG. */
function checkOptions(options: Options, config: ResolvedConfig): void {
  const { frames } = config.data.clip;
  const { sets, repeat, weights } = options;
  if (frames % sets !== 0) {
    throw configError('tcgl.sets', `expected a divisor of data.clip.frames (${frames}) but got ${sets}`);
  }
  const dropped = droppedCoefficients(options, config);
  if (dropped >= frames / sets) {
    throw configError(
      sets > 1 && options.dropLow === 1 ? 'tcgl.sets' : 'tcgl.dropLow',
      `a frame set of ${frames / sets} frames has as many temporal coefficients, and ${dropped} of them are ` +
        'dropped: nothing is left of it; take fewer sets, more frames or a smaller dropLow',
    );
  }
  if (weights.intra + weights.inter + weights.order === 0) {
    throw configError('tcgl.weights', 'all three are 0; give one of the losses a weight');
  }
  if (weights.intra > 0) {
    const { arch } = config.model;
    const remark =
      ` in a frame set: data.clip.frames (${frames}) / tcgl.sets (${sets}), each shown ${repeat} times; show them more ` +
      'often, or take fewer sets or more frames';
    checkLeastClip(arch, { ...config.data.clip, frames: (frames / sets) * repeat }, 'tcgl.repeat', remark);
  }
}

/** Whether a video is held out: the same in every epoch, and whichever other videos there are. */
function heldOutSide(id: string, part: number): ArrayRow {
  const held = new Rng(0, 'held out', id).next() < part ? 1 : 0;
  return { name: 'heldOut', dtype: 'int64', shape: [], values: [held] };
}

/** An ordering of TCGL against one ablation of it. */
function ablation(
  name: string,
  statement: string,
  source: string,
  best: Arm,
  other: Arm,
  relation: Claim['relation'] = 'better',
): Claim {
  const arms = [best, other].map(([arm, config]) => ({ name: arm, config }));
  return { name, statement, source, measure: 'linear', relation, arms };
}
type Arm = readonly [name: string, config: RawConfig];

const ABLATION = 'paper, ablation study; class of that name in the authors’ code';
const ALL: Arm = ['all losses', {}];
const UNJOINED: RawConfig = { adjacency: 'none' };

export const tcgl = defineMethod({
  name: 'tcgl',
  title: 'TCGL',
  paper: {
    title: 'TCGL: Temporal Contrastive Graph for Self-Supervised Video Representation Learning',
    authors: 'Liu, Wang, Liu, Lan, Lin',
    venue: 'IEEE TIP 2022',
    arxiv: '2112.03587',
  },
  description:
    'Graphs over the snippets of a video and over the frames of a snippet are corrupted and their nodes found again; ' +
    'the order of the shuffled snippets is predicted. All without the still background.',
  configSchema,
  defaults: {
    data: {
      clip: { stride: 1 },
      input: 'temporal-mean-removed',
      augment: {
        // 112 x 112 of 128 x 171, up to whole pixels; the shapes are those it has in pictures of 4:3 to 16:9.
        crop: { area: [0.55, 0.6], aspect: [1, 4 / 3] },
        flip: 0,
        jitter: { p: 0 },
        gray: 0,
        blur: { p: 0 },
      },
    },
  },
  check: checkOptions,
  planViews(context, options) {
    const { row, facts, format, rng } = context;
    const clock = clockOf(row, facts, format);
    const span = spanOf(clock, format);
    const starts = drawSnippetStarts(span, options.snippets, options.gap, rng.fork('time'));
    const plan = (name: string, augment: string) =>
      starts.map((start, view) => ({
        name: `${name}${view + 1}`,
        clip: planTrainingClip({ ...context, clock, start, view, rng: rng.fork(augment, view) }),
      }));
    const views = [
      ...plan('snippet', 'augment'),
      ...(options.views === 'separate' ? plan('again', 'augment again') : []),
    ];
    return { views, ...(options.heldOut > 0 && { side: [heldOutSide(row.id, options.heldOut)] }) };
  },
  least: ({ snippets, gap }, config) => ({ frames: snippets * clipReach(config) + (snippets - 1) * gap }),
  syncNorm: false, // its code runs DataParallel: each device normalises its own part
  nativeOptions(options, config) {
    const { gap: _, dim, weights, negatives, views, heldOut, ...native } = options;
    return {
      ...native,
      batchNegatives: negatives === 'batch',
      separateViews: views === 'separate',
      heldOut: heldOut > 0,
      dropLow: droppedCoefficients(options, config),
      dim: dim === 'auto' ? 0 : dim,
      intraWeight: weights.intra,
      interWeight: weights.inter,
      orderWeight: weights.order,
    };
  },
  hyper: (_, { step }, { train }) => ({
    orderSeed: new Rng(train.seed, 'snippet order', step).bits(),
    corruptionSeed: new Rng(train.seed, 'graph corruption', step).bits(),
  }),
  presets: [
    // TCGL on UCF101 (YangLiu9208/TCGL, 1_train_TCGL_UCF101_R3D.py). The authors divide the rate by 10 when
    // the validation loss has not fallen for 50 epochs; here it is divided after two thirds and five sixths
    // of the run.
    {
      name: 'tcgl',
      description: 'TCGL on UCF101: R3D-18, 3 snippets of 16 frames, 112 x 112, batch 24, SGD, 300 epochs',
      needsGpu: true,
      config: {
        method: 'tcgl',
        model: { arch: 'r3d_18', width: 1 },
        data: { clip: { frames: 16, stride: 1, size: 112 }, input: 'temporal-mean-removed' },
        train: {
          batch: 24,
          epochs: 300,
          optimizer: { name: 'sgd', lr: 3e-3, momentum: 0.9, weightDecay: 5e-4 },
          schedule: { name: 'step', milestones: [200, 250], gamma: 0.1 },
          precision: 'bf16',
        },
      },
    },
    // TCGL for two CPU cores and a few hundred short videos. A video passes the encoder as three snippets and
    // as twelve frame sets, so batches and the run are shorter. Snippets and frame sets have the method's 16 and
    // 4 frames, and its crops; three snippets of 0.9 seconds fit into 2.9. In shorter videos they overlap: two
    // (tcgl.snippets=2) fit into 1.9.
    {
      name: 'tcgl-tiny',
      description:
        'TCGL for 2 CPU cores: R3D-10 at a quarter of its width, 3 snippets of 16 x 64 x 64, batch 16, 450 steps',
      config: {
        method: 'tcgl',
        model: tinySettings.model,
        data: {
          clip: { ...tinySettings.data.clip, frames: 16, stride: 1 },
          input: 'temporal-mean-removed',
        },
        train: { ...tinyTrain, batch: 16 },
        tcgl: { gap: 2, heldOut: 0.1 },
      },
    },
  ],
  encoders: [{ name: 'encoder' }],
  claims: [
    ablation(
      'all-over-order',
      'Order prediction with both contrasts beats order prediction alone',
      ABLATION,
      ALL,
      ['order only', { tcgl: { weights: { intra: 0, inter: 0 } } }],
    ),
    ablation(
      'all-over-contrast',
      'Order prediction with both contrasts beats both contrasts alone',
      ABLATION,
      ALL,
      ['contrast only', { tcgl: { weights: { order: 0 } } }],
    ),
    ablation(
      'all-over-order-and-intra',
      'All losses beat order and the contrast of frame sets',
      ABLATION,
      ALL,
      ['order and intra', { tcgl: { weights: { inter: 0 } } }],
    ),
    ablation(
      'all-over-order-and-inter',
      'All losses beat order and the contrast of snippets',
      ABLATION,
      ALL,
      ['order and inter', { tcgl: { weights: { intra: 0 } } }],
    ),
    ablation(
      'all-over-order-without-leak',
      'Control of the comparison with order alone: all losses beat order prediction alone also without edges between ' +
        'snippets, where the graph does not tell which one is in the middle',
      'not in the paper: the inter graph narrows six orders to two',
      ['all losses, no inter edges', { tcgl: UNJOINED }],
      ['order only, no inter edges', { tcgl: { ...UNJOINED, weights: { intra: 0, inter: 0 } } }],
    ),
    ablation(
      'motion-over-pictures',
      'Without the temporal mean (STKD) beats raw pictures',
      'paper, ablation study; the classes of the authors’ ablations lack it',
      ['mean removed', { data: { input: 'temporal-mean-removed' } }],
      ['pictures', { data: { input: 'rgb' } }],
    ),
    ablation(
      'motion-over-pictures-for-order-alone',
      'Control of the comparison with pictures: the gain is there for order prediction alone, without any graph ' +
        'contrast, when it comes from the missing background',
      'not in the paper: the background goes with the mean',
      [
        'order only, mean removed',
        { data: { input: 'temporal-mean-removed' }, tcgl: { weights: { intra: 0, inter: 0 } } },
      ],
      ['order only, pictures', { data: { input: 'rgb' }, tcgl: { weights: { intra: 0, inter: 0 } } }],
    ),
    ablation(
      'gates',
      'Adaptive gates beat plain concatenation',
      `${ABLATION}: noadaptive`,
      ['gates', {}],
      ['concatenation', { tcgl: { gates: false } }],
    ),
    ablation(
      'edges-and-features-over-edges',
      'Dropping edges and features beats edges alone',
      `${ABLATION}: edge`,
      ['edges and features', {}],
      ['edges', { tcgl: { featureMask: 0 } }],
    ),
    ablation(
      'edges-and-features-over-features',
      'Dropping edges and features beats features alone',
      `${ABLATION}: node`,
      ['edges and features', {}],
      ['features', { tcgl: { edgeDrop: 0 } }],
    ),
    ablation(
      'one-layer',
      'One layer of graph convolution is as good as two or better',
      `${ABLATION}: twoGCN`,
      ['one layer', { tcgl: { gcnLayers: 1 } }],
      ['two layers', { tcgl: { gcnLayers: 2 } }],
      'at least as good',
    ),
    ablation(
      'three-snippets-over-two',
      'Three snippets beat two',
      `${ABLATION}: double`,
      ['three snippets', { tcgl: { snippets: 3 } }],
      ['two snippets', { tcgl: { snippets: 2 } }],
    ),
    ablation(
      'three-snippets-over-four',
      'Three snippets beat four',
      `${ABLATION}: FourClip`,
      ['three snippets', { tcgl: { snippets: 3 } }],
      ['four snippets', { tcgl: { snippets: 4 } }],
    ),
    ablation(
      'four-sets-over-two',
      'Four frame sets of a snippet beat two',
      `${ABLATION}: TwoFrame`,
      ['four sets', { tcgl: { sets: 4 } }],
      ['two sets', { tcgl: { sets: 2 } }],
    ),
    ablation(
      'four-sets-over-eight',
      'Four frame sets of a snippet beat eight',
      `${ABLATION}: EightFrame`,
      ['four sets', { tcgl: { sets: 4 } }],
      ['eight sets', { tcgl: { sets: 8 } }],
    ),
  ],
});
