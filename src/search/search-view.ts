/** From a vector to the nearest windows of an index: exact, whatever the filter and the store. */
import { matchesGlob } from '../data/glob.js';
import type { VideoRecord } from './row-lines.js';
import type { Found, RowFilter, StoreView, VideoId } from './store.js';

export interface ViewSearch {
  readonly top: number;
  /** The best window of each video alone. */
  readonly perVideo: boolean;
  readonly filter: RowFilter | null;
  readonly signal: AbortSignal | undefined;
}

/** Best first; of equal ones the one that was committed first. */
export async function searchView(
  view: StoreView,
  query: Float32Array,
  { top, perVideo, filter, signal }: ViewSearch,
): Promise<Found[]> {
  const rows = await view.rows(filter);
  const best = async (k: number) => (await rows.nearest(query, k, signal))[0]!;
  if (!perVideo) return await best(top);
  // the best windows may all be of one video: more of them, until there are enough videos, or no more windows
  for (let k = 4 * top; ; k *= 4) {
    const videos = firstOfEach(await best(k));
    if (videos.length >= top || k >= rows.count) return videos.slice(0, top);
  }
}

/** Whether every column of the filter matches one of its globs; what a video does not say matches none. */
export function passesFilter(record: VideoRecord, filter: RowFilter): boolean {
  return Object.entries(filter).every(([column, globs]) => {
    const { path, label, group, extra } = record;
    const value = { path, label, group }[column] ?? extra?.[column];
    return value !== undefined && value !== null && globs.some((glob) => matchesGlob(String(value), glob));
  });
}

/** The first of each video. */
function firstOfEach(found: readonly Found[]): Found[] {
  const seen = new Set<VideoId>();
  return found.filter(({ video }) => !seen.has(video) && seen.add(video));
}
