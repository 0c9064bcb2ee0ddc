import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import picomatch from 'picomatch';
import { checkCount, checkOneOf, checkSignal, checkText, LIMITS, requireOptions } from '../checks.js';
import { fsPath } from '../data/file-names.js';
import { loadManifest } from '../data/manifest.js';
import type { VideoRow } from '../data/rows.js';
import { parseShard, rowsOfShard } from '../data/shard.js';
import { checkGrid, type WindowGrid } from '../data/windows.js';
import type { EncoderOptions } from '../embed/encoder-options.js';
import { noneUsable, type UnusableVideo, unusableVideo, warnOfLostWindows } from '../embed/unusable.js';
import { VideoEncoder } from '../embed/video-encoder.js';
import { invalidArgument, isEnvironmentCode, VsslError } from '../errors.js';
import {
  DEFAULT_SETTINGS,
  ENCODER_NAME,
  type IndexSettings,
  readHeader,
  type StoreName,
  type VectorType,
} from './header.js';
import { type IndexPlan, type PlannedVideo, planIndex } from './index-plan.js';
import { VideoIndex } from './video-index.js';

export interface IndexVideosOptions extends EncoderOptions {
  /** Weights file or run folder; or an encoder that is loaded already (it is not disposed of). */
  readonly weights: string | VideoEncoder;
  /** Folder, manifest or video file. */
  readonly data: string;
  /** Folder of the index; made when it is not there. */
  readonly db: string;
  /** How videos are cut. Default: as those of the index are; a new one has a window of one clip every second. */
  readonly windows?: WindowGrid;
  /** Clips of a window, whose vectors are averaged. Default 1. */
  readonly clips?: number;
  /** Crops of a clip. Default 1. */
  readonly crops?: 1 | 3;
  /** How vectors are kept in a new index. Default fp16. */
  readonly type?: VectorType;
  /**
   * What keeps the vectors of a new index: files (`flat`, the default), or LanceDB (`lancedb`), for more of them than there
   * is memory and for several processes that write at once. The packages @lancedb/lancedb and apache-arrow are needed.
   */
  readonly store?: StoreName;
  /** Only videos whose path, relative to the data, matches one of these patterns, as `**` and `*.mp4` have it. */
  readonly include?: readonly string[];
  /** This part of the videos alone, '0/8' to '7/8'. */
  readonly shard?: string;
  /** Keeps the whole rows of a damaged index, and makes the others again. */
  readonly repair?: boolean;
  readonly signal?: AbortSignal;
  /** Counts the videos that have to be embedded. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface IndexVideosResult {
  readonly db: string;
  /** Videos that were embedded: new ones, and ones whose files have changed. */
  readonly added: number;
  readonly changed: number;
  /** Videos whose vectors were there under another name. */
  readonly moved: number;
  readonly removed: number;
  readonly unchanged: number;
  /** All that the index holds now. */
  readonly videos: number;
  readonly windows: number;
  /** Videos that could not be used; they are not in the index. */
  readonly failures: readonly UnusableVideo[];
  readonly warnings: readonly string[];
  readonly seconds: number;
}

const known = [
  ...['weights', 'data', 'db', 'windows', 'clips', 'crops', 'type', 'store', 'include', 'shard'],
  ...['repair'],
  ...['signal', 'onProgress', 'device', 'threads', 'precision'],
];

/**
 * Brings an index up to what its data holds: new and changed videos are embedded, moved ones keep their vectors, those
 * that are gone go. Each video is committed when it is done: a call that is stopped or killed is finished by the same
 * call. Throws ERR_VSSL_NO_USABLE_VIDEO when no video can be used, what loadManifest, VideoEncoder.load and
 * VideoIndex.open throw, and the signal's reason.
 */
export async function indexVideos(options: IndexVideosOptions): Promise<IndexVideosResult> {
  requireOptions(options, known);
  return indexOnce(options, false);
}

/** Milliseconds for which a file has to be as it is before a watch takes it. */
const SETTLE_MS = 2000;

/**
 * The same again and again, until the signal is aborted: a result for each time that something was done, or that a file
 * came which cannot be used, beginning with the first look. Between two looks another process may write. A folder may be
 * empty when the watch begins; one that is empty for a while loses nothing.
 */
export async function* watchVideos(
  options: IndexVideosOptions & {
    /** Seconds from one look to the next, at least. Default 2; looks take at most a tenth of the time. */
    readonly interval?: number;
  },
): AsyncGenerator<IndexVideosResult, void, undefined> {
  requireOptions(options, [...known, 'interval']);
  const { interval = 2, ...rest } = options;
  if (!(interval > 0 && interval < 1e6)) throw invalidArgument('interval', 'seconds above 0', interval);
  const { weights, device, threads, precision, signal } = rest;
  const own = typeof weights === 'string';
  const encoder = own ? await VideoEncoder.load(weights, { device, threads, precision }) : weights;
  let told: ReadonlySet<string> | null = null;
  try {
    for (let first = true; ; first = false) {
      const start = performance.now();
      const result = await indexOnce({ ...rest, weights: encoder }, true).catch(async (error) => {
        const passes =
          error instanceof VsslError && (first ? await isEmptyFolder(rest.data, error) : isPassing(error));
        if (!passes) throw error;
        return null;
      });
      if (result && (told === null || isNews(result, told))) yield result;
      if (result) told = new Set(result.failures.map(({ path }) => path));
      const took = performance.now() - start;
      await delay(Math.max(1000 * interval, 9 * took), undefined, { signal }).catch(() =>
        signal?.throwIfAborted(),
      );
    }
  } finally {
    if (own) await encoder.dispose();
  }
}

/** What may be over at the next look: a folder without videos, another process that writes. */
function isPassing({ code }: VsslError): boolean {
  return code === 'ERR_VSSL_DATA' || code === 'ERR_VSSL_LOCKED';
}

/** A folder into which videos are still to come, not one whose name is wrong. */
async function isEmptyFolder(data: string, { code }: VsslError): Promise<boolean> {
  const found = await stat(fsPath(data)).catch(() => null);
  return code === 'ERR_VSSL_DATA' && found?.isDirectory() === true;
}

/** `told`: files that could not be used at the look before. */
function isNews(
  { added, changed, moved, removed, failures }: IndexVideosResult,
  told: ReadonlySet<string>,
): boolean {
  return added + changed + moved + removed > 0 || failures.some(({ path }) => !told.has(path));
}

/** `watching`: files that are still written to are left for later, and none that can be used is no error. */
async function indexOnce(options: IndexVideosOptions, watching: boolean): Promise<IndexVideosResult> {
  const { weights, data, type, store, repair, device, threads, precision, signal } = options;
  const db = resolve(checkText('db', 'a folder', options.db));
  checkSignal(signal);
  const settings = settingsOf(options, (await readHeader(db))?.settings ?? null);
  const start = performance.now();
  const { rows, warnings } = await loadManifest(data, { except: [db], signal });
  const wanted = chooseRows(rows, options);
  const own = typeof weights === 'string';
  const encoder = own ? await VideoEncoder.load(weights, { device, threads, precision }) : weights;
  try {
    const of = { digest: await encoder.digest(), dim: encoder.dim };
    await using index = await VideoIndex.open(db, { encoder: of, settings, type, store, repair });
    await keepWeights(encoder, db);
    const name = await nameOfData(data);
    const plan = await planIndex({
      rows,
      wanted,
      data: name,
      known: index.videos(),
      settleMs: watching ? SETTLE_MS : 0,
    });
    const { removed, failures, damaged } = await carryOut(plan, index, encoder, settings, options);
    const { videos, windows, gone } = await index.stats();
    // what is gone takes room, and time: a search passes over it
    if (gone > Math.max(1000, windows / 2)) await index.compact({ signal });
    if (videos === 0 && failures.length > 0 && !watching) throw noneUsable(failures.length, failures);
    const failed = new Set(failures.map(({ path }) => path));
    const done = (videos: readonly PlannedVideo[]) =>
      videos.filter(({ row }) => !failed.has(row.path)).length;
    return {
      ...{ db, added: done(plan.added), changed: done(plan.changed), moved: plan.moved.length },
      ...{ removed, unchanged: plan.unchanged, videos, windows, failures },
      warnings: [...warnings, ...warnOfLostWindows(damaged)],
      seconds: (performance.now() - start) / 1000,
    };
  } finally {
    if (own) await encoder.dispose();
  }
}

function settingsOf(
  { windows, clips, crops }: IndexVideosOptions,
  before: IndexSettings | null,
): IndexSettings {
  const base = before ?? DEFAULT_SETTINGS;
  if (crops !== undefined) checkOneOf('crops', crops, [1, 3]);
  return {
    windows: windows === undefined ? base.windows : checkGrid('windows', windows),
    clips: clips === undefined ? base.clips : checkCount('clips', clips, 1, LIMITS.windows),
    crops: crops ?? base.crops,
  };
}

/** Rows that are asked for. */
function chooseRows(rows: readonly VideoRow[], { include, shard }: IndexVideosOptions): readonly VideoRow[] {
  let chosen = rows;
  if (include !== undefined) {
    if (!Array.isArray(include) || !include.every((pattern) => typeof pattern === 'string' && pattern !== ''))
      throw invalidArgument('include', 'patterns such as **/*.mp4', include);
    // a pattern without a slash is one of names, wherever they are
    const matches = include.map((pattern) =>
      picomatch(pattern, { dot: true, basename: !pattern.includes('/') }),
    );
    chosen = rows.filter(({ id }) => matches.some((match) => match(id)));
    if (chosen.length === 0)
      throw new VsslError('ERR_VSSL_DATA', `none of ${rows.length} videos matches ${include.join(', ')}`);
  }
  return shard === undefined ? chosen : rowsOfShard(chosen, parseShard(shard));
}

/** The same for one folder or file, however it is named; a query, or a source that is no file, stays as it is. */
async function nameOfData(data: string): Promise<string> {
  return (await stat(fsPath(data)).catch(() => null)) ? resolve(data) : data;
}

async function keepWeights(encoder: VideoEncoder, db: string): Promise<void> {
  const copy = join(db, ENCODER_NAME);
  if (!(await stat(copy).catch(() => null))) await encoder.save(copy);
}

async function carryOut(
  plan: IndexPlan,
  index: VideoIndex,
  encoder: VideoEncoder,
  { windows, clips, crops }: IndexSettings,
  { signal, onProgress }: IndexVideosOptions,
) {
  for (const { from, about } of plan.moved) await index.copy(from, about);
  const removed = await index.remove(plan.gone);
  const failures: UnusableVideo[] = [];
  const damaged: { path: string; lostClips: number }[] = [];
  const stale: PlannedVideo['about'][] = [];
  const missing = [...plan.changed, ...plan.added];
  const about = new Map(missing.map((video) => [video.row, video.about]));
  let done = 0;
  const rows = missing.map(({ row }) => row);
  for await (const result of encoder.embedWindows(rows, { windows, clips, crops, signal })) {
    const said = about.get(result.row)!;
    if ('error' in result) {
      if (isEnvironmentCode(result.error.code)) throw result.error;
      failures.push(unusableVideo(result.row.path, result.error));
      stale.push(said);
    } else {
      if (result.lostWindows > 0) damaged.push({ path: result.row.path, lostClips: result.lostWindows });
      await index.add({ ...said, windows: result.windows });
    }
    onProgress?.(++done, rows.length);
  }
  // of a file that was good and is not: its old vectors are of nothing that is there
  await index.remove(stale);
  return { removed, failures, damaged };
}
