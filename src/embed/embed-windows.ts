/** What is behind VideoEncoder.embedWindows: every window of a video as an item of its own, put together by video again. */
import { type ClipFormat, clockOf } from '../data/clip-plan.js';
import type { GetFacts, VideoRow } from '../data/rows.js';
import { planWindowClips } from '../data/window-clips.js';
import { type WindowGrid, windowsOf } from '../data/windows.js';
import { isEnvironmentCode, toVsslError, type VsslError } from '../errors.js';
import { type ClipViews, type FeatureOptions, streamFeatures } from './features.js';
import { mapAhead } from './map-ahead.js';

/** The vector of a window; seconds of the file's own clock. */
export interface WindowVector {
  readonly start: number;
  readonly end: number;
  readonly vector: Float32Array;
}

/** The windows of one video in order, or why there are none. */
export type WindowsResult = { readonly row: VideoRow; readonly index: number } & (
  | {
      readonly windows: readonly WindowVector[];
      /** Windows that cannot be decoded: they are not among the others. */
      readonly lostWindows: number;
    }
  | { readonly error: VsslError }
);

export interface WindowStages
  extends Pick<FeatureOptions<unknown>, 'loader' | 'embedders' | 'batchClips' | 'maxWaitMs' | 'signal'> {
  readonly getFacts: GetFacts;
  readonly format: ClipFormat;
  /** Name of the view that the embedder reads. */
  readonly view: string;
  readonly grid: WindowGrid;
  /** Clips of a window, whose vectors are averaged. */
  readonly clips: number;
  readonly crops: 1 | 3;
}

/** A window on its way, or a video of which no window can be had. */
interface Unit {
  readonly row: VideoRow;
  readonly index: number;
  readonly start: number;
  readonly end: number;
  /** Whether it is the last one of its video. */
  readonly isLast: boolean;
  /** Throws what is wrong with the video. */
  plan(): ClipViews;
}

/** Videos that are looked into ahead of the one whose windows are planned. */
const kLookAhead = 2;

/** Windows of many videos: in order, a video at a time. */
export async function* embedWindows(
  rows: Iterable<VideoRow> | AsyncIterable<VideoRow>,
  stages: WindowStages,
): AsyncGenerator<WindowsResult, void, undefined> {
  const { loader, embedders, batchClips, maxWaitMs, signal } = stages;
  let windows: WindowVector[] = [];
  let faults: VsslError[] = [];
  for await (const result of streamFeatures(unitsOf(rows, stages), {
    ...{ loader, embedders, batchClips, maxWaitMs, signal },
    planClips: async (unit) => unit.plan(),
  })) {
    const { row, index, start, end, isLast } = result.item;
    if ('error' in result) faults.push(result.error);
    else windows.push({ start, end, vector: result.vectors[0]! });
    if (!isLast) continue;
    const fatal = faults.find(({ code }) => isEnvironmentCode(code));
    const error = fatal ?? (windows.length === 0 ? faults[0] : undefined);
    if (error) yield { row, index, error };
    else yield { row, index, windows, lostWindows: faults.length };
    windows = [];
    faults = [];
  }
}

async function* unitsOf(
  rows: Iterable<VideoRow> | AsyncIterable<VideoRow>,
  { getFacts, format, view, grid, clips, crops }: WindowStages,
): AsyncGenerator<Unit, void, undefined> {
  const look = async (row: VideoRow, index: number) => {
    try {
      const facts = await getFacts(row);
      const clock = clockOf(row, facts, format);
      return { row, index, facts, clock, windows: windowsOf(clock, format.clip, grid) };
    } catch (error) {
      return { row, index, error: toVsslError(error) };
    }
  };
  for await (const video of mapAhead(rows, look, kLookAhead)) {
    const { row, index } = video;
    if ('error' in video) {
      const plan = () => {
        throw video.error;
      };
      yield { row, index, start: 0, end: 0, isLast: true, plan };
      continue;
    }
    const { facts, clock, windows } = video;
    const setting = { source: row.source, facts, format, crops };
    for (const [i, window] of windows.entries())
      yield {
        ...{ row, index, start: window.start, end: window.end, isLast: i === windows.length - 1 },
        plan: () => ({ [view]: planWindowClips(window, clock, clips, setting) }),
      };
  }
}
