/** What MoCo and a method that differs from it in its data alone have in common: two clips of a video, one a key. */
import { flag } from '../config/fields.js';
import type { ResolvedConfig } from '../config/schema.js';
import type { SamplePlan, StepPosition, ViewContext } from '../data/views.js';
import {
  checkMomentum,
  type MomentumDefaults,
  type MomentumOptions,
  momentumFields,
  momentumHyper,
  nativeMomentum,
  stepsToFill,
  videoSide,
} from './momentum.js';
import { type OwnNegatives, ownNegativesField } from './own-negatives.js';
import { leastPair, planUniformPair } from './uniform-pair.js';

export type MomentumPairOptions = MomentumOptions & {
  readonly sameWindow: boolean;
  readonly ownNegatives: OwnNegatives;
  readonly symmetric: boolean;
};

/** The options, for a schema. */
export function momentumPairFields(defaults: MomentumDefaults) {
  return {
    sameWindow: flag(false).describe('Both views show the same window; only the augmentation differs'),
    ownNegatives: ownNegativesField,
    ...momentumFields(defaults),
  };
}

/** Crops and colours that both begin with. */
export const momentumPairAugment = {
  crop: { area: [0.2, 1], aspect: [3 / 4, 4 / 3] },
  jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
} as const;

/** The parts of a method's definition that follow from those options. */
export const momentumPair = {
  check: checkMomentum,
  planViews: (context: ViewContext, options: MomentumPairOptions): SamplePlan => ({
    ...planUniformPair(context, options),
    ...videoSide(context, options),
  }),
  least: (options: MomentumPairOptions, config: ResolvedConfig) => ({
    ...leastPair(config, options),
    steps: stepsToFill(options, config, options.symmetric),
  }),
  nativeOptions: (options: MomentumPairOptions) => ({
    ...{ symmetric: options.symmetric, ownNegatives: options.ownNegatives !== 'none' },
    ...nativeMomentum(options),
  }),
  hyper: (options: MomentumPairOptions, position: StepPosition, { train }: ResolvedConfig) =>
    momentumHyper(options, position, train.seed),
};
