import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { extname } from 'node:path';
import { checkCount, checkSignal, LIMITS, requireOptions } from '../checks.js';
import { loadManifest } from '../data/manifest.js';
import type { VideoRow } from '../data/rows.js';
import { formatShard, parseShard, rowsOfShard, type Shard } from '../data/shard.js';
import { invalidArgument, isEnvironmentCode } from '../errors.js';
import { packageVersion } from '../native/load.js';
import { checkOutFile, temporaryName, writeError } from '../weights/atomic-write.js';
import { writeSafetensors } from '../weights/safetensors.js';
import type { EncoderOptions } from './encoder-options.js';
import {
  type DamagedVideo,
  noneUsable,
  type UnusableVideo,
  unusableVideo,
  warnOfLostClips,
} from './unusable.js';
import { VideoEncoder } from './video-encoder.js';

/** Version of the files written here. */
export const EMBEDDINGS_FORMAT_VERSION = 1;

export interface EmbedToFileOptions extends EncoderOptions {
  /** Weights file or run folder; or an encoder that is loaded already (it is not disposed of). */
  readonly weights: string | VideoEncoder;
  /** Folder, manifest or video file. */
  readonly data: string;
  /**
   * `.safetensors`: a tensor `features` (videos, dim) of F32, with JSON lists `paths`, `ids`, `labels` and `groups` in
   * the metadata. `.jsonl`: a line a video, `{ path, id, label, group, vector }`. Written under a temporary name and
   * renamed when whole.
   */
  readonly out: string;
  /** Windows a video. Default 3. */
  readonly clips?: number;
  /** Crops a window. Default 1. */
  readonly crops?: 1 | 3;
  /** This part of the videos alone, '0/8' to '7/8': `mergeEmbeddings` makes one file of all parts. */
  readonly shard?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface EmbedToFileResult {
  readonly out: string;
  readonly format: 'safetensors' | 'jsonl';
  /** Videos in the file. */
  readonly count: number;
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
 * One vector a video of a data set, into a file. Throws ERR_VSSL_NO_USABLE_VIDEO when no video could be used (of a shard:
 * its file is empty then), ERR_VSSL_USAGE when `out` is a folder, a device or in no folder, ERR_VSSL_WRITE when the disk is
 * full or refuses, the errors of VideoEncoder.load and loadManifest, and the signal's reason; the file is then not touched.
 */
export async function embedToFile(options: EmbedToFileOptions): Promise<EmbedToFileResult> {
  requireOptions(options, known);
  const {
    weights,
    data,
    out,
    clips = 3,
    crops = 1,
    shard: shardText,
    signal,
    onProgress,
    device,
    threads,
    precision,
  } = options;
  const format = formatOf(out);
  const shard = shardText === undefined ? null : parseShard(shardText);
  checkSignal(signal);
  await checkOutFile(out);
  checkCount('clips', clips, 1, LIMITS.windows);
  const start = performance.now();
  const manifest = await loadManifest(data);
  const rows = shard ? rowsOfShard(manifest.rows, shard) : manifest.rows;
  const own = typeof weights === 'string';
  const encoder = own ? await VideoEncoder.load(weights, { device, threads, precision }) : weights;
  const failures: UnusableVideo[] = [];
  const damaged: DamagedVideo[] = [];
  try {
    const sink = await openSink(format, out, encoder, { clips, crops, shard });
    try {
      let done = 0;
      for await (const result of encoder.embedRows(rows, { clips, crops, signal })) {
        if ('error' in result && isEnvironmentCode(result.error.code)) throw result.error;
        if ('error' in result) failures.push(unusableVideo(result.item.path, result.error));
        else {
          if (result.lostClips > 0) damaged.push({ path: result.item.path, lostClips: result.lostClips });
          await sink.add(result.item, result.vectors[0]!);
        }
        onProgress?.(++done, rows.length);
      }
      // of a share that says nothing: others may have all that is good
      if (!shard && failures.length === rows.length && rows.length > 0)
        throw noneUsable(failures.length, failures);
      const count = await sink.finish();
      const seconds = (performance.now() - start) / 1000;
      const warnings = [...manifest.warnings, ...warnOfLostClips(damaged)];
      return { out, format, count, dim: encoder.dim, failures, warnings, seconds };
    } catch (error) {
      await sink.cancel();
      throw error;
    }
  } finally {
    if (own) await encoder.dispose();
  }
}

function formatOf(out: unknown): 'safetensors' | 'jsonl' {
  const suffix = typeof out === 'string' ? extname(out).toLowerCase() : '';
  if (suffix === '.safetensors') return 'safetensors';
  if (suffix === '.jsonl') return 'jsonl';
  throw invalidArgument('out', 'a file name that ends in .safetensors or .jsonl', out);
}

interface Settings {
  readonly clips: number;
  readonly crops: number;
  readonly shard: Shard | null;
}

interface Sink {
  add(row: VideoRow, vector: Float32Array): Promise<void>;
  /** Puts the file in its place. Returns the number of vectors. */
  finish(): Promise<number>;
  cancel(): Promise<void>;
}

async function openSink(
  format: 'safetensors' | 'jsonl',
  out: string,
  encoder: VideoEncoder,
  settings: Settings,
): Promise<Sink> {
  return format === 'jsonl' ? openJsonLines(out) : collectTensors(out, encoder, settings);
}

/** Written as it comes, so that memory does not grow with the number of videos. */
async function openJsonLines(out: string): Promise<Sink> {
  const temporary = temporaryName(out);
  const refused = (error: unknown) => {
    throw writeError(out, error);
  };
  let file: FileHandle | null = await open(temporary, 'wx').catch(refused);
  let count = 0;
  const cancel = async () => {
    await file?.close().catch(() => {});
    file = null;
    await rm(temporary, { force: true });
  };
  return {
    async add({ path, id, label, group }, vector) {
      const line = `${JSON.stringify({ path, id, label, group, vector: Array.from(vector) })}\n`;
      await file!.appendFile(line).catch(refused);
      count++;
    },
    async finish() {
      try {
        await file!.sync();
        await file!.close();
        file = null;
        await rename(temporary, out);
      } catch (error) {
        refused(error);
      }
      return count;
    },
    cancel,
  };
}

function collectTensors(out: string, encoder: VideoEncoder, settings: Settings): Sink {
  const rows: VideoRow[] = [];
  const vectors: Float32Array[] = [];
  return {
    async add(row, vector) {
      rows.push(row);
      vectors.push(vector);
    },
    async finish() {
      const data = new Float32Array(rows.length * encoder.dim);
      for (const [i, vector] of vectors.entries()) data.set(vector, i * encoder.dim);
      const bytes = new Uint8Array(data.buffer);
      const { method, step } = encoder.description;
      const features = {
        name: 'features',
        dtype: 'F32',
        shape: [rows.length, encoder.dim],
        data: bytes,
      } as const;
      await writeSafetensors(out, [features], {
        format: 'vssl-embeddings',
        format_version: String(EMBEDDINGS_FORMAT_VERSION),
        package_version: packageVersion,
        arch: encoder.arch,
        method,
        step: String(step),
        precision: encoder.precision,
        clips: String(settings.clips),
        crops: String(settings.crops),
        ...(settings.shard && { shard: formatShard(settings.shard) }),
        paths: JSON.stringify(rows.map((row) => row.path)),
        ids: JSON.stringify(rows.map((row) => row.id)),
        labels: JSON.stringify(rows.map((row) => row.label ?? null)),
        groups: JSON.stringify(rows.map((row) => row.group ?? null)),
      }).catch((error) => {
        throw writeError(out, error);
      });
      return rows.length;
    },
    async cancel() {},
  };
}
