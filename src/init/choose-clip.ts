/** Clips and batches that fit the videos of a folder, each with the reason. */
import { ARCHITECTURES, type Architecture } from '../config/architectures.js';
import type { ResolvedConfig } from '../config/schema.js';
import type { LookedAt, Spread } from './look-at-videos.js';

/** A value of the configuration, and why it is what it is. */
export interface Choice<T> {
  readonly value: T;
  readonly why: string;
}

export interface ChosenClip {
  readonly frames: Choice<number>;
  readonly stride: Choice<number>;
  readonly fps: Choice<number | null>;
  readonly size: Choice<number>;
}

/** Two clips of a video should differ: it has to be so much longer than one. */
const ROOM = 1.25;
/** Rates that are as good as one. */
const SAME_RATE = 1.05;
/** Sizes are multiples of it: the network halves them again and again. */
const SIZE_STEP = 16;

/** `preset`: its configuration, which is what fits where nothing speaks against it. */
export function chooseClip(preset: ResolvedConfig, looked: LookedAt): ChosenClip {
  const { clip } = preset.data;
  const fps = chooseFps(clip.fps, looked.fps);
  const rate = fps.value ?? looked.fps.middle;
  const stride = chooseStride(clip, rate, looked.seconds);
  const span = spanOf(clip.frames, stride.value, rate);
  return {
    frames: { value: clip.frames, why: `pictures of a clip, which spans ${tenths(span)} s` },
    stride,
    fps,
    size: chooseSize(preset, looked.shortSide),
  };
}

/** Seconds from the first picture of a clip to its last. */
function spanOf(frames: number, stride: number, rate: number): number {
  return ((frames - 1) * stride) / rate;
}

function chooseFps(preset: number | null, { least, most, middle }: Spread): Choice<number | null> {
  const seen = `the videos have ${between(least, most)} pictures a second`;
  if (preset !== null)
    return { value: preset, why: `stride counts ${preset} a second, whatever a video has; ${seen}` };
  if (most <= SAME_RATE * least)
    return { value: null, why: `stride counts the video's own pictures; ${seen}` };
  return { value: Math.round(middle), why: `${seen}: with one rate for all, stride means the same time` };
}

function chooseStride(
  { frames, stride }: { readonly frames: number; readonly stride: number },
  rate: number,
  { low }: Spread,
): Choice<number> {
  const span = spanOf(frames, stride, rate);
  if (ROOM * span <= low || frames < 2)
    return {
      value: stride,
      why: 'from one picture of a clip to the next; nearly all videos have room for two clips',
    };
  const fitting = Math.max(1, Math.floor((low * rate) / (ROOM * (frames - 1))));
  const value = Math.min(stride, fitting);
  const short = `a tenth of the videos are ${tenths(low)} s or shorter`;
  const fits = ROOM * spanOf(frames, value, rate) <= low;
  return {
    value,
    why: fits
      ? `${stride} in the preset, but ${short}, and a video should have room for two clips that differ`
      : `the least; ${short}, and videos shorter than a clip are looped`,
  };
}

function chooseSize({ data: { clip }, model }: ResolvedConfig, { low }: Spread): Choice<number> {
  const { leastClip } = ARCHITECTURES[model.arch] as Architecture;
  if (low >= clip.size) return { value: clip.size, why: 'pixels of a side' };
  const fitting = Math.floor(low / SIZE_STEP) * SIZE_STEP;
  const value = Math.min(clip.size, Math.max(fitting, leastClip.size, 2 * SIZE_STEP));
  return {
    value,
    why: `${clip.size} in the preset, but the short side of a tenth of the videos is ${low} or less`,
  };
}

export function chooseBatch(preset: ResolvedConfig, { videos }: LookedAt): Choice<number> {
  const { batch } = preset.train;
  if (videos >= batch) return { value: batch, why: 'videos in a batch, each other one a negative' };
  return { value: videos, why: `${batch} in the preset, but there are ${videos} videos` };
}

/** 2 decimals where it takes them: '1.56', '25'. */
export function tenths(value: number): string {
  return String(Number(value.toFixed(2)));
}

/** '25', or '24 to 60'. */
export function between(least: number, most: number): string {
  return tenths(least) === tenths(most) ? tenths(least) : `${tenths(least)} to ${tenths(most)}`;
}
