import { drawAugment, plainAugment } from './augment/draw-augment.js';
import { clipFrame, type TrainingClipOptions } from './clip-plan.js';
import { motionTimes, timesOf } from './motion-times.js';
import { countFields } from './packed.js';
import type { ClipPlan, FrameAugment, MotionModality, VideoFacts } from './plan.js';
import { clipTimes, makePairs } from './samplers/clock.js';

/** What sets a clip of motion apart from the clips of pictures. */
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
export function planMotionClip(options: TrainingClipOptions & { readonly motion: MotionFormat }): ClipPlan {
  const { row, facts, format, augment, clock, start, view, rng, motion } = options;
  const { modality, frames, stride } = motion;
  const target = { width: facts.width, height: facts.height, size: format.clip.size, frames, view };
  return {
    ...clipFrame(row.source, facts, { ...format, input: 'rgb', mean: [0, 0, 0], std: [1, 1, 1] }),
    ...motionTimes(modality, row.source, facts, row)(clipTimes(clock, start, frames, stride)),
    augment: drawAugment(augment, target, rng).map(geometryOf),
  };
}

/** Times of every pair of neighbouring pictures of a video; of a single picture the pair with itself. */
export function neighbourTimes(facts: VideoFacts): { readonly times: number[]; readonly next: number[] } {
  const starts = Array.from(facts.times.subarray(0, countFields(facts.times.length)));
  return timesOf(starts.map(makePairs(facts)));
}

function geometryOf({ crop, flip }: FrameAugment): FrameAugment {
  return { ...plainAugment(crop), flip };
}
