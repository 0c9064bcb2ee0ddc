/** vssl-native/methods: what the file of a method is written with. It loads no addon. */

export { z } from 'zod';
export type { Device, DeviceChoice } from '../checks.js';
export {
  ARCHITECTURE_NAMES,
  ARCHITECTURES,
  type Architecture,
  type ArchitectureName,
  architecturesWith,
  checkLeastClip,
} from '../config/architectures.js';
export * from '../config/fields.js';
export type { MethodSlice, Preset } from '../config/load.js';
export type { RawConfig } from '../config/raw.js';
export {
  archName,
  type BaseConfig,
  type BaseConfigInput,
  channelFactor,
  frameCount,
  type ResolvedConfig,
  strideCount,
} from '../config/schema.js';
export type { AugmentOptions, FameOptions } from '../data/augment/options.js';
export type { CropBox, RandomCropOptions } from '../data/augment/random-crop.js';
export type * from '../data/clip-plan.js';
export { clipFormatOf, clockOf, planTrainingClip, spanOf } from '../data/clip-plan.js';
export { type MotionFormat, planMotionClip } from '../data/motion-clip.js';
export type * from '../data/plan.js';
export { Rng } from '../data/rng.js';
export type { VideoRow } from '../data/rows.js';
export { clipTimes, type TimeWindow, type VideoClock } from '../data/samplers/clock.js';
export type { GapLaw } from '../data/samplers/gap.js';
export * from '../data/samplers/nested.js';
export * from '../data/samplers/overlap.js';
export * from '../data/samplers/schedule.js';
export { drawSnippetStarts } from '../data/samplers/snippets.js';
export * from '../data/samplers/starts.js';
export type * from '../data/views.js';
export type { EncoderOptions, Precision } from '../embed/encoder-options.js';
export { configError, VsslError, type VsslErrorCode } from '../errors.js';
export type { DataOptions } from '../eval/evaluation-data.js';
export type { Measure, Measurement, MeasureRequest } from '../eval/measure.js';
export { registerMeasure } from '../eval/measures.js';
export * from './fields.js';
export * from './head.js';
export * from './kinetics.js';
export * from './labelled.js';
export * from './method.js';
export * from './momentum.js';
export * from './momentum-pair.js';
export * from './own-negatives.js';
export * from './predictions.js';
export { registerMethod } from './registry.js';
export * from './tiny.js';
export * from './uniform-pair.js';
