import { VsslError } from '../errors.js';
import type { ClipPlan, ClipSource, FlowFile } from './plan.js';
import { sourceName } from './source-key.js';

/** What the loader takes at most in a clip plan: native/video/plan.cpp has the same numbers, and a test compares them. */
export const CLIP_LIMITS = { frames: 4096, side: 8192, shrink: 64, blurRadius: 512 } as const;

/** Pictures of a packed file, at most. */
const PACKED_FRAMES = 2 ** 31;
/** A crop may pass the picture's border by rounding. */
const SLACK = 1e-9;

/**
 * Refuses a clip plan that the loader would refuse: there it would cost the whole batch, here it costs its own video.
 * Throws ERR_VSSL_VIDEO_PLAN naming the video and what is wrong.
 */
export function checkClipPlan(clip: ClipPlan): void {
  const { source, times, next = [], height, width, shrink, augment, flow } = clip;
  const path = sourceName(source);
  const require = (good: boolean, name: string, expected: string, found: unknown) => {
    if (good) return;
    throw new VsslError(
      'ERR_VSSL_VIDEO_PLAN',
      `${path}: no clip can be planned: expected ${expected} for ${name} but it is ${String(found)}`,
      { details: { path, name } },
    );
  };
  const whole = (name: string, value: number, most: number, least = 1) =>
    require(Number.isInteger(value) &&
      value >= least &&
      value <= most, name, `a whole number from ${least} to ${most}`, value);
  whole('the number of frames', times.length, CLIP_LIMITS.frames);
  whole('height', height, CLIP_LIMITS.side);
  whole('width', width, CLIP_LIMITS.side);
  whole('shrink', shrink, CLIP_LIMITS.shrink);
  for (const time of [...times, ...next]) require(Number.isFinite(time), 'a time', 'a finite number', time);
  const checkStored = (name: string, stored: Omit<FlowFile, 'path'>) => {
    whole(`the offset of ${name}`, stored.offset, Number.MAX_SAFE_INTEGER, 0);
    whole(`the frames of ${name}`, stored.frames, PACKED_FRAMES);
    whole(`the height of ${name}`, stored.height, CLIP_LIMITS.side);
    whole(`the width of ${name}`, stored.width, CLIP_LIMITS.side);
  };
  const fps = rateOf(source);
  require(fps > 0 && Number.isFinite(fps), 'fps', 'a number above 0', fps);
  if (source.kind === 'packed') checkStored('the packed file', source);
  if (source.kind === 'images') require(source.files.length > 0, 'pictures', 'at least one', 'none');
  if (flow) checkStored('the flow file', flow);
  for (const { crop, blur, blurRadius } of augment) {
    const [x0, y0, x1, y1] = crop;
    const inside = Math.min(x0, y0) >= -SLACK && Math.max(x1, y1) <= 1 + SLACK;
    require(inside && x1 > x0 && y1 > y0, 'the crop', '0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1', crop);
    if (blur > 0) whole('blurRadius', blurRadius, CLIP_LIMITS.blurRadius, 0);
  }
}

function rateOf(source: ClipSource): number {
  return source.kind === 'images' || source.kind === 'packed' || source.kind === 'memory' ? source.fps : 1;
}
