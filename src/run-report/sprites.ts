/** The moving pictures of a report, all of which together stay below a size: smaller and fewer frames where there are many. */
import { throwIfAborted } from '../checks.js';
import type { VideoRow } from '../data/rows.js';
import { readFacts } from '../embed/video-facts.js';
import { toVsslError } from '../errors.js';
import type { EngineAddon, NativeLoader } from '../native/bindings.js';
import { makeThumbnail, type Thumbnail, type ThumbnailOptions } from '../report/thumbnails.js';

/** From the best to the least that still shows something. */
const LEVELS: readonly Required<ThumbnailOptions>[] = [
  { height: 112, frames: 8, quality: 6 },
  { height: 96, frames: 8, quality: 6 },
  { height: 80, frames: 8, quality: 8 },
  { height: 64, frames: 8, quality: 8 },
  { height: 64, frames: 5, quality: 10 },
  { height: 48, frames: 4, quality: 12 },
  { height: 40, frames: 2, quality: 16 },
];
/** Pictures by which the size of all is foreseen. */
const TRIED = 12;

/** One clip: seconds of the file, and its picture or why there is none. */
export interface ShownClip {
  readonly start: number;
  readonly end: number;
  readonly thumbnail: Thumbnail | null;
  readonly reason?: string;
}

export interface SpriteOptions {
  readonly engine: EngineAddon;
  readonly loader: NativeLoader;
  /** Bytes that they may have in the page together. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number, what: string) => void) | undefined;
}

/** Pictures of the rows in the best form in which all of them fit; without any where even the least does not. */
export async function makeSprites(rows: readonly VideoRow[], options: SpriteOptions): Promise<ShownClip[]> {
  for (const level of LEVELS) {
    const tried = await showRows(rows.slice(0, TRIED), level, { ...options, onProgress: undefined });
    if ((bytesOf(tried) / Math.max(1, tried.length)) * rows.length > options.maxBytes) continue;
    const clips = await showRows(rows, level, options);
    if (bytesOf(clips) <= options.maxBytes) return clips;
  }
  const reason = 'all pictures together would make the page larger than it may be';
  return rows.map(({ start = 0, end = 0 }) => ({ start, end, thumbnail: null, reason }));
}

/** In the page, as text. */
function bytesOf(clips: readonly ShownClip[]): number {
  return clips.reduce(
    (sum, { thumbnail }) => sum + (thumbnail ? 4 * Math.ceil(thumbnail.jpeg.length / 3) : 0),
    0,
  );
}

async function showRows(
  rows: readonly VideoRow[],
  level: Required<ThumbnailOptions>,
  { engine, loader, signal, onProgress }: SpriteOptions,
): Promise<ShownClip[]> {
  const shown: ShownClip[] = new Array(rows.length);
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < rows.length) {
      throwIfAborted(signal);
      const at = next++;
      shown[at] = await showRow(rows[at]!, level, engine, loader);
      onProgress?.(++done, rows.length, 'pictures');
    }
  };
  await Promise.all([work(), work(), work(), work()]);
  return shown;
}

async function showRow(
  row: VideoRow,
  level: ThumbnailOptions,
  engine: EngineAddon,
  loader: NativeLoader,
): Promise<ShownClip> {
  try {
    const { width, height, times, end: last } = await readFacts(engine, row);
    const { source, start = times[0] ?? 0, end = last } = row;
    const made = await makeThumbnail(engine, loader, { source, start, end, width, height }, level);
    return { start, end, thumbnail: null, ...made };
  } catch (error) {
    return { start: row.start ?? 0, end: row.end ?? 0, thumbnail: null, reason: toVsslError(error).message };
  }
}
