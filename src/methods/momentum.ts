/** What methods with a momentum encoder and a queue share: MoCo and those built on it. */
import type { z } from 'zod';
import { between, choice, flag, whole } from '../config/fields.js';
import type { ResolvedConfig } from '../config/schema.js';
import { Rng } from '../data/rng.js';
import type { SamplePlan, StepPosition, ViewContext } from '../data/views.js';
import { configError } from '../errors.js';
import { temperature } from './fields.js';
import { headSchema, nativeHead } from './head.js';

export interface MomentumDefaults {
  readonly temperature: number;
  readonly head: { readonly hiddenLayers: number; readonly norm: boolean };
  readonly decay: number;
}

/** Fields of a method's options. */
export function momentumFields({ temperature: tau, head, decay }: MomentumDefaults) {
  return {
    temperature: temperature.default(tau),
    head: headSchema(head).prefault({}),
    queue: whole(1, 2 ** 24)
      .default(65536)
      .describe('Keys that are kept as negatives; among more than the videos are a video’s own old keys'),
    skipOwnKeys: flag(false).describe(
      'Keys in the queue that are of the query’s own video are not among its negatives',
    ),
    decay: between(1e-6, 1).default(decay).describe('t: a key of age a counts t^a; 1: no decay'),
    decayOn: choice(['logit', 'weight'], 'logit').describe(
      't^age multiplies the similarity inside the exponential, or the exponential',
    ),
    ageUnit: choice(['enqueue', 'key'], 'enqueue').describe(
      'A key grows older by one with each batch that comes after it, or with each key',
    ),
    momentum: between(0, 1)
      .default(0.999)
      .describe('m in k <- m k + (1 - m) q; its first value when annealed'),
    momentumSchedule: choice(['constant', 'cosine'], 'constant').describe(
      'cosine: 1 - m falls to 0 along half a cosine over the run',
    ),
    symmetric: flag(false).describe('Each view is query and key in turn; the loss is the sum of both'),
    normGroups: whole(1, 65536)
      .default(8)
      .describe(
        'Parts of the batch that BatchNorm sees one by one, the keys in another order: shuffling BN on one device',
      ),
    shuffle: flag(true).describe('false: keys pass BatchNorm in the groups of their queries, which leaks'),
  };
}

/** Options of small presets, beside tinySettings: a queue shorter than the set and a copy that keeps up. */
export const tinyMomentum = {
  queue: 192,
  skipOwnKeys: true,
  momentum: 0.99,
  momentumSchedule: 'cosine',
  temperature: 0.1,
  normGroups: 4,
} as const;

export type MomentumOptions = Omit<z.output<z.ZodObject<ReturnType<typeof momentumFields>>>, 'symmetric'>;

/** Rules between the options and the batch. Throws ERR_VSSL_CONFIG. */
export function checkMomentum(
  { head, normGroups }: MomentumOptions,
  { method, train }: ResolvedConfig,
): void {
  if (!head.norm || head.hiddenLayers === 0) return;
  const { batch, accumulate } = train;
  const chunk = Math.floor(batch / accumulate);
  const group = Math.floor(chunk / Math.min(normGroups, chunk));
  if (group < 2)
    throw configError(
      `${method}.normGroups`,
      `BatchNorm in the head (${method}.head.norm) needs at least 2 videos in each group, but ${normGroups} groups of ` +
        `${chunk} videos (train.batch ${batch} / train.accumulate ${accumulate}) have ${group}; take fewer groups, a ` +
        'larger batch or a head without BatchNorm',
    );
}

/** Steps until the queue holds keys of the videos alone. */
export function stepsToFill(
  { queue }: MomentumOptions,
  { train }: ResolvedConfig,
  symmetric: boolean,
): number {
  return Math.ceil(queue / (train.batch * (symmetric ? 2 : 1)));
}

/** Those of the options that the engine's queue and networks take. */
export function nativeMomentum(options: MomentumOptions) {
  const { temperature, queue, skipOwnKeys, decay, decayOn, ageUnit, normGroups, shuffle, head } = options;
  const queued = { queue, skipOwnKeys, decay, decayOn, ageUnit };
  return { temperature, ...queued, normGroups, shuffle, ...nativeHead(head) };
}

/** The number of a sample's video, for a queue that leaves a query's own keys out. */
export function videoSide(
  { row }: Pick<ViewContext, 'row'>,
  { skipOwnKeys }: MomentumOptions,
): Pick<SamplePlan, 'side'> {
  if (!skipOwnKeys) return {};
  const number = Math.floor(new Rng('video', row.id).next() * 2 ** 53);
  return { side: [{ name: 'video', dtype: 'int64', shape: [], values: [number] }] };
}

/** m at this place of the run. */
export function momentumAt(
  { momentum, momentumSchedule }: Pick<MomentumOptions, 'momentum' | 'momentumSchedule'>,
  { step, totalSteps }: StepPosition,
): number {
  const left = momentumSchedule === 'cosine' ? (1 + Math.cos((Math.PI * step) / totalSteps)) / 2 : 1;
  return 1 - (1 - momentum) * left;
}

/** What a step is told: m, and the seed of the keys' order when BatchNorm sees the batch in parts. */
export function momentumHyper(
  options: MomentumOptions,
  position: StepPosition,
  seed: number,
): Record<string, number> {
  const shuffle = new Rng(seed, 'shuffle keys', position.step).bits();
  const isShuffled = options.normGroups > 1 && options.shuffle;
  return { momentum: momentumAt(options, position), ...(isShuffled && { shuffle }) };
}
