import { type ClipSetting, planClipsAt } from './clip-plan.js';
import type { ClipPlan } from './plan.js';
import type { VideoClock } from './samplers/clock.js';
import { spreadStarts } from './samplers/starts.js';
import type { ClipWindow } from './windows.js';

/** Clips evenly spread over one window of a video, whose clock is made once for all of its windows. */
export function planWindowClips(
  window: ClipWindow,
  clock: VideoClock,
  clips: number,
  options: ClipSetting,
): ClipPlan[] {
  const { frames, stride } = options.format.clip;
  const starts = spreadStarts({ length: window.frames, frames, stride }, clips);
  return planClipsAt(
    starts.map((start) => window.first + start),
    clock,
    options,
  );
}
