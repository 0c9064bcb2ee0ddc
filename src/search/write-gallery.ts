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
  readonly label?: string | undefined;
  /** Cosine, to what it was found for. */
  readonly similarity?: number;
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

/** Pixels of a picture's height, and the number of clips from which on they are small: a page stays below some 20 MB. */
const LARGE = 144;
const SMALL = 96;
const MANY = 200;

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
    const clips = groups.reduce((sum, { query, places }) => sum + places.length + (query ? 1 : 0), 0);
    const height = clips > MANY ? SMALL : LARGE;
    const shown = [];
    for (const { title: name, query, places } of groups) {
      throwIfAborted(signal);
      const show = (place: ShownPlace) => showPlace(engine, loader, place, height);
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

async function showPlace(
  engine: EngineAddon,
  loader: NativeLoader,
  place: ShownPlace,
  thumbnailHeight: number,
): Promise<GalleryClip> {
  const { path, start = 0, end = 0, label, similarity } = place;
  const said = { path, label, ...(similarity !== undefined && { similarity }) };
  try {
    const row = await videoRow(path);
    const { width, height, times, end: last } = await readFacts(engine, row);
    const first = times[0] ?? 0;
    const range = { start: place.start ?? first, end: place.end ?? last };
    const shown = { source: row.source, ...range, width, height };
    const made = await makeThumbnail(engine, loader, shown, { height: thumbnailHeight });
    return { ...said, ...range, whole: [first, last], thumbnail: null, ...made };
  } catch (error) {
    return { ...said, start, end, whole: null, thumbnail: null, reason: toVsslError(error).message };
  }
}
