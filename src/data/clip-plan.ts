import { drawAugment, plainAugment } from './augment/draw-augment.js';
import type { AugmentOptions } from './augment/options.js';
import { squareCrops } from './augment/square-crops.js';
import type { ClipPlan, ClipSource, InputKind, VideoFacts } from './plan.js';
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
}

/** The part of a configuration that clips are cut by. */
export interface ClipSettings {
  readonly data: {
    readonly clip: ClipFormat['clip'];
    readonly input: InputKind;
    readonly shrink: 'auto' | number;
    readonly normalize: { readonly mean: ClipFormat['mean']; readonly std: ClipFormat['std'] };
    readonly augment: AugmentOptions;
  };
}

/** The clip format of a configuration. */
export function clipFormatOf({ data }: ClipSettings): ClipFormat {
  const { clip, input, shrink, normalize } = data;
  return { clip, input, shrink, mean: normalize.mean, std: normalize.std };
}

/** The clock by which clips are cut from a row: its own window of the video, at the rate of the clip. */
export function clockOf(
  row: TimeWindow,
  facts: VideoFacts,
  { fps }: Pick<ClipFormat['clip'], 'fps'>,
): VideoClock {
  return makeClock(facts, { start: row.start, end: row.end, fps });
}

/** What the start samplers need of a clock and a clip. */
export function spanOf(clock: VideoClock, clip: ClipFormat['clip']): ClipSpan {
  return { length: clock.frames, frames: clip.frames, stride: clip.stride };
}

/** A training clip that begins at frame `start` of the clock, with an augmentation drawn from `rng`. */
export function planTrainingClip(options: {
  readonly config: ClipSettings;
  readonly row: VideoRow;
  readonly facts: VideoFacts;
  readonly clock: VideoClock;
  readonly start: number;
  /** Number of the view, from 0. */
  readonly view: number;
  readonly rng: Rng;
}): ClipPlan {
  const { config, row, facts, clock, start, view, rng } = options;
  const format = clipFormatOf(config);
  const { frames, stride, size } = format.clip;
  const target = { width: facts.width, height: facts.height, size, frames, view };
  return {
    ...clipFrame(row.source, facts, format),
    times: clipTimes(clock, start, frames, stride),
    augment: drawAugment(config.data.augment, target, rng),
  };
}

export interface EvaluationOptions extends TimeWindow {
  readonly source: ClipSource;
  readonly facts: VideoFacts;
  readonly format: ClipFormat;
  /** Windows spread evenly over the video, from 1. */
  readonly windows: number;
  /** 1: centre square; 3: both ends of the long side and the centre. */
  readonly crops?: 1 | 3;
}

/** Evaluation clips, windows first, then crops: nothing is random. windows * crops entries. */
export function planEvaluationClips(options: EvaluationOptions): ClipPlan[] {
  const { source, facts, format, windows, crops = 1 } = options;
  const clock = clockOf(options, facts, format.clip);
  const { frames, stride } = format.clip;
  const boxes = squareCrops(facts.width, facts.height, crops);
  return spreadStarts(spanOf(clock, format.clip), windows).flatMap((start) => {
    const times = clipTimes(clock, start, frames, stride);
    return boxes.map((box) => ({ ...clipFrame(source, facts, format), times, augment: [plainAugment(box)] }));
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
