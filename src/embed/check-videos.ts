import { availableParallelism } from 'node:os';
import { checkCount, checkSignal, requireOptions, throwIfAborted } from '../checks.js';
import { plainAugment } from '../data/augment/draw-augment.js';
import { loadManifest, type VideoRow } from '../data/manifest.js';
import { type ClipPlan, PLAN_VERSION } from '../data/plan.js';
import { makeClock } from '../data/samplers/clock.js';
import { toVsslError, VsslError } from '../errors.js';
import type { NativeClipFailure, NativeLoader } from '../native/bindings.js';
import { loadEngine } from '../native/load.js';
import { mapAhead } from './map-ahead.js';
import { type Indexer, readFacts } from './video-facts.js';

export interface CheckVideosOptions {
  /** Folder, manifest or video file. */
  readonly data: string;
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
/** Size to which pictures are scaled: they are only looked at for errors. */
const kSize = 16;

/** Opens every video of `data` and decodes parts of it. Throws what loadManifest and loading the engine throw. */
export async function checkVideos(options: CheckVideosOptions): Promise<CheckResult> {
  requireOptions(options, ['data', 'deep', 'threads', 'signal', 'onProgress']);
  const { data, deep = false, threads = availableParallelism(), signal, onProgress } = options;
  checkSignal(signal);
  checkCount('threads', threads);
  const manifest = await loadManifest(data);
  const engine = loadEngine();
  const loader = engine.createLoader({ threads, cacheBytes: 0 });
  const files: CheckedFile[] = [];
  try {
    const check = async (row: VideoRow) => {
      throwIfAborted(signal);
      return checkRow(engine, loader, row, deep);
    };
    for await (const file of mapAhead(manifest.rows, check, threads + 1)) {
      files.push(file);
      onProgress?.(files.length, manifest.rows.length);
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
    warnings: manifest.warnings,
  };
}

async function checkRow(
  indexer: Indexer,
  loader: NativeLoader,
  row: VideoRow,
  deep: boolean,
): Promise<CheckedFile> {
  const { path, start, end } = row;
  const window = { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) };
  try {
    const facts = await readFacts(indexer, row);
    const clock = makeClock(facts, window);
    const last = clock.frames - 1;
    const wanted = deep
      ? Array.from({ length: clock.frames }, (_, i) => i)
      : [...new Set([0, last >> 1, last])];
    const times = wanted.map((frame) => clock.timeOf(frame));
    const faults = await findFaults(loader, row, times, deep ? kDeepFrames : 1);
    const known = {
      path,
      ...window,
      codec: facts.codec,
      width: facts.width,
      height: facts.height,
      frames: clock.frames,
      seconds: clock.frames * clock.period,
      decoded: times.length - faults.length,
    };
    const first = faults[0];
    if (first && faults.length === times.length)
      return {
        ...known,
        decoded: 0,
        status: 'unusable',
        code: first.code,
        reason: first.reason,
        ...place(first),
      };
    if (first) {
      const reason = `${faults.length} of ${times.length} pictures tried cannot be decoded: ${first.reason}`;
      return { ...known, status: 'warning', code: first.code, reason, ...place(first) };
    }
    if (facts.warnings.length > 0) return { ...known, status: 'warning', reason: facts.warnings.join('; ') };
    return { ...known, status: 'ok' };
  } catch (error) {
    const { code, message } = toVsslError(error);
    if (!(error instanceof VsslError) && code === 'ERR_VSSL_INTERNAL') throw error;
    return { path, ...window, status: 'unusable', code, reason: message };
  }
}

/** The pictures at `times` that cannot be decoded, `most` tried at a time: a clip with a bad one fails as a whole. */
async function findFaults(
  loader: NativeLoader,
  row: VideoRow,
  times: readonly number[],
  most: number,
): Promise<NativeClipFailure[]> {
  const stretches: (readonly number[])[] = [];
  for (let i = 0; i < times.length; i += most) stretches.push(times.slice(i, i + most));
  const faults: NativeClipFailure[] = [];
  for (let i = 0; i < stretches.length; i += kDeepClips) {
    const some = stretches.slice(i, i + kDeepClips);
    // each stretch is a view of its own, so that the last one may be shorter
    const views = some.map((stretch, v) => ({ name: `stretch ${v}`, clips: [plainClip(row, stretch)] }));
    const { batch, failures } = await loader.load({ version: PLAN_VERSION, views });
    batch.dispose();
    for (const failure of failures) {
      const stretch = some[failure.view]!;
      if (stretch.length === 1) faults.push(failure);
      else faults.push(...(await findFaults(loader, row, stretch, 1)));
    }
  }
  return faults;
}

function plainClip({ source }: VideoRow, times: readonly number[]): ClipPlan {
  return {
    source,
    modality: 'rgb',
    times,
    height: kSize,
    width: kSize,
    shrink: 1,
    augment: [plainAugment([0, 0, 1, 1])],
    input: 'rgb',
    mean: [0, 0, 0],
    std: [1, 1, 1],
  };
}

function place({ where }: NativeClipFailure): { where?: number } {
  return where >= 0 ? { where } : {};
}
