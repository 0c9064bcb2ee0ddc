import { z } from 'zod';
import { isDeviceChoice, LIMITS } from '../checks.js';
import { INPUT_KINDS } from '../data/plan.js';
import { ARCHITECTURE_NAMES, LARGEST_WIDTH, LEAST_WIDTH } from './architectures.js';
import { augmentSchema } from './augment-schema.js';
import { auto, between, choice, flag, group, orNull, whole } from './fields.js';

/** Version of the configuration format; in every config.json. */
export const CONFIG_VERSION = 1;

const count = whole(1);

/** An architecture by name, and a factor on its channel counts. */
export const archName = z.enum(ARCHITECTURE_NAMES);
export const channelFactor = between(LEAST_WIDTH, LARGEST_WIDTH);

/** Frames of a clip. */
export const frameCount = whole(1, LIMITS.frames);

/** Frames of the video from one frame of a clip to the next. */
export const strideCount = whole(1, LIMITS.stride);

const threadCount = whole(1, LIMITS.threads);

const modelSchema = z.strictObject({
  arch: archName.default('r3d_18').describe('Backbone: the architecture of the encoder'),
  width: channelFactor
    .default(1)
    .describe('Factor on every channel count: 0.25 gives r3d_18 16 channels in its stem'),
  batchNorm: z.boolean().optional().describe('c3d alone: BatchNorm after each convolution'),
  timeStrides: z
    .tuple([whole(1, 2), whole(1, 2), whole(1, 2), whole(1, 2)])
    .optional()
    .describe(
      'r3d_10, r3d_18, r3d_34 and r2plus1d_18: strides in time of the four layers, 1 or 2 each; without it 1, 2, 2, 2. ' +
        'Fewer strides leave more steps in time and cost more',
    ),
  checkpoint: choice(['none', 'stage'], 'none').describe(
    'stage: the network keeps the inputs of its stages alone and computes each again on the way back; less memory, ' +
      'the same numbers, up to a third more time',
  ),
});

const clipSchema = z.strictObject({
  frames: frameCount.default(16).describe('Frames of a clip'),
  stride: strideCount.default(2).describe('Frames of the video from one frame of the clip to the next'),
  fps: orNull(between(LIMITS.fps[0], LIMITS.fps[1])).describe(
    'Frames a second that stride counts, whatever the rate of a video; null: its own frames',
  ),
  size: whole(8, LIMITS.side).default(112).describe('Height and width in pixels'),
});

const channelTriple = z.tuple([z.number(), z.number(), z.number()]);
const positiveTriple = z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]);

const dataSchema = z.strictObject({
  path: orNull(z.string().min(1)).describe('Folder, manifest or data source; --data sets it'),
  clip: clipSchema.prefault({}),
  input: choice(INPUT_KINDS, 'rgb').describe(
    'What the network sees: pictures, each clip minus its mean over time, or differences of frames',
  ),
  onError: choice(['skip', 'substitute', 'fail'], 'skip').describe(
    'A clip that cannot be had is replaced in its batch; skip: a file that cannot be used, or whose failed clips ' +
      'outnumber its good ones, leaves the sampler at the next epoch; substitute: it is tried again in each ' +
      'epoch; fail: the run stops at the first clip that fails',
  ),
  workers: auto(threadCount).describe('Decoder threads'),
  cacheMB: between(0, 1e9).default(1024).describe('Bound of the cache of decoded, shrunk frames; 0: none'),
  shrink: auto(whole(1, 64)).describe(
    'Whole factor by which decoded pictures are shrunk first; auto: short side stays >= 1.75 clip sizes',
  ),
  normalize: group({
    mean: channelTriple.default([0, 0, 0]).describe('Of red, green and blue'),
    std: positiveTriple.default([1, 1, 1]).describe('Of red, green and blue'),
  }).describe('(x - mean) / std per channel, on values in [0, 1]'),
  augment: augmentSchema.prefault({}),
});

const optimizerSchema = z.strictObject({
  name: choice(['sgd', 'lars', 'adamw'], 'sgd').describe('What the rate is applied by'),
  lr: z.number().positive().default(0.32).describe('Peak learning rate'),
  momentum: z.number().min(0).lt(1).default(0.9).describe('sgd, lars: of the last steps that is kept'),
  nesterov: flag(false).describe('sgd: looks ahead along the momentum'),
  weightDecay: between(0, 1e3).default(1e-6).describe('Not applied to biases and BatchNorm'),
  betas: z
    .tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)])
    .default([0.9, 0.999])
    .describe('adamw: of the moving means of the gradient and of its square'),
  eps: z.number().positive().max(1).default(1e-8).describe('adamw, lars: keeps divisions from zero'),
  trustCoefficient: z
    .number()
    .positive()
    .max(1e3)
    .default(1e-3)
    .describe('lars: of the ratio of weight and gradient'),
});

const scheduleSchema = z.strictObject({
  name: choice(['cosine', 'step', 'constant'], 'cosine').describe('How the rate goes on after the warm-up'),
  warmupEpochs: orNull(z.number().min(0)).describe('Linear warm-up from 0, in epochs'),
  warmupSteps: orNull(whole(0)).describe('Linear warm-up from 0, in steps'),
  milestones: z
    .array(z.number().positive())
    .default([])
    .describe(
      'step: where the rate is multiplied by gamma; in epochs when train.epochs is set, else in steps',
    ),
  gamma: z.number().positive().default(0.1).describe('step: what the rate is multiplied by'),
  finalLr: z.number().min(0).default(0).describe('cosine: the rate at the end'),
});

/** One GPU of several. */
const gpuByNumber = z
  .templateLiteral(['cuda:', z.int()])
  .refine(isDeviceChoice, 'expected one of auto, cpu, cuda or cuda:N')
  .meta({ title: 'cuda:N' });

const trainSchema = z.strictObject({
  batch: count.default(64).describe('Videos in a batch'),
  epochs: count.nullable().default(200).describe('Length of the run in epochs, or null when steps is set'),
  steps: orNull(count).describe('Length of the run in steps, or null when epochs is set'),
  optimizer: optimizerSchema.prefault({}),
  schedule: scheduleSchema.prefault({}),
  precision: choice(['fp32', 'bf16', 'fp16'], 'bf16').describe(
    'Of the network; the loss is always fp32. fp16: for GPUs without bf16, with gradients scaled to its range',
  ),
  channelsLast: flag(true).describe('Layout of pictures in memory: the faster one on most machines'),
  accumulate: count
    .default(1)
    .describe("Chunks of a batch; a contrastive loss still has the full batch's negatives"),
  clipNorm: orNull(z.number().positive()).describe('Largest norm of the gradient; null: no limit'),
  checkpointEvery: count.nullable().default(500).describe('Steps between checkpoints; null: only at the end'),
  keepCheckpoints: count.default(3).describe('The last ones that are kept'),
  seed: whole(0).default(0).describe('Of weights, order and augmentation'),
  graph: flag(false).describe(
    'GPU: the step is recorded once and replayed, for methods whose step is the same work each time (cvrl, simclr)',
  ),
  syncNorm: auto(z.boolean()).describe(
    'With several ranks, BatchNorm sees the batch of all of them; auto: as the paper of the method has it',
  ),
  threads: auto(threadCount).describe('Threads of the network'),
  device: z
    .union([z.enum(['auto', 'cpu', 'cuda']), gpuByNumber])
    .default('auto')
    .describe('Where the network runs; cuda: the first GPU, with several ranks each its own'),
});

const evalSchema = z.strictObject({
  everyEpochs: orNull(count).describe('kNN on frozen features every so many epochs; null: never'),
  data: orNull(z.string().min(1)).describe('Labelled data for it'),
  test: orNull(z.string().min(1)).describe(
    'Its test videos, where they are a set of their own; no folds then',
  ),
  folds: z
    .string()
    .min(1)
    .default('group')
    .describe('Column whose values are the folds of the cross-validation'),
  windows: whole(1, LIMITS.windows).default(1).describe('Windows of each video whose features are averaged'),
  neighbours: count.default(5).describe('That vote'),
});

const logSchema = z.strictObject({
  every: count.default(10).describe('Steps between lines of metrics.jsonl'),
  tensorboard: flag(true).describe('Writes the metrics for TensorBoard as well'),
  plans: flag(false).describe('Writes every batch plan to plans.jsonl'),
});

/** Every key of a configuration except the method's own slice, which sits beside them under the method's name. */
export const baseConfigShape = {
  formatVersion: z.literal(CONFIG_VERSION).default(CONFIG_VERSION).describe('Of the configuration'),
  method: z.string().describe('Name of the method; its own options sit under that name'),
  out: orNull(z.string().min(1)).describe('Run folder; --out sets it'),
  model: modelSchema.prefault({}).describe('The network that is trained'),
  data: dataSchema.prefault({}).describe('The videos, and how clips are cut from them'),
  train: trainSchema.prefault({}).describe('How long, how fast, and on what'),
  eval: evalSchema.prefault({}).describe('Evaluation during training'),
  log: logSchema.prefault({}).describe('What a run writes down'),
} as const;

export const baseConfigSchema = z.strictObject(baseConfigShape);

/** What a user may write, without the methods' slices (src/methods/config.ts adds them: TrainConfig). */
export type BaseConfigInput = z.input<typeof baseConfigSchema>;

/** A checked configuration with every default filled in. */
export type BaseConfig = z.output<typeof baseConfigSchema>;

/** A checked configuration; the chosen method's slice is at `config[config.method]`. */
export type ResolvedConfig = BaseConfig & { readonly [slice: string]: unknown };

export type OptimizerConfig = BaseConfig['train']['optimizer'];
export type ScheduleConfig = BaseConfig['train']['schedule'];
export type { AugmentConfig } from './augment-schema.js';
