import type { ClipPlan, ClipSource, MotionModality, VideoFacts } from './plan.js';
import { makePairs, type PicturePair, type TimeWindow } from './samplers/clock.js';

/**
 * The part of a clip plan that says between which pictures its motion is: from the one on show at each of the times to the
 * video's next. Flow that lies in a file beside the video is taken from there.
 */
export function motionTimes(
  modality: MotionModality,
  source: ClipSource,
  facts: VideoFacts,
  window: TimeWindow,
): (times: readonly number[]) => Pick<ClipPlan, 'modality' | 'times' | 'next' | 'flow'> {
  const pairOf = makePairs(facts, window);
  const flow = modality !== 'difference' && source.kind === 'packed' ? source.flow : undefined;
  return (times) => ({ modality, ...timesOf(times.map(pairOf)), ...(flow && { flow }) });
}

export function timesOf(pairs: readonly PicturePair[]): {
  readonly times: number[];
  readonly next: number[];
} {
  return { times: pairs.map(({ time }) => time), next: pairs.map(({ next }) => next) };
}
