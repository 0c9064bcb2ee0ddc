import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fsPath } from '../data/file-names.js';
import type { VideoRow } from '../data/manifest.js';
import type { ClipSource, VideoFacts } from '../data/plan.js';
import { DEFAULT_PICTURE_FPS, listPictures } from '../data/readers/pictures.js';
import { isEnvironmentCode, toVsslError, VsslError } from '../errors.js';
import type { EngineAddon } from '../native/bindings.js';

/** The part of the engine that looks into files. */
export type Indexer = Pick<EngineAddon, 'indexVideo'>;

/** A row for one video given by its path alone: a file, or a folder of pictures. */
export async function videoRow(path: string): Promise<VideoRow> {
  const whole = resolve(path);
  const folder = await stat(fsPath(whole)).then(
    (found) => found.isDirectory(),
    () => false,
  );
  let source: ClipSource = { kind: 'file', path: whole };
  if (folder) {
    const files = await listPictures(whole);
    if (files.length === 0)
      throw new VsslError('ERR_VSSL_VIDEO_OPEN', `${path} is a folder without pictures, not a video`, {
        details: { path: whole },
      });
    source = { kind: 'images', files, fps: DEFAULT_PICTURE_FPS };
  }
  return {
    id: basename(whole),
    path: whole,
    label: undefined,
    group: undefined,
    start: undefined,
    end: undefined,
    extra: {},
    source,
  };
}

/**
 * What a planner must know of a row's video. Files are indexed by reading every packet once (headers lie). Throws
 * ERR_VSSL_VIDEO_* for one that cannot be used.
 */
export async function readFacts(engine: Indexer, row: VideoRow): Promise<VideoFacts> {
  if (row.facts) return row.facts;
  const { source, path } = row;
  const caller = new Error();
  const index = (file: string) =>
    withPatience(() => engine.indexVideo(file)).catch((error: unknown) => {
      throw toVsslError(error, caller);
    });
  switch (source.kind) {
    case 'file': {
      const { codec, width, height, times, end, warnings } = await index(source.path);
      return { path, codec, width, height, times, end, warnings };
    }
    case 'images': {
      const { codec, width, height } = await index(source.files[0]!);
      return { path, codec, width, height, warnings: [], ...evenTimes(source.files.length, source.fps) };
    }
    case 'packed': {
      const { width, height, frames, fps } = source;
      return { path, codec: 'packed', width, height, warnings: [], ...evenTimes(frames, fps) };
    }
    default:
      throw new VsslError(
        'ERR_VSSL_VIDEO_OPEN',
        `${path}: a source of kind '${source.kind}' has no file to look into`,
      );
  }
}

/** Calls again, for a second, when too many files are open: others may be closed meanwhile. */
async function withPatience<T>(open: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await open();
    } catch (error) {
      if (attempt === 5 || !isEnvironmentCode(String((error as { code?: unknown }).code))) throw error;
      await delay(100 * attempt);
    }
  }
}

/** Facts of `frames` pictures shown at a steady rate. */
export function evenTimes(frames: number, fps: number): { times: Float64Array; end: number } {
  return { times: Float64Array.from({ length: frames }, (_, i) => i / fps), end: frames / fps };
}
