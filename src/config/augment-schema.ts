import { z } from 'zod';
import { auto, between, choice, flag, whole } from './fields.js';

const probability = between(0, 1);
const strength = between(0, 4);

/** A range [low, high] of positive numbers. */
function range(maximum: number) {
  return z
    .tuple([z.number().positive().max(maximum), z.number().positive().max(maximum)])
    .refine(([low, high]) => low <= high, 'expected [low, high] with low <= high');
}

/** A range [low, high] within 0 to 1. */
const part = () =>
  z
    .tuple([probability, probability])
    .refine(([low, high]) => low <= high, 'expected [low, high] with low <= high');

const cropSchema = z.strictObject({
  area: range(1).default([0.3, 1]).describe('Fraction of the picture that the crop covers'),
  aspect: range(10)
    .default([0.5, 2])
    .describe('Width / height of the crop in pixels of the displayed picture'),
  attempts: whole(1, 10_000).default(100).describe('Draws before the whole picture is taken'),
  minCovered: probability.default(0.1).describe('Crops covering less of the picture are drawn again'),
});

const jitterSchema = z.strictObject({
  p: probability.default(0.8).describe('Probability that a clip is coloured anew'),
  brightness: strength.default(0.8).describe('Factor U(max(0, 1 - s), 1 + s)'),
  contrast: strength.default(0.8).describe('Factor U(max(0, 1 - s), 1 + s)'),
  saturation: strength.default(0.8).describe('Factor U(max(0, 1 - s), 1 + s)'),
  hue: between(0, 0.5).default(0.2).describe('Shift U(-s, s) in turns'),
});

const blurSchema = z.strictObject({
  p: probability.default(0.5).describe('Probability of a Gaussian blur'),
  sigma: range(64).default([0.1, 2]).describe('Its deviation, in pixels of the clip'),
  radius: auto(whole(1, 64)).describe('Taps on either side; auto: floor(floor(size / 10) / 2), at least 1'),
});

const solarizeSchema = z.strictObject({
  p: probability.default(0).describe('Probability of solarising'),
  threshold: probability.default(0.5).describe('Values from here up become 1 - v'),
});

const fameSchema = z.strictObject({
  share: between(0.01, 0.99)
    .default(0.5)
    .describe('Fraction of the picture that is foreground at most (beta of the paper)'),
  mask: choice(['refined', 'difference'], 'refined').describe(
    'What tells the foreground: the colours of what moves, or the differences of frames alone',
  ),
  views: choice(['first', 'all'], 'first').describe(
    'Which views get another background: the first view of pictures of each video, or all',
  ),
});

const stillSchema = z.strictObject({
  p: probability.default(0).describe('Probability that a frame of the clip is mixed into all of them'),
  weight: part()
    .default([0, 0.5])
    .describe('Its weight; the background, which stands still, says less of the video'),
});

const meanRemovalSchema = z.strictObject({
  p: probability.default(0).describe('Probability that a part of the mean over time is taken away'),
  factor: part().default([0, 1]).describe("The part; 1: as data.input 'temporal-mean-removed' does"),
});

/** Augmentation of training clips. Drawn once a clip, independently for each view. */
export const augmentSchema = z.strictObject({
  crop: z.union([cropSchema, z.null()]).prefault({}).describe('null: the centre square'),
  flip: probability.default(0.5).describe('Probability of a horizontal flip'),
  jitter: jitterSchema.prefault({}),
  gray: probability.default(0.2).describe('Probability of shades of grey'),
  blur: blurSchema.prefault({}),
  solarize: solarizeSchema.prefault({}),
  still: stillSchema.prefault({}),
  meanRemoval: meanRemovalSchema.prefault({}),
  asymmetric: flag(false).describe(
    "CVRL's final release: the first view always blurs, the second blurs with p 0.1 and solarises with p 0.2; " +
      'blur.p and solarize.p are then not used',
  ),
  perFrame: z
    .union([z.boolean(), z.literal('same-crop')])
    .default(false)
    .describe(
      'Draws everything anew for each frame (the ablation of temporally consistent augmentation); same-crop: ' +
        'everything but the crop, which a clip has one of',
    ),
  background: choice(['own', 'fame'], 'own').describe(
    'fame: what does not move is covered by a clip of another video of the batch, before colour (docs/methods/fame.md)',
  ),
  fame: fameSchema.prefault({}),
});

export type AugmentConfig = z.output<typeof augmentSchema>;
