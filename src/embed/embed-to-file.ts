import { createHash } from 'node:crypto';
import { checkCount, checkOneOf, checkSignal, LIMITS, requireOptions } from '../checks.js';
import type { VideoRow } from '../data/rows.js';
import { formatShard, parseShard, type Shard } from '../data/shard.js';
import { rowStamp } from '../data/source-key.js';
import { checkGrid, type WindowGrid } from '../data/windows.js';
import { isEnvironmentCode, VsslError } from '../errors.js';
import { packageVersion } from '../native/load.js';
import { checkOutFile, writeError } from '../weights/atomic-write.js';
import type { EncoderOptions } from './encoder-options.js';
import { formatOf } from './formats/index.js';
import type { EmbeddingFormat, EmbeddingFormatName, EmbeddingRecord } from './formats/record.js';
import { type DoneVideo, type DoneWindow, Journal } from './journal.js';
import { type FoundRows, findRows } from './rows-of-data.js';
import {
  type DamagedVideo,
  noneUsable,
  type UnusableVideo,
  unusableVideo,
  warnOfLostClips,
  warnOfLostWindows,
} from './unusable.js';
import { VideoEncoder } from './video-encoder.js';

/** Version of the files written here. */
export const EMBEDDINGS_FORMAT_VERSION = 1;

export interface EmbedToFileOptions extends EncoderOptions {
  /** Weights file or run folder; or an encoder that is loaded already (it is not disposed of). */
  readonly weights: string | VideoEncoder;
  /** Folder, manifest or video file; or paths of videos, taken as they come. */
  readonly data: string | Iterable<string> | AsyncIterable<string>;
  /**
   * `.safetensors`: a tensor `features` (vectors, dim) of F32, with JSON lists `paths`, `ids`, `labels`, `groups`,
   * `starts`, `ends` and `stamps` in the metadata. `.jsonl`: a line a vector, `{ path, id, label, group, start, end, stamp,
   * vector }`. `.csv`: the same columns, then v0, v1... `.npy`: the array, and OUT.jsonl with the other columns. `.parquet`:
   * the columns and a list of floats (needs the package hyparquet-writer). Renamed to its name when whole.
   */
  readonly out: string;
  /** A vector for each window instead of one for each video. */
  readonly windows?: WindowGrid;
  /** Clips of a video (default 3), or of a window (default 1), whose vectors are averaged. */
  readonly clips?: number;
  /** Crops of a clip. Default 1. */
  readonly crops?: 1 | 3;
  /** This part of the videos alone, '0/8' to '7/8': `mergeEmbeddings` makes one file of all parts. */
  readonly shard?: string;
  readonly signal?: AbortSignal;
  /** `total` is Infinity while paths are still to come. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface EmbedToFileResult {
  readonly out: string;
  readonly format: EmbeddingFormatName;
  /** Vectors in the file. */
  readonly count: number;
  /** Videos in the file. */
  readonly videos: number;
  /** Those of them that were in the file, or begun, before, and are unchanged. */
  readonly reused: number;
  readonly dim: number;
  /** Videos that could not be used; they are not in the file. */
  readonly failures: readonly UnusableVideo[];
  /** What looked odd about the data, for people; videos whose vectors lack clips that cannot be decoded. */
  readonly warnings: readonly string[];
  readonly seconds: number;
}

const known = [
  'weights',
  'data',
  'out',
  'windows',
  'clips',
  'crops',
  'shard',
  'signal',
  'onProgress',
  'device',
  'threads',
  'precision',
];

/**
 * Vectors of a data set, into a file. What is in the file already, made with the same settings of a video that has not
 * changed, is kept; a call that was stopped or killed is finished by the same call (its work stands in OUT.partial until
 * then). Throws ERR_VSSL_NO_USABLE_VIDEO when no video could be used (of a shard: its file is empty then), ERR_VSSL_USAGE
 * when `out` is a folder, a device or in no folder, ERR_VSSL_WRITE when the disk is full or refuses,
 * ERR_VSSL_ENVIRONMENT when the package that a format needs is missing, the errors of VideoEncoder.load and loadManifest,
 * and the signal's reason; the file is then not touched.
 */
export async function embedToFile(options: EmbedToFileOptions): Promise<EmbedToFileResult> {
  requireOptions(options, known);
  const { weights, out, device, threads, precision } = options;
  const format = formatOf(out);
  const settings = checkSettings(options);
  await checkOutFile(out);
  await format.check?.();
  const start = performance.now();
  const { rows, total, warnings } = await findRows(options.data, settings.shard, options.signal);
  const own = typeof weights === 'string';
  const encoder = own ? await VideoEncoder.load(weights, { device, threads, precision }) : weights;
  try {
    const before = await readBefore(format, out);
    const job: Job = { encoder, settings, total, ...before, stamped: await stampOf(encoder, settings) };
    const work = await embedRows(rows, job, options);
    const { entries, failures, damaged } = work;
    // of a share that says nothing: others may have all that is good
    if (!settings.shard && failures.length === entries.length && entries.length > 0)
      throw noneUsable(failures.length, failures);
    if (entries.length === 0 && !settings.shard)
      throw new VsslError('ERR_VSSL_DATA', 'no path of a video was given');
    const records = entries.flatMap(recordsOf);
    const about = { dim: encoder.dim, entries: describe(encoder, settings) };
    await format.write(out, records, about).catch((error) => {
      throw writeError(out, error);
    });
    await before.journal.remove();
    return {
      ...{ out, format: format.name, count: records.length, dim: encoder.dim, failures },
      ...{ videos: entries.length - failures.length, reused: work.reused },
      warnings: [...warnings, ...(settings.grid ? warnOfLostWindows : warnOfLostClips)(damaged)],
      seconds: (performance.now() - start) / 1000,
    };
  } finally {
    if (own) await encoder.dispose();
  }
}

/** Where paths come one by one, a video is done when it has come, though the batch would hold others. */
const PATH_WAIT_MS = 200;

interface Settings {
  readonly grid: WindowGrid | null;
  readonly clips: number;
  readonly crops: 1 | 3;
  readonly shard: Shard | null;
  readonly maxWaitMs: number | undefined;
}

function checkSettings({ windows, clips, crops = 1, shard, signal, data }: EmbedToFileOptions): Settings {
  checkSignal(signal);
  checkOneOf('crops', crops, [1, 3]);
  const grid = windows === undefined ? null : checkGrid('windows', windows);
  const paths = typeof data !== 'string';
  if (paths && shard !== undefined)
    throw new VsslError(
      'ERR_VSSL_USAGE',
      'paths that come one by one have no shards: share them out yourself',
    );
  return {
    grid,
    clips: checkCount('clips', clips ?? (grid ? 1 : 3), 1, LIMITS.windows),
    crops,
    shard: shard === undefined ? null : parseShard(shard),
    maxWaitMs: paths ? PATH_WAIT_MS : undefined,
  };
}

/** What was done before: of a call that did not end, and of one that did. */
async function readBefore(format: EmbeddingFormat, out: string) {
  const journal = await Journal.open(out);
  const done = new Map<string, DoneVideo>();
  // a file that is none of ours, or damaged, has nothing; it is replaced when there is a new one
  for (const { path, id, stamp, start, end, vector } of await format.read(out).catch(() => [])) {
    const key = keyOf({ path, id });
    const video = done.get(key);
    const window: DoneWindow = { start, end, vector };
    done.set(key, { stamp, windows: video ? [...video.windows, window] : [window] });
  }
  return { journal, done };
}

/** A row's id is unique in one list alone, a path may stand in several rows. */
function keyOf({ path, id }: Pick<VideoRow, 'path' | 'id'>): string {
  return `${id}\n${path}`;
}

interface Job {
  readonly encoder: VideoEncoder;
  readonly settings: Settings;
  readonly total: number;
  readonly journal: Journal;
  readonly done: ReadonlyMap<string, DoneVideo>;
  readonly stamped: (row: VideoRow) => Promise<string>;
}

/** A row, and its vectors where there are any. */
interface Entry {
  readonly row: VideoRow;
  readonly stamp: string;
  windows: readonly DoneWindow[] | null;
}

async function embedRows(
  rows: FoundRows['rows'],
  job: Job,
  { signal, onProgress }: EmbedToFileOptions,
): Promise<{ entries: Entry[]; reused: number; failures: UnusableVideo[]; damaged: DamagedVideo[] }> {
  const { encoder, settings, journal, total } = job;
  const entries: Entry[] = [];
  const underway = new Map<VideoRow, Entry>();
  const failures: UnusableVideo[] = [];
  const damaged: DamagedVideo[] = [];
  let reused = 0;
  let finished = 0;
  const missing = async function* () {
    for await (const row of rows) {
      const [stamp, key] = [await job.stamped(row), keyOf(row)];
      const found = [journal.done.get(key), job.done.get(key)].find((video) => video?.stamp === stamp);
      const entry: Entry = { row, stamp, windows: found?.windows ?? null };
      entries.push(entry);
      if (found) {
        reused++;
        onProgress?.(++finished, total);
        continue;
      }
      underway.set(row, entry);
      yield row;
    }
  };
  try {
    for await (const result of embedMissing(encoder, missing(), settings, signal)) {
      const entry = underway.get(result.row)!;
      underway.delete(result.row);
      const { path } = result.row;
      if ('error' in result) {
        if (isEnvironmentCode(result.error.code)) throw result.error;
        failures.push(unusableVideo(path, result.error));
      } else {
        if (result.lost > 0) damaged.push({ path, lostClips: result.lost });
        entry.windows = result.windows;
        await journal.add(keyOf(result.row), { stamp: entry.stamp, windows: result.windows });
      }
      onProgress?.(++finished, total);
    }
  } finally {
    await journal.close();
  }
  return { entries, reused, failures, damaged };
}

type Embedded = { readonly row: VideoRow } & (
  | { readonly windows: readonly DoneWindow[]; readonly lost: number }
  | { readonly error: VsslError }
);

/** Whole videos, which share batches, or windows of them. */
async function* embedMissing(
  encoder: VideoEncoder,
  rows: AsyncIterable<VideoRow>,
  { grid, clips, crops, maxWaitMs }: Settings,
  signal: AbortSignal | undefined,
): AsyncGenerator<Embedded, void, undefined> {
  if (grid) {
    for await (const result of encoder.embedWindows(rows, { windows: grid, clips, crops, maxWaitMs, signal }))
      yield 'error' in result ? result : { ...result, lost: result.lostWindows };
    return;
  }
  for await (const result of encoder.embedRows(rows, { clips, crops, maxWaitMs, signal })) {
    const { item: row } = result;
    if ('error' in result) yield { row, error: result.error };
    else {
      const { start, end } = row;
      yield { row, windows: [{ start, end, vector: result.vectors[0]! }], lost: result.lostClips };
    }
  }
}

/** Makes the stamps of rows: the settings in short, and the state of the row's files. */
async function stampOf(encoder: VideoEncoder, { grid, clips, crops }: Settings) {
  const { precision } = encoder;
  const text = JSON.stringify([await encoder.digest(), precision, grid, clips, crops]);
  const settings = createHash('sha256').update(text).digest('hex').slice(0, 12);
  return async (row: VideoRow) => `${settings} ${await rowStamp(row)}`;
}

function recordsOf({ row, stamp, windows }: Entry): EmbeddingRecord[] {
  const { path, id, label, group } = row;
  return (windows ?? []).map(({ start, end, vector }) => {
    return { path, id, label, group, start, end, stamp, vector };
  });
}

function describe(encoder: VideoEncoder, { grid, clips, crops, shard }: Settings): Record<string, string> {
  const { method, step } = encoder.description;
  return {
    format: 'vssl-embeddings',
    format_version: String(EMBEDDINGS_FORMAT_VERSION),
    package_version: packageVersion,
    arch: encoder.arch,
    method,
    step: String(step),
    precision: encoder.precision,
    ...(grid && { every: String(grid.every), span: String(grid.span ?? 'a clip') }),
    clips: String(clips),
    crops: String(crops),
    ...(shard && { shard: formatShard(shard) }),
  };
}
