import { drawAugment } from './augment/draw-augment.js';
import { type ClipSettings, clipFormatOf, clipFrame } from './clip-plan.js';
import { countFields } from './packed.js';
import type { ClipPlan, FrameAugment, MotionModality, VideoFacts } from './plan.js';
import type { Rng } from './rng.js';
import type { VideoRow } from './rows.js';
import { clipTimes, makePairs, type PicturePair, type VideoClock } from './samplers/clock.js';

/** Form of a clip of motion; height and width are those of the clips of pictures. */
export interface MotionFormat {
  readonly modality: MotionModality;
  readonly frames: number;
  readonly stride: number;
}

/**
 * A training clip of motion that begins at frame `start` of the clock. The clock says where its frames lie; each of them
 * is the motion from the picture shown there to the video's next one, whatever the clock's rate and the stride. The last
 * picture takes the motion towards it, since nothing comes after it. Crop and flip are drawn as for pictures; colours,
 * blur and solarisation have no meaning here. Flow that lies in a file beside the video is taken from there.
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
  const pairs = clipTimes(clock, start, frames, stride).map(makePairs(facts, row));
  const flow = modality !== 'difference' && row.source.kind === 'packed' ? row.source.flow : undefined;
  return {
    ...clipFrame(row.source, facts, { ...clip, input: 'rgb', mean: [0, 0, 0], std: [1, 1, 1] }),
    modality,
    ...timesOf(pairs),
    ...(flow && { flow }),
    augment: drawAugment(config.data.augment, target, rng).map(geometryOf),
  };
}

/** Times of every pair of neighbouring pictures of a video; of a single picture the pair with itself. */
export function neighbourTimes(facts: VideoFacts): { readonly times: number[]; readonly next: number[] } {
  const starts = Array.from(facts.times.subarray(0, countFields(facts.times.length)));
  return timesOf(starts.map(makePairs(facts)));
}

function timesOf(pairs: readonly PicturePair[]): { readonly times: number[]; readonly next: number[] } {
  return { times: pairs.map(({ time }) => time), next: pairs.map(({ next }) => next) };
}

function geometryOf({ crop, flip }: FrameAugment): FrameAugment {
  return { crop, flip, color: [], gray: false, blur: 0, blurRadius: 0, solarize: null };
}
