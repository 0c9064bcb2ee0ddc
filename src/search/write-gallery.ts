/** Places in videos as a page of moving pictures: what was searched for and found, or what is the same as what. */
import { throwIfAborted } from '../checks.js';
import { readFacts, videoRow } from '../embed/video-facts.js';
import { toVsslError } from '../errors.js';
import type { EngineAddon, NativeLoader } from '../native/bindings.js';
import { openEngine } from '../native/load.js';
import { type GalleryClip, galleryPage } from '../report/gallery.js';
import { makeThumbnail } from '../report/thumbnails.js';
import { writeResultFile } from '../weights/atomic-write.js';

/** A stretch of a video, in seconds of the file; without times all of it. */
export interface ShownPlace {
  readonly path: string;
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  /** What is said of it. */
  readonly note?: string;
}

export interface ShownGroup {
  readonly title: string;
  readonly query: ShownPlace | null;
  readonly places: readonly ShownPlace[];
}

export interface GalleryOptions {
  readonly title: string;
  readonly summary: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes one HTML file that needs nothing beside it. A video that cannot be decoded any more stands there with the reason.
 * Throws ERR_VSSL_WRITE and the signal's reason.
 */
export async function writeGallery(
  file: string,
  groups: readonly ShownGroup[],
  { title, summary, signal }: GalleryOptions,
): Promise<void> {
  const engine = await openEngine('cpu');
  const loader = engine.createLoader({ threads: 2, cacheBytes: 0 });
  try {
    const shown = [];
    for (const { title: name, query, places } of groups) {
      throwIfAborted(signal);
      const show = (place: ShownPlace) => showPlace(engine, loader, place);
      shown.push({
        title: name,
        query: query && (await show(query)),
        clips: await Promise.all(places.map(show)),
      });
    }
    await writeResultFile(file, galleryPage({ title, summary, groups: shown }));
  } finally {
    loader.dispose();
  }
}

async function showPlace(engine: EngineAddon, loader: NativeLoader, place: ShownPlace): Promise<GalleryClip> {
  const { path, note } = place;
  const said = note === undefined ? {} : { note };
  try {
    const row = await videoRow(path);
    const { width, height, times, end: last } = await readFacts(engine, row);
    const { start = times[0] ?? 0, end = last } = place;
    const made = await makeThumbnail(engine, loader, { source: row.source, start, end, width, height });
    return { path, start, end, ...said, thumbnail: null, ...made };
  } catch (error) {
    const { start = 0, end = 0 } = place;
    return { path, start, end, ...said, thumbnail: null, reason: toVsslError(error).message };
  }
}
