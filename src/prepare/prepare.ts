/**
 * A training copy of a data set: every video as pictures at a short side, raw or JPEG, raw ones with their optical flow if
 * asked for. What the copy saves is decoding and computing flow in every epoch; what it costs is room.
 */
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import {
  checkCount,
  checkOneOf,
  checkRate,
  checkSignal,
  checkText,
  LIMITS,
  requireOptions,
  throwIfAborted,
} from '../checks.js';
import { encodeName } from '../data/file-names.js';
import { formatCsv } from '../data/format-csv.js';
import { loadManifest } from '../data/manifest.js';
import { COPY_FORMATS, type CopyFormat, PACKED_COLUMNS, PREPARED_MANIFEST } from '../data/packed.js';
import type { VideoRow } from '../data/rows.js';
import { mapAhead } from '../embed/map-ahead.js';
import { noneUsable, type UnusableVideo, unusableVideo } from '../embed/unusable.js';
import { invalidArgument, toVsslError, VsslError } from '../errors.js';
import type { EngineAddon } from '../native/bindings.js';
import { noFlow } from '../native/flow.js';
import { openEngine } from '../native/load.js';
import { type WriteOperations, writeFileAtomic } from '../weights/atomic-write.js';
import { noteFinished, openFolder, readFinished, removeTemporary, writeFault } from './copy-folder.js';
import { type Entry, type PackJob, type PackSettings, packRow } from './pack-row.js';

export interface PrepareOptions {
  /** Folder, manifest or video file. */
  readonly data: string;
  /** Folder of the copy; one that an earlier call began is finished. */
  readonly out: string;
  /** Pixels of the short side; a smaller picture keeps its size. Default 256. */
  readonly shortSide?: number;
  /** Frames a second of the copy; null, the default: each video's own. */
  readonly fps?: number | null;
  /**
   * raw, the default: uint8 RGB, which nothing needs to decode. jpeg: Motion JPEG (libavcodec's mjpeg), every picture a
   * key frame, in a MOV file that is read, and played, like any other.
   */
  readonly format?: CopyFormat;
  /** Of jpeg: 1 (best) to 31. Default 3. */
  readonly quality?: number;
  /** Stores the optical flow between neighbouring frames as well; of raw copies. */
  readonly flow?: boolean;
  /** Videos under way at once. Default: all processors. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface PrepareResult {
  readonly out: string;
  /** The manifest of the copy, for --data; the folder does as well. */
  readonly manifest: string;
  /** Videos in the copy. */
  readonly videos: number;
  /** Those of them that were there already. */
  readonly reused: number;
  /** Bytes of the copy. */
  readonly bytes: number;
  readonly skipped: readonly UnusableVideo[];
  readonly warnings: readonly string[];
  readonly seconds: number;
}

/** 38 dB and more from raw pictures of textures with grain, in a twelfth of their room. */
const QUALITY = 3;
/** What libavcodec's quantiser scale has. */
const WORST_QUALITY = 31;

/** Bytes of decoded pictures that are kept, so that a stretch of a video need not be decoded from its key frame again. */
const CACHE_BYTES = 2 ** 28;

/**
 * Makes or finishes the copy. A bad video is listed in `skipped` and tried again by the next call. Throws
 * ERR_VSSL_NO_USABLE_VIDEO when there is none, ERR_VSSL_USAGE when `out` holds a copy with other settings, ERR_VSSL_DATA
 * when that copy's settings cannot be read, ERR_VSSL_WRITE when the disk is full or refuses, ERR_VSSL_NO_FLOW,
 * ERR_VSSL_NO_LIBAV for JPEG, and what loadManifest throws.
 */
export async function prepare(options: PrepareOptions): Promise<PrepareResult> {
  return prepareWith(options);
}

/** The same with file operations of the caller's. */
export async function prepareWith(
  options: PrepareOptions,
  operations?: WriteOperations,
): Promise<PrepareResult> {
  const known = ['data', 'out', 'shortSide', 'fps', 'format', 'quality', 'flow', 'threads', 'signal'];
  requireOptions(options, [...known, 'onProgress']);
  const { data, flow = false, signal, onProgress } = options;
  checkSignal(signal);
  const threads = checkCount('threads', options.threads ?? availableParallelism(), 1, LIMITS.threads);
  const settings = checkSettings(options);
  const out = resolve(checkText('out', 'a folder', options.out));
  const begun = performance.now();
  const { rows, warnings } = await loadManifest(data, { signal });
  const engine = await openEngine();
  if (settings.format === 'jpeg' && engine.info().libavVersion === '')
    throw new VsslError(
      'ERR_VSSL_NO_LIBAV',
      "this build has no encoder for JPEG: install FFmpeg's development packages and build again, or take raw pictures",
    );
  if (flow && !engine.info().flowVersion) throw noFlow(engine, 'leave --flow out');
  await openFolder(out, settings, operations);
  const manifest = join(out, PREPARED_MANIFEST);
  try {
    const job = { out, settings, flow, signal, operations };
    const { entries, skipped, reused } = await packRows(engine, rows, job, threads, onProgress);
    if (entries.length === 0) throw noneUsable(skipped.length, skipped);
    await writeFileAtomic(manifest, [encodeName(manifestOf(entries, settings.format))], operations);
    const bytes = entries.reduce((sum, { entry }) => sum + entry.bytes, 0);
    const seconds = (performance.now() - begun) / 1000;
    return { out, manifest, videos: entries.length, reused, bytes, skipped, warnings, seconds };
  } catch (error) {
    throw writeFault(out, error);
  } finally {
    await removeTemporary(out);
  }
}

/** What of the options says how the copy is made. */
function checkSettings(options: PrepareOptions): PackSettings {
  const { shortSide = 256, fps = null, flow = false, quality } = options;
  checkCount('shortSide', shortSide, 16, LIMITS.side);
  if (fps !== null) checkRate('fps', fps);
  const format = checkOneOf('format', options.format ?? 'raw', COPY_FORMATS);
  if (format === 'raw') {
    if (quality !== undefined) throw invalidArgument('quality', "none with the format 'raw'", quality);
    return { shortSide, fps, format, quality: null };
  }
  if (flow)
    throw new VsslError(
      'ERR_VSSL_USAGE',
      'flow takes four bytes a pixel, more than raw pictures do: a JPEG copy has none. Leave it out, and training computes ' +
        'it from the copy, or take raw pictures',
    );
  return { shortSide, fps, format, quality: checkCount('quality', quality ?? QUALITY, 1, WORST_QUALITY) };
}

/** Packs what is not finished, several videos at once; `entries` and `skipped` are in the order of the rows. */
async function packRows(
  engine: EngineAddon,
  rows: readonly VideoRow[],
  job: Omit<PackJob, 'row'>,
  threads: number,
  onProgress: PrepareOptions['onProgress'],
) {
  const finished = await readFinished(job.out, job.settings);
  const loader = engine.createLoader({ threads, cacheBytes: CACHE_BYTES });
  const entries: { row: VideoRow; entry: Entry }[] = [];
  const skipped: UnusableVideo[] = [];
  let reused = 0;
  const make = async (row: VideoRow) => {
    throwIfAborted(job.signal);
    try {
      return { row, fault: null, ...(await packRow(engine, loader, { row, ...job }, finished.get(row.id))) };
    } catch (error) {
      throwIfAborted(job.signal);
      const fault = faultOfVideo(error);
      if (fault === null) throw error;
      return { row, fault };
    }
  };
  try {
    for await (const result of mapAhead(rows, make, threads)) {
      if (result.fault) skipped.push(unusableVideo(result.row.path, result.fault));
      else {
        entries.push(result);
        if (result.made) await noteFinished(job.out, result.entry);
        else reused++;
      }
      onProgress?.(entries.length + skipped.length, rows.length);
    }
  } finally {
    loader.dispose();
  }
  return { entries, skipped, reused };
}

/** The error when it is the video's own fault; null when it is not. */
function faultOfVideo(error: unknown): VsslError | null {
  const fault = toVsslError(error);
  return fault.code.startsWith('ERR_VSSL_VIDEO_') || fault.code === 'ERR_VSSL_NO_LIBAV' ? fault : null;
}

/**
 * The manifest of a copy: path, label, group, the source's further columns, and what raw files hold. A row's window is
 * not among them: its copy holds nothing else.
 */
function manifestOf(
  entries: readonly { readonly row: VideoRow; readonly entry: Entry }[],
  format: CopyFormat,
): string {
  const own = ['path', 'label', 'group'];
  const further = new Set(entries.flatMap(({ row }) => Object.keys(row.extra)));
  for (const column of [...own, ...PACKED_COLUMNS]) further.delete(column);
  const lines = entries.map(({ row: { extra, label, group }, entry }) => {
    const { path, frames, height, width, fps, flow } = entry;
    return { ...extra, path, label, group, frames, height, width, fps, flow };
  });
  return formatCsv([...own, ...further, ...(format === 'raw' ? PACKED_COLUMNS : [])], lines);
}
