import { availableParallelism } from 'node:os';
import { checkCount, checkSignal, LIMITS, requireOptions, throwIfAborted } from '../checks.js';
import { PLAN_VERSION, type VideoFacts } from '../data/plan.js';
import type { GetFacts, VideoRow } from '../data/rows.js';
import { makeClock, type TimeWindow, type VideoClock } from '../data/samplers/clock.js';
import { chooseShrink } from '../data/shrink.js';
import { abortable } from '../embed/abortable.js';
import { refuseEnvironment } from '../embed/clip-failure.js';
import { mapAhead } from '../embed/map-ahead.js';
import { findRows } from '../embed/rows-of-data.js';
import { type Indexer, readFacts } from '../embed/video-facts.js';
import { isEnvironmentCode, toVsslError, VsslError } from '../errors.js';
import type { NativeClipFailure, NativeLoader } from '../native/bindings.js';
import { openEngine } from '../native/load.js';
import { plainClip } from './plain-clip.js';

export interface CheckVideosOptions {
  /** Folder, manifest or video file; or the paths of some videos. */
  readonly data: string | Iterable<string> | AsyncIterable<string>;
  /** Decodes every picture, not only the first, the middle and the last. */
  readonly deep?: boolean;
  /** Files looked at at once. Default: all processors. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** One video of the data. */
export interface CheckedFile {
  readonly path: string;
  /** ok; warning: usable, but something about it is odd or a part is damaged; unusable: training would quarantine it. */
  readonly status: 'ok' | 'warning' | 'unusable';
  /** What is wrong; absent when nothing is. */
  readonly reason?: string;
  /** Stable code of what cannot be opened or decoded. */
  readonly code?: string;
  /** Seconds into the file of the first picture that cannot be decoded. */
  readonly where?: number;
  readonly codec?: string;
  readonly width?: number;
  readonly height?: number;
  /** Pictures in the file, or in the row's window of it: counted, not taken from the header. */
  readonly frames?: number;
  readonly seconds?: number;
  /** Pictures that were decoded here. */
  readonly decoded?: number;
  /** The row's window, when the manifest gives one. */
  readonly start?: number;
  readonly end?: number;
}

export interface CheckResult {
  readonly files: readonly CheckedFile[];
  readonly ok: number;
  readonly warning: number;
  readonly unusable: number;
  /** About the data as a whole: files left out because they are no videos, repeated rows. */
  readonly warnings: readonly string[];
}

/** Pictures of one clip of a deep check, and clips of one load: bounds what is in memory. */
const kDeepFrames = 64;
const kDeepClips = 8;
/** Size to which pictures are scaled. */
const kSize = 16;

/** Opens every video of `data` and decodes parts of it. Throws what loadManifest and loading the engine throw. */
export async function checkVideos(options: CheckVideosOptions): Promise<CheckResult> {
  requireOptions(options, ['data', 'deep', 'threads', 'signal', 'onProgress']);
  const { data, deep = false, threads = availableParallelism(), signal, onProgress } = options;
  checkSignal(signal);
  checkCount('threads', threads, 1, LIMITS.threads);
  const { rows: found, warnings } = await findRows(data, null, signal);
  const rows: VideoRow[] = [];
  for await (const row of found) rows.push(row);
  const engine = await openEngine();
  const loader = engine.createLoader({ threads, cacheBytes: 0 });
  const files: CheckedFile[] = [];
  try {
    const getFacts = shareFacts(engine, rows);
    const check = async (row: VideoRow) => {
      throwIfAborted(signal);
      // a long file is not waited for
      return abortable(checkRow(getFacts, { loader, deep, signal }, row), signal);
    };
    for await (const file of mapAhead(rows, check, threads + 1)) {
      files.push(file);
      onProgress?.(files.length, rows.length);
    }
  } finally {
    loader.dispose();
  }
  const count = (status: CheckedFile['status']) => files.filter((file) => file.status === status).length;
  return {
    files,
    ok: count('ok'),
    warning: count('warning'),
    unusable: count('unusable'),
    warnings,
  };
}

/**
 * Facts of a row's video, of which all is read. Rows that are windows of one file share them, so that it is read once; they are kept for no
 * longer than its last row is looked at.
 */
function shareFacts(indexer: Indexer, rows: readonly VideoRow[]): GetFacts {
  const keyOf = ({ source }: VideoRow) => (source.kind === 'file' ? source.path : null);
  const left = new Map<string, number>();
  for (const row of rows) {
    const key = keyOf(row);
    if (key !== null) left.set(key, (left.get(key) ?? 0) + 1);
  }
  const known = new Map<string, Promise<VideoFacts>>();
  return (row) => {
    const key = keyOf(row);
    if (key === null) return readFacts(indexer, row, true);
    const facts = known.get(key) ?? readFacts(indexer, row, true);
    const others = left.get(key)! - 1;
    left.set(key, others);
    if (others > 0) known.set(key, facts);
    else known.delete(key);
    return facts;
  };
}

interface Decoding {
  readonly loader: NativeLoader;
  readonly deep: boolean;
  readonly signal: AbortSignal | undefined;
}

async function checkRow(getFacts: GetFacts, decoding: Decoding, row: VideoRow): Promise<CheckedFile> {
  const { path, start, end } = row;
  const window = { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) };
  try {
    const facts = await getFacts(row);
    const clock = makeClock(facts, window);
    const times = decoding.deep ? picturesWithin(facts, window) : someTimes(clock);
    // as small as can be: the pictures are only looked at for errors
    const shrink = chooseShrink('auto', facts.width, facts.height, kSize);
    const clip = plainClip(row.source, { height: kSize, width: kSize }, shrink);
    const faults = await findFaults(decoding, clip, times);
    const tried = times.length;
    const known = {
      path,
      ...window,
      codec: facts.codec,
      width: facts.width,
      height: facts.height,
      frames: clock.frames,
      seconds: clock.frames * clock.period,
      decoded: tried - faults.length,
    };
    const first = faults[0];
    if (first && faults.length === tried)
      return {
        ...known,
        decoded: 0,
        status: 'unusable',
        code: first.code,
        reason: first.reason,
        ...place(first),
      };
    if (first) {
      const reason = `${faults.length} of ${tried} pictures tried cannot be decoded: ${first.reason}`;
      return { ...known, status: 'warning', code: first.code, reason, ...place(first) };
    }
    if (facts.warnings.length > 0) return { ...known, status: 'warning', reason: facts.warnings.join('; ') };
    return { ...known, status: 'ok' };
  } catch (error) {
    const { code, message } = toVsslError(error);
    const isInternal = !(error instanceof VsslError) && code === 'ERR_VSSL_INTERNAL';
    if (isInternal || isEnvironmentCode(code)) throw error;
    return { path, ...window, status: 'unusable', code, reason: message };
  }
}

/** First, middle and last. */
function someTimes({ frames, timeOf }: VideoClock): number[] {
  return [...new Set([0, Math.floor((frames - 1) / 2), frames - 1])].map(timeOf);
}

/** When each of a video's own pictures comes on show. */
function picturesWithin({ times }: VideoFacts, { start = 0, end }: TimeWindow): Float64Array {
  const first = times.findIndex((time) => time >= start);
  const last = end === undefined ? -1 : times.findIndex((time) => time >= end);
  return times.subarray(Math.max(0, start > 0 ? first : 0), last < 0 ? times.length : last);
}

/**
 * The pictures at `times` that cannot be decoded, a few stretches of them at a time: a clip with a bad one fails as a
 * whole, and is then tried picture by picture.
 */
async function findFaults(
  decoding: Decoding,
  clip: ReturnType<typeof plainClip>,
  times: ArrayLike<number> & { slice(from: number, to: number): ArrayLike<number> },
  most = decoding.deep ? kDeepFrames : 1,
): Promise<NativeClipFailure[]> {
  const faults: NativeClipFailure[] = [];
  for (let i = 0; i < times.length; i += most * kDeepClips) {
    throwIfAborted(decoding.signal);
    const some: number[][] = [];
    for (let at = i; at < Math.min(times.length, i + most * kDeepClips); at += most)
      some.push(Array.from(times.slice(at, at + most)));
    // each stretch is a view of its own, so that the last one may be shorter
    const views = some.map((stretch, v) => ({ name: `stretch ${v}`, clips: [{ ...clip, times: stretch }] }));
    const { batch, failures } = await decoding.loader.load({ version: PLAN_VERSION, views });
    batch.dispose();
    refuseEnvironment(failures);
    for (const failure of failures) {
      const stretch = some[failure.view]!;
      if (stretch.length === 1) faults.push(failure);
      else faults.push(...(await findFaults(decoding, clip, stretch, 1)));
    }
  }
  return faults;
}

function place({ where }: NativeClipFailure): { where?: number } {
  return where >= 0 ? { where } : {};
}
