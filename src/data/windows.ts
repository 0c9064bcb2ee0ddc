/** Windows of a video, one after the other, for those who want to know when something happens in it. */
import { checkPositive, LIMITS, requireOptions } from '../checks.js';
import { invalidArgument, VsslError } from '../errors.js';
import type { VideoClock } from './samplers/clock.js';

/** How a video is cut into windows. */
export interface WindowGrid {
  /** Seconds from the beginning of a window to that of the next. */
  readonly every: number;
  /** Seconds that a window lasts. Default, and least: as long as one clip of the encoder. */
  readonly span?: number;
}

/** Pictures of a clip, and their distance in frames. */
export interface ClipLength {
  readonly frames: number;
  readonly stride: number;
}

/** A window of one video. */
export interface ClipWindow {
  /** Seconds of the file's own clock, as `start` and `end` of a manifest, to the millisecond. */
  readonly start: number;
  readonly end: number;
  /** The same in frames of the video's clock. */
  readonly first: number;
  readonly frames: number;
}

/** Refuses what is no grid. Throws ERR_VSSL_INVALID_ARGUMENT. */
export function checkGrid(name: string, grid: WindowGrid): WindowGrid {
  requireOptions(grid, ['every', 'span'], name);
  checkPositive(`${name}.every`, grid.every);
  if (grid.span !== undefined) checkPositive(`${name}.span`, grid.span);
  return grid.span === undefined ? { every: grid.every } : { every: grid.every, span: grid.span };
}

/** `every:1s` of the command line, and `2s` of its --span. Throws ERR_VSSL_INVALID_ARGUMENT. */
export function parseGrid(windows: string, span?: string): WindowGrid {
  const every = windows.startsWith('every:') ? parseSeconds(windows.slice('every:'.length)) : null;
  if (every === null) throw invalidArgument('windows', "'every:' and a time, such as every:1s", windows);
  if (span === undefined) return { every };
  const lasts = parseSeconds(span);
  if (lasts === null) throw invalidArgument('span', 'a time, such as 2s', span);
  return { every, span: lasts };
}

const UNITS: Readonly<Record<string, number>> = { '': 1, s: 1, ms: 1e-3, min: 60, m: 60 };

/** 1.5, 1.5s, 500ms or 2min; null for what is no time above 0. */
export function parseSeconds(text: string): number | null {
  const [, number, unit] = /^(\d+(?:\.\d+)?|\.\d+)([a-z]*)$/.exec(text.trim()) ?? [];
  const factor = UNITS[unit ?? '?'];
  const seconds = factor === undefined ? 0 : Number(number) * factor;
  return seconds > 0 ? seconds : null;
}

/**
 * The windows of a video, in order. They begin `every` seconds apart; the last one ends where the video ends, so that
 * nothing is left out. A video shorter than a window is one window, and one shorter than a clip is looped.
 */
export function windowsOf(clock: VideoClock, clip: ClipLength, grid: WindowGrid): ClipWindow[] {
  const least = (clip.frames - 1) * clip.stride + 1;
  const wanted = grid.span === undefined ? least : Math.round(grid.span / clock.period);
  const frames = Math.min(clock.frames, Math.max(least, wanted));
  const last = clock.frames - frames;
  if (last * clock.period > LIMITS.windows * grid.every)
    throw new VsslError(
      'ERR_VSSL_VIDEO_WINDOW',
      `a window every ${grid.every} s would be more than ${LIMITS.windows} of this video; take them farther apart`,
    );
  const windows: ClipWindow[] = [];
  for (let i = 0, first = 0; ; i++) {
    windows.push({ ...timesOf(clock, first, frames), first, frames });
    if (first >= last) return windows;
    // from the beginning each time: rounding does not add up. At least a frame, where `every` is less
    first = Math.min(last, Math.max(first + 1, Math.round(((i + 1) * grid.every) / clock.period)));
  }
}

/** When its first frame begins, and its last one ends; frames are known by the middle of the time that they are shown. */
function timesOf(clock: VideoClock, first: number, frames: number): { start: number; end: number } {
  const half = clock.period / 2;
  const round = (seconds: number) => Math.round(seconds * 1000) / 1000;
  return {
    start: Math.max(0, round(clock.timeOf(first) - half)),
    end: round(clock.timeOf(first + frames - 1) + half),
  };
}
