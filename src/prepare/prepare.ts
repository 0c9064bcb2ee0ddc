/**
 * A training copy of a data set: every video as raw pictures at a short side, with its optical flow if asked for. What
 * the copy saves is decoding and computing flow in every epoch; what it costs is room.
 */

import { appendFile, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { checkCount, checkRate, checkSignal, LIMITS, requireOptions, throwIfAborted } from '../checks.js';
import { encodeName } from '../data/file-names.js';
import { loadManifest } from '../data/manifest.js';
import { PREPARED_FILE, PREPARED_MANIFEST } from '../data/packed.js';
import type { VideoRow } from '../data/rows.js';
import { mapAhead } from '../embed/map-ahead.js';
import { invalidArgument, toVsslError, VsslError } from '../errors.js';
import { noFlow } from '../native/flow.js';
import { openEngine } from '../native/load.js';
import {
  TEMPORARY_SUFFIX,
  type WriteOperations,
  writeFileAtomic,
  writeReason,
} from '../weights/atomic-write.js';
import { type Entry, type PackSettings, packRow } from './pack-row.js';
import { formatPreparedManifest } from './prepared-manifest.js';

export interface PrepareOptions {
  /** Folder, manifest or video file. */
  readonly data: string;
  /** Folder of the copy; one that an earlier call began is finished. */
  readonly out: string;
  /** Pixels of the short side; a smaller picture keeps its size. Default 256. */
  readonly shortSide?: number;
  /** Frames a second of the copy; null, the default: each video's own. */
  readonly fps?: number | null;
  /** Stores the optical flow between neighbouring frames as well. */
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
  readonly skipped: readonly { readonly path: string; readonly code: string; readonly reason: string }[];
  readonly warnings: readonly string[];
  readonly seconds: number;
}

const FORMAT_VERSION = 1;
/** One line a finished video: what a later call need not do again. */
const FINISHED_FILE = 'finished.jsonl';
/** Bytes of decoded pictures that are kept, so that a stretch of a video need not be decoded from its key frame again. */
const CACHE_BYTES = 2 ** 28;

/**
 * Makes or finishes the copy. A bad video is listed in `skipped` and tried again by the next call. Throws
 * ERR_VSSL_NO_USABLE_VIDEO when there is none, ERR_VSSL_USAGE when `out` holds a copy with other settings, ERR_VSSL_DATA
 * when that copy's settings cannot be read, ERR_VSSL_WRITE when the disk is full or refuses, ERR_VSSL_NO_FLOW, and what
 * loadManifest throws.
 */
export async function prepare(options: PrepareOptions): Promise<PrepareResult> {
  return prepareWith(options);
}

/** The same with file operations of the caller's. */
export async function prepareWith(
  options: PrepareOptions,
  operations?: WriteOperations,
): Promise<PrepareResult> {
  const known = ['data', 'out', 'shortSide', 'fps', 'flow', 'threads', 'signal', 'onProgress'];
  requireOptions(options, known);
  const { data, shortSide = 256, fps = null, flow = false, signal, onProgress } = options;
  checkSignal(signal);
  const threads = checkCount('threads', options.threads ?? availableParallelism(), 1, LIMITS.threads);
  checkCount('shortSide', shortSide, 16, LIMITS.side);
  if (typeof options.out !== 'string' || options.out === '')
    throw invalidArgument('out', 'a folder', options.out);
  if (fps !== null) checkRate('fps', fps);
  const begun = performance.now();
  const out = resolve(options.out);
  const manifest = await loadManifest(data);
  const settings: PackSettings = { shortSide, fps };
  const engine = await openEngine();
  if (flow && !engine.info().flowVersion) throw noFlow(engine, 'leave --flow out');
  await openFolder(out, settings, operations);
  const finished = await readFinished(join(out, FINISHED_FILE), settings);
  const loader = engine.createLoader({ threads, cacheBytes: CACHE_BYTES });
  const entries: { row: VideoRow; entry: Entry }[] = [];
  const skipped: { path: string; code: string; reason: string }[] = [];
  let reused = 0;
  let done = 0;
  try {
    const make = async (row: VideoRow) => {
      throwIfAborted(signal);
      try {
        const job = { row, out, settings, flow, signal, operations };
        return { row, fault: null, ...(await packRow(engine, loader, job, finished.get(row.id))) };
      } catch (error) {
        throwIfAborted(signal);
        const fault = faultOfVideo(error);
        if (fault === null) throw error;
        return { row, fault };
      }
    };
    for await (const result of mapAhead(manifest.rows, make, threads)) {
      if (result.fault)
        skipped.push({ path: result.row.path, code: result.fault.code, reason: result.fault.message });
      else {
        entries.push(result);
        if (result.made) await note(join(out, FINISHED_FILE), result.entry);
        else reused++;
      }
      onProgress?.(++done, manifest.rows.length);
    }
    if (entries.length === 0) throw noneUsable(skipped);
    await writeFileAtomic(
      join(out, PREPARED_MANIFEST),
      [encodeName(formatPreparedManifest(entries))],
      operations,
    );
  } catch (error) {
    throw writeFault(out, error);
  } finally {
    loader.dispose();
    await removeTemporary(out);
  }
  return {
    out,
    manifest: join(out, PREPARED_MANIFEST),
    videos: entries.length,
    reused,
    bytes: entries.reduce((sum, { entry }) => sum + entry.bytes, 0),
    skipped,
    warnings: manifest.warnings,
    seconds: (performance.now() - begun) / 1000,
  };
}

/** Makes the folder, or checks that it holds a copy with the same settings. */
async function openFolder(out: string, settings: PackSettings, operations?: WriteOperations): Promise<void> {
  const file = join(out, PREPARED_FILE);
  const wanted = { formatVersion: FORMAT_VERSION, ...settings };
  try {
    await mkdir(out, { recursive: true });
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text === null) {
      const others = (await readdir(out)).filter((name) => !name.endsWith(TEMPORARY_SUFFIX));
      if (others.length > 0)
        throw new VsslError(
          'ERR_VSSL_USAGE',
          `${out} holds other files (${others[0]}...) and no copy that was begun; give a new folder`,
          { details: { out } },
        );
      await writeFileAtomic(file, [Buffer.from(`${JSON.stringify(wanted, null, 2)}\n`)], operations);
      return;
    }
    const found = parseSettings(text);
    if (!found)
      throw new VsslError(
        'ERR_VSSL_DATA',
        `${file} is damaged: expected the settings of the copy as a JSON object; remove ${out}, or give a new folder`,
        { details: { out, file } },
      );
    for (const [key, value] of Object.entries(wanted))
      if (found[key] !== value)
        throw new VsslError(
          'ERR_VSSL_USAGE',
          `${out} holds a copy with ${key} ${String(found[key])}, not ${String(value)}; give the same setting or a new folder`,
          { details: { out, key } },
        );
  } catch (error) {
    throw writeFault(out, error);
  }
}

/** null when it is no JSON object. */
function parseSettings(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === 'object' ? (found as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

/** What earlier calls finished, by the row's id; a torn line costs its video and nothing else. */
async function readFinished(file: string, { shortSide, fps }: PackSettings): Promise<Map<string, Entry>> {
  const text = await readFile(file, 'utf8').catch(() => '');
  // What comes next begins on a line of its own.
  if (text !== '' && !text.endsWith('\n')) await appendFile(file, '\n');
  const finished = new Map<string, Entry>();
  for (const line of text.split('\n')) {
    try {
      const entry = JSON.parse(line) as Entry & { version: number };
      const same = entry.version === FORMAT_VERSION && entry.shortSide === shortSide && entry.rate === fps;
      if (same) finished.set(entry.id, entry);
    } catch {
      // an empty line, or the last one of a process that was killed
    }
  }
  return finished;
}

function note(file: string, entry: Entry): Promise<void> {
  return appendFile(file, `${JSON.stringify({ version: FORMAT_VERSION, ...entry })}\n`);
}

/** The error when it is the video's own fault; null when it is not. */
function faultOfVideo(error: unknown): VsslError | null {
  const fault = toVsslError(error);
  return fault.code.startsWith('ERR_VSSL_VIDEO_') || fault.code === 'ERR_VSSL_NO_LIBAV' ? fault : null;
}

/** Errors of the file system as one that says what to do; others as they are. */
function writeFault(out: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  // only errors of the system have names such as ENOSPC; the reason of an aborted signal may be anything
  if (error instanceof VsslError || typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) return error;
  const room = code === 'ENOSPC' || code === 'EDQUOT';
  const why =
    writeReason(error) +
    (room ? '; make room, or take a smaller --short-side (half the side is a quarter of the bytes)' : '');
  return new VsslError(
    'ERR_VSSL_WRITE',
    `cannot write the copy in ${out}: ${why}. What is finished stays: the same command goes on from there`,
    { details: { out, code }, cause: error },
  );
}

/** What a killed process left half-written. */
async function removeTemporary(out: string): Promise<void> {
  const names = await readdir(out, { recursive: true }).catch(() => [] as string[]);
  const old = Date.now() - 3600_000;
  for (const name of names.filter((n) => n.endsWith(TEMPORARY_SUFFIX))) {
    const found = await stat(join(out, name)).catch(() => null);
    // Another process may be at work here: what is young may be its own.
    if (found && found.mtimeMs < old) await rm(join(out, name), { force: true });
  }
}

function noneUsable(skipped: readonly { readonly reason: string }[]): VsslError {
  return new VsslError(
    'ERR_VSSL_NO_USABLE_VIDEO',
    `none of the ${skipped.length} videos can be used; the first: ${skipped[0]?.reason ?? 'there is none'}`,
    { details: { skipped } },
  );
}
