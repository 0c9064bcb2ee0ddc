import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { checkSignal, checkText, requireOptions } from '../checks.js';
import { fsPath } from '../data/file-names.js';
import type { VideoRow } from '../data/rows.js';
import type { WindowVector } from '../embed/embed-windows.js';
import type { EncoderOptions } from '../embed/encoder-options.js';
import { VideoEncoder } from '../embed/video-encoder.js';
import { readFacts, videoRow } from '../embed/video-facts.js';
import { invalidArgument, VsslError } from '../errors.js';
import { openEngine } from '../native/load.js';
import { DEFAULT_SETTINGS, ENCODER_NAME, type IndexSettings } from './header.js';
import type { SearchHit, SearchOptions } from './index-options.js';
import { VideoIndex } from './video-index.js';

export interface SearchVideosOptions extends SearchOptions, EncoderOptions {
  /** Folder of an index that `indexVideos` made. */
  readonly db: string;
  /** The video to be looked for: a file, or a folder of pictures. */
  readonly clip: string;
  /** The part of it: seconds of the file. Default: all of it. */
  readonly start?: number;
  readonly end?: number;
  /** Weights file or run folder, or an encoder. Default: the weights that are kept beside the index. */
  readonly weights?: string | VideoEncoder;
}

export interface SearchVideosResult {
  /** What was looked for. */
  readonly query: {
    readonly path: string;
    readonly start: number;
    readonly end: number;
    readonly windows: number;
  };
  /** Best first. */
  readonly hits: readonly SearchHit[];
  readonly seconds: number;
}

const known = [
  ...['db', 'clip', 'start', 'end', 'weights', 'top', 'perVideo', 'filter', 'signal'],
  ...['device', 'threads', 'precision'],
];

/**
 * A scene that was cut out between two windows of the index lies beside neither. So its own stand closer, this many for one
 * of the index, unless it is so long that it is found anyway.
 */
const FINER = 4;
const MOST_FINER = 64;

/**
 * What of an index is most like a clip, and when. The clip is cut into windows as the index's videos are, but closer
 * together; one that is longer than a window is looked for as a scene, in its order and at its pace. Throws what VideoIndex.open and
 * VideoEncoder.load throw, ERR_VSSL_VIDEO_* for a clip that cannot be decoded, and ERR_VSSL_INDEX_MISMATCH for another
 * encoder than that of the index.
 */
export async function searchVideos(options: SearchVideosOptions): Promise<SearchVideosResult> {
  requireOptions(options, known);
  const { clip, top, perVideo, filter, device, threads, precision } = options;
  const db = resolve(checkText('db', 'a folder', options.db));
  const signal = checkSignal(options.signal);
  const began = performance.now();
  const row = await rowOf(options);
  const index = await VideoIndex.open(db);
  try {
    const { weights = await keptWeights(db) } = options;
    const own = typeof weights === 'string';
    const encoder = own ? await VideoEncoder.load(weights, { device, threads, precision }) : weights;
    try {
      const { settings } = await checkEncoder(index, db, encoder);
      const windows = await embedClip(encoder, row, settings ?? DEFAULT_SETTINGS, signal);
      const hits = await index.search(windows, { top, perVideo, filter, signal });
      const { start, end } = { start: windows[0]!.start, end: windows.at(-1)!.end };
      const seconds = (performance.now() - began) / 1000;
      return { query: { path: clip, start, end, windows: windows.length }, hits, seconds };
    } finally {
      if (own) await encoder.dispose();
    }
  } finally {
    await index.close();
  }
}

async function rowOf({ clip, start, end }: SearchVideosOptions): Promise<VideoRow> {
  checkText('clip', 'a path', clip);
  for (const [name, value] of Object.entries({ start, end }))
    if (value !== undefined && !(Number.isFinite(value) && value >= 0))
      throw invalidArgument(name, 'seconds of the clip', value);
  if (end !== undefined && end <= (start ?? 0)) throw invalidArgument('end', 'a time after start', end);
  return { ...(await videoRow(clip)), start, end };
}

async function keptWeights(db: string): Promise<string> {
  const path = join(db, ENCODER_NAME);
  if (await stat(fsPath(path)).catch(() => null)) return path;
  throw new VsslError(
    'ERR_VSSL_USAGE',
    `the index ${db} keeps no weights: give the run or the weights that it was made with (--run or --weights)`,
    { details: { db } },
  );
}

async function checkEncoder(index: VideoIndex, db: string, encoder: VideoEncoder) {
  const stats = await index.stats();
  const digest = await encoder.digest();
  if (digest === stats.encoder) return stats;
  throw new VsslError(
    'ERR_VSSL_INDEX_MISMATCH',
    `the index ${db} holds vectors of another encoder (${stats.encoder}; this one is ${digest}): leave --run and --weights out, or give the one that it was made with`,
    { details: { db, encoder: stats.encoder } },
  );
}

async function embedClip(
  encoder: VideoEncoder,
  row: VideoRow,
  { windows: { every, span }, clips, crops }: IndexSettings,
  signal: AbortSignal | undefined,
): Promise<readonly WindowVector[]> {
  const { times, end } = await readFacts(await openEngine('cpu'), row);
  const seconds = Math.min(row.end ?? end, end) - Math.max(row.start ?? 0, times[0] ?? 0);
  const finer = seconds <= MOST_FINER * every ? FINER : 1;
  const windows = { every: every / finer, ...(span === undefined ? {} : { span }) };
  for await (const result of encoder.embedWindows([row], { windows, clips, crops, signal })) {
    if ('error' in result) throw result.error;
    return result.windows;
  }
  throw new VsslError('ERR_VSSL_INTERNAL', 'no window was made');
}
