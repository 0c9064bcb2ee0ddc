import { VsslError } from '../../errors.js';
import type { VideoFacts } from '../plan.js';

/**
 * A video as an evenly paced row of frames, with the presentation time at which each of them is surely on show.
 *
 * A video of constant rate has its own pictures as frames. One of variable rate has a regular grid at the median
 * duration of its pictures, so that a frame stride means the same span of time everywhere; and when a rate is asked for,
 * every video has a grid at that rate. The frame of a slot is the picture shown at about the slot's middle. Times lie
 * away from the ends of what they point at, so that rounding never matters.
 */
export interface VideoClock {
  /** Frames, at least 1. */
  readonly frames: number;
  /** Seconds from one frame to the next. */
  readonly period: number;
  /** Presentation time of frame i in seconds; beyond the last frame the video starts again (a short file is looped). */
  timeOf(frame: number): number;
}

/** Two neighbouring pictures of a video: times in seconds at which each of them is surely on show. */
export interface PicturePair {
  readonly time: number;
  readonly next: number;
}

/** Part of a video, in seconds of the file: pictures shown at or after `start` and before `end`. */
export interface TimeWindow {
  readonly start?: number | undefined;
  readonly end?: number | undefined;
}

export interface ClockOptions extends TimeWindow {
  /** Frames a second; null or absent: the video's own. */
  readonly fps?: number | null;
}

/** How far a picture may be from an even pace, in periods, in a video of constant rate. */
const CONSTANT_RATE_TOLERANCE = 0.25;

/** Where in its slot a grid looks: not quite the middle, where at half a video's rate one picture gives way to the next. */
const GRID_POINT = 0.48;

/** What a draw can tell apart: four years at 30 frames a second. */
const MOST_FRAMES = 2 ** 32;

/**
 * The clock of a video, or of the part within the window. Throws ERR_VSSL_VIDEO_WINDOW when no picture is within, or more
 * frames than can be drawn from.
 */
export function makeClock(facts: VideoFacts, { fps, ...window }: ClockOptions = {}): VideoClock {
  const { times } = facts;
  if (times.length === 0)
    throw new VsslError('ERR_VSSL_VIDEO_EMPTY', `${facts.path}: the video has no picture`);
  const pace = fps ? { constant: false, period: 1 / fps } : findPace(facts);
  const moments = pace.constant ? listed(pictureMiddles(facts, pace.period)) : gridPoints(facts, pace.period);
  const first = firstFrom(moments, window.start ?? Number.NEGATIVE_INFINITY);
  const last = firstFrom(moments, window.end ?? Number.POSITIVE_INFINITY);
  const frames = last - first;
  if (frames < 1) {
    throw new VsslError(
      'ERR_VSSL_VIDEO_WINDOW',
      `${facts.path}: no picture between ${window.start ?? 0} s and ${window.end ?? 'the end'} s; ` +
        `in the file's own clock the video runs from ${round(times[0] as number)} s to ${round(facts.end)} s`,
      { details: { path: facts.path, start: window.start, end: window.end } },
    );
  }
  if (frames > MOST_FRAMES) {
    throw new VsslError(
      'ERR_VSSL_VIDEO_WINDOW',
      `${facts.path}: at ${round(1 / pace.period)} frames a second it has ${frames} frames; at most ${MOST_FRAMES} can be ` +
        'told apart. Give a window (start, end), or a lower rate',
      { details: { path: facts.path, frames, most: MOST_FRAMES } },
    );
  }
  return {
    frames,
    period: pace.period,
    timeOf: (frame) => moments.at(first + modulo(frame, frames)),
  };
}

/** Durations up to this are none: the loader takes a picture for shown from a microsecond before its time. */
const NO_DURATION = 2e-6;

/**
 * Pairs of a video's own pictures, whatever the rate at which clips are cut: the picture on show at a time and its
 * successor. Nothing comes after the last picture (of the window), which has the pair towards it; a single picture has
 * the pair with itself. Pictures that are never on show, since the next one has the same time, are not counted.
 */
export function makePairs(facts: VideoFacts, window: TimeWindow = {}): (time: number) => PicturePair {
  const { times } = facts;
  const n = times.length;
  const isShown = (_: number, i: number) =>
    i + 1 === n || (times[i + 1] as number) - (times[i] as number) > NO_DURATION;
  const middles = pictureMiddles(facts, findPace(facts).period).filter(isShown);
  const starts = times.filter(isShown);
  const first = firstFrom(listed(middles), window.start ?? Number.NEGATIVE_INFINITY);
  const last = firstFrom(listed(middles), window.end ?? Number.POSITIVE_INFINITY) - 1;
  return (time) => {
    const shown = Math.max(0, firstFrom(listed(starts), time + NO_DURATION) - 1);
    const from = shown >= last && shown > first ? shown - 1 : shown;
    const to = shown < last ? shown + 1 : shown;
    return { time: middles[from] as number, next: middles[to] as number };
  };
}

/** `count` times from frame `start` on, `stride` frames apart; beyond the end the video starts again. */
export function clipTimes(clock: VideoClock, start: number, count: number, stride: number): number[] {
  return Array.from({ length: count }, (_, i) => clock.timeOf(start + i * stride));
}

function findPace({ times, end }: VideoFacts): { constant: boolean; period: number } {
  const n = times.length;
  const first = times[0] as number;
  const last = times[n - 1] as number;
  if (n === 1) return { constant: true, period: end > first ? end - first : 1 / 25 };
  // The mean, not the median: time stamps in whole milliseconds make durations of 33, 33 and 34.
  const mean = (last - first) / (n - 1);
  let constant = mean > 0;
  for (let i = 0; i < n && constant; i++) {
    constant = Math.abs((times[i] as number) - (first + i * mean)) <= CONSTANT_RATE_TOLERANCE * mean;
  }
  if (constant) return { constant, period: mean };
  const durations = new Float64Array(n);
  for (let i = 0; i < n; i++)
    durations[i] = (i + 1 < n ? (times[i + 1] as number) : Math.max(end, last)) - (times[i] as number);
  const positive = durations.filter((d) => d > 0).sort();
  if (positive.length === 0) return { constant: true, period: 1 / 25 };
  return { constant: false, period: positive[(positive.length - 1) >> 1] as number };
}

/** Middle of the time during which each picture is on show. */
function pictureMiddles({ times, end }: VideoFacts, period: number): Float64Array {
  return times.map((time, i) => {
    const next = i + 1 < times.length ? (times[i + 1] as number) : Math.max(end, time + 0.5 * period);
    return 0.5 * (time + next);
  });
}

/** Ascending times. */
interface Moments {
  readonly length: number;
  at(i: number): number;
}

function listed(times: Float64Array): Moments {
  return { length: times.length, at: (i) => times[i] as number };
}

/**
 * A time in each slot of one period, from the first picture to the end. They are computed when asked for: how many there
 * are hangs on what a file says of its length and on the rate asked for, and must cost nothing.
 */
function gridPoints({ times, end }: VideoFacts, period: number): Moments {
  const first = times[0] as number;
  const span = Math.max(end, times[times.length - 1] as number) - first;
  return {
    length: Math.max(1, Math.round(span / period)),
    at: (i) => Math.min(first + (i + GRID_POINT) * period, first + span),
  };
}

/** Number of the first moment >= value. */
function firstFrom(moments: Moments, value: number): number {
  let low = 0;
  let high = moments.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (moments.at(middle) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function modulo(a: number, n: number): number {
  return ((a % n) + n) % n;
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
