import { drawAugment } from './augment/draw-augment.js';
import { type ClipSettings, clipFormatOf, clipFrame } from './clip-plan.js';
import type { VideoRow } from './manifest.js';
import type { ClipPlan, ClipSource, FlowFile, FrameAugment, MotionModality, VideoFacts } from './plan.js';
import type { Rng } from './rng.js';
import { clipTimes, type VideoClock } from './samplers/clock.js';

/** Form of a clip of motion; height and width are those of the clips of pictures. */
export interface MotionFormat {
  readonly modality: MotionModality;
  readonly frames: number;
  readonly stride: number;
}

/** How far the rate of a file of flow may be from the clock's, as a part of it. */
const SAME_RATE = 1e-6;

/**
 * A training clip of motion that begins at frame `start` of the clock. Each of its frames is the motion from one frame of
 * the clock to the next, whatever the stride; the video's last frame takes the motion towards it, since nothing comes
 * after it. Crop and flip are drawn as for pictures; colours, blur and solarisation have no meaning here.
 */
export function planMotionClip(options: {
  readonly config: ClipSettings;
  readonly row: VideoRow;
  readonly facts: VideoFacts;
  readonly clock: VideoClock;
  readonly start: number;
  /** Number of the view, from 0. */
  readonly view: number;
  readonly rng: Rng;
  readonly format: MotionFormat;
}): ClipPlan {
  const { config, row, facts, clock, start, view, rng, format } = options;
  const { modality, frames, stride } = format;
  const clip = clipFormatOf(config);
  const target = { width: facts.width, height: facts.height, size: clip.clip.size, frames, view };
  const firsts = Array.from({ length: frames }, (_, i) => pairStart(clock, start + i * stride));
  const flow = modality === 'difference' ? undefined : flowFileFor(row.source, clock);
  return {
    ...clipFrame(row.source, facts, { ...clip, input: 'rgb', mean: [0, 0, 0], std: [1, 1, 1] }),
    modality,
    times: firsts.map((frame) => clock.timeOf(frame)),
    next: firsts.map((frame) => clock.timeOf(Math.min(frame + 1, clock.frames - 1))),
    ...(flow && { flow }),
    augment: drawAugment(config.data.augment, target, rng).map(geometryOf),
  };
}

/** Times of every pair of neighbouring frames of a clock; of a single frame the pair with itself. */
export function neighbourTimes(clock: VideoClock): { readonly times: number[]; readonly next: number[] } {
  const pairs = Math.max(1, clock.frames - 1);
  return {
    times: clipTimes(clock, 0, pairs, 1),
    next: Array.from({ length: pairs }, (_, i) => clock.timeOf(Math.min(i + 1, clock.frames - 1))),
  };
}

/** The frame, within the video, from which the motion of `frame` is taken. */
function pairStart(clock: VideoClock, frame: number): number {
  return Math.min(frame % clock.frames, Math.max(0, clock.frames - 2));
}

/** A source's file of flow, when its fields are the motion between neighbouring frames of the clock. */
function flowFileFor(source: ClipSource, clock: VideoClock): FlowFile | undefined {
  if (source.kind !== 'packed' || !source.flow) return undefined;
  const { flow } = source;
  return Math.abs(clock.period * flow.fps - 1) <= SAME_RATE ? flow : undefined;
}

function geometryOf({ crop, flip }: FrameAugment): FrameAugment {
  return { crop, flip, color: [], gray: false, blur: 0, blurRadius: 0, solarize: null };
}
