import { drawAugment, plainAugment } from './augment/draw-augment.js';
import { drawBlend } from './augment/draw-blend.js';
import type { AugmentOptions } from './augment/options.js';
import { squareCrops } from './augment/square-crops.js';
import { motionTimes } from './motion-times.js';
import type { ClipPlan, ClipSource, InputKind, MotionModality, VideoFacts } from './plan.js';
import type { Rng } from './rng.js';
import type { VideoRow } from './rows.js';
import { clipTimes, makeClock, type TimeWindow, type VideoClock } from './samplers/clock.js';
import { type ClipSpan, spreadStarts } from './samplers/starts.js';
import { chooseShrink } from './shrink.js';

/** Form of the clips that a network takes; it travels with the weights. */
export interface ClipFormat {
  readonly clip: {
    readonly frames: number;
    readonly stride: number;
    readonly size: number;
    /** Frames a second that the stride counts; null: the video's own. */
    readonly fps: number | null;
  };
  readonly input: InputKind;
  readonly shrink: 'auto' | number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  /** What its frames show; pictures where it is left out. */
  readonly modality?: MotionModality;
}

/** The part of a configuration that says how clips are cut. */
export interface ClipSettings {
  readonly data: Pick<ClipFormat, 'clip' | 'input' | 'shrink'> & {
    readonly normalize: Pick<ClipFormat, 'mean' | 'std'>;
  };
}

/** The clip format of a configuration. */
export function clipFormatOf({ data }: ClipSettings): ClipFormat {
  const { clip, input, shrink, normalize } = data;
  return { clip, input, shrink, mean: normalize.mean, std: normalize.std };
}

/** The clock by which clips are cut from a row: its own window of the video, at the rate of the clip. */
export function clockOf(row: TimeWindow, facts: VideoFacts, { clip }: Pick<ClipFormat, 'clip'>): VideoClock {
  return makeClock(facts, { start: row.start, end: row.end, fps: clip.fps });
}

/** What the start samplers need of a clock and a clip. */
export function spanOf(clock: VideoClock, { clip }: Pick<ClipFormat, 'clip'>): ClipSpan {
  return { length: clock.frames, frames: clip.frames, stride: clip.stride };
}

export interface TrainingClipOptions {
  readonly row: VideoRow;
  readonly facts: VideoFacts;
  readonly format: ClipFormat;
  /** What the augmentation is drawn from, by `rng`. */
  readonly augment: AugmentOptions;
  readonly clock: VideoClock;
  /** Frame of the clock at which the clip begins. */
  readonly start: number;
  /** Number of the view, from 0. */
  readonly view: number;
  readonly rng: Rng;
}

/** A training clip of pictures. */
export function planTrainingClip(options: TrainingClipOptions): ClipPlan {
  const { row, facts, format, augment, clock, start, view, rng } = options;
  const { frames, stride, size } = format.clip;
  const target = { width: facts.width, height: facts.height, size, frames, view };
  const blend = drawBlend(augment, frames, rng.fork('blend'));
  return {
    ...clipFrame(row.source, facts, format),
    times: clipTimes(clock, start, frames, stride),
    augment: drawAugment(augment, target, rng),
    ...(blend && { blend }),
  };
}

/** What clips are cut from, and how they look. */
export interface ClipSetting {
  readonly source: ClipSource;
  readonly facts: VideoFacts;
  readonly format: ClipFormat;
  /** 1: centre square; 3: both ends of the long side and the centre. */
  readonly crops?: 1 | 3;
}

export interface EvaluationOptions extends ClipSetting, TimeWindow {
  /** Windows spread evenly over the video, from 1. */
  readonly windows: number;
}

/** Evaluation clips, windows first, then crops: nothing is random. windows * crops entries. */
export function planEvaluationClips(options: EvaluationOptions): ClipPlan[] {
  const { facts, format, windows } = options;
  const clock = clockOf(options, facts, format);
  return planClipsAt(spreadStarts(spanOf(clock, format), windows), clock, options);
}

/** Clips that begin at these frames of the clock. */
export function planClipsAt(
  starts: readonly number[],
  clock: VideoClock,
  options: ClipSetting & TimeWindow,
): ClipPlan[] {
  const { source, facts, format, crops = 1 } = options;
  const { modality } = format;
  const showing = modality && motionTimes(modality, source, facts, options);
  const { frames, stride } = format.clip;
  const boxes = squareCrops(facts.width, facts.height, crops);
  return starts.flatMap((start) => {
    const times = clipTimes(clock, start, frames, stride);
    const frame = { ...clipFrame(source, facts, format), ...(showing ? showing(times) : { times }) };
    return boxes.map((box) => ({ ...frame, augment: [plainAugment(box)] }));
  });
}

/** Everything of a clip plan but its times and augmentation. */
export function clipFrame(source: ClipSource, facts: VideoFacts, format: ClipFormat) {
  const { size } = format.clip;
  return {
    source,
    modality: 'rgb' as const,
    height: size,
    width: size,
    shrink: chooseShrink(format.shrink, facts.width, facts.height, size),
    input: format.input,
    mean: format.mean,
    std: format.std,
  };
}
