import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FactsIndex } from '../data/facts-index.js';
import { fsPath } from '../data/file-names.js';
import type { ClipSource, VideoFacts } from '../data/plan.js';
import { DEFAULT_PICTURE_FPS, listPictures } from '../data/readers/pictures.js';
import { bareRow, type VideoRow } from '../data/rows.js';
import { findMember } from '../data/tar/find-member.js';
import { codedAsync, isEnvironmentCode, VsslError } from '../errors.js';
import type { EngineAddon, NativeMember, NativeVideoIndex } from '../native/bindings.js';
import { packageVersion } from '../native/load.js';

type PackedSource = Extract<ClipSource, { kind: 'packed' }>;

/** The part of the engine that looks into files. */
export type Indexer = Pick<EngineAddon, 'indexVideo'>;

/** A row for one video given by its path alone: a file, a folder of pictures, or a member of a tar file. */
export async function videoRow(path: string): Promise<VideoRow> {
  const whole = resolve(path);
  const found = await stat(fsPath(whole)).catch(() => null);
  let source: ClipSource = { kind: 'file', path: whole };
  if (!found) source = (await findMember(whole)) ?? source;
  else if (found.isDirectory()) {
    const files = await listPictures(whole);
    if (files.length === 0)
      throw new VsslError('ERR_VSSL_VIDEO_OPEN', `${path} is a folder without pictures, not a video`, {
        details: { path: whole },
      });
    source = { kind: 'images', files, fps: DEFAULT_PICTURE_FPS };
  }
  return bareRow(basename(whole), whole, source);
}

/** Facts of videos, kept in `cacheFile` between processes, or for as long as the object lives. */
export function openFacts(
  engine: Pick<EngineAddon, 'indexVideo' | 'info'>,
  cacheFile: string | null = null,
  onWarning?: (message: string) => void,
): Promise<FactsIndex> {
  return FactsIndex.open({
    ...{ cacheFile, onWarning },
    readFacts: (row) => readFacts(engine, row),
    generation: `${packageVersion} ${engine.info().libavVersion}`,
  });
}

/**
 * What a planner must know of a row's video. Files are indexed packet by packet (headers lie): from the container's list
 * of all packets where it has one, by reading every packet elsewhere, and everywhere when `whole`. Throws
 * ERR_VSSL_VIDEO_* for one that cannot be used.
 */
export async function readFacts(engine: Indexer, row: VideoRow, whole = false): Promise<VideoFacts> {
  if (row.facts) return row.facts;
  const { source, path } = row;
  const index = (video: string | NativeMember) =>
    codedAsync(() => withPatience(() => engine.indexVideo(video, whole)));
  switch (source.kind) {
    case 'file':
    case 'member': {
      const { codec, width, height, times, end, warnings } = await index(
        source.kind === 'file' ? source.path : source,
      );
      return { path, codec, width, height, times, end, warnings };
    }
    case 'images': {
      const { files, fps } = source;
      const { first, codec, width, height, warnings } = await firstSound(path, files, index);
      const { times, end } = evenTimes(files.length, fps);
      return { path, codec, width, height, warnings, times: times.subarray(first), end };
    }
    case 'packed': {
      const { width, height, fps } = source;
      const { frames, warnings } = await countPacked(source);
      return { path, codec: 'packed', width, height, warnings, ...evenTimes(frames, fps) };
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

/** Pictures that a packed file has, whatever the manifest says: a number that somebody wrote costs nothing. */
async function countPacked({ path, offset, frames, height, width }: PackedSource) {
  const file = await stat(fsPath(path)).catch(() => null);
  const held = file ? Math.floor((file.size - offset) / (3 * height * width)) : 0;
  if (held >= frames) return { frames, warnings: [] };
  if (held < 1)
    throw new VsslError(
      'ERR_VSSL_VIDEO_OPEN',
      `${path} ${file ? `is too small for a picture of ${width} x ${height}` : 'is not there'}; expected ${frames} of them, as 'vssl-native prepare' writes them`,
      { details: { path } },
    );
  const warning = `the manifest says ${frames} pictures, the file has ${held}; was it copied in part?`;
  return { frames: held, warnings: [warning] };
}

/** Pictures of a folder that are tried before it is given up. */
const MOST_TRIED = 64;

/** The first picture of a folder that can be used: what it shows begins there, as a video at its first sound picture. */
async function firstSound(
  path: string,
  files: readonly string[],
  index: (file: string) => Promise<NativeVideoIndex>,
) {
  let fault: VsslError | undefined;
  for (const [first, file] of files.slice(0, MOST_TRIED).entries()) {
    try {
      const { codec, width, height, warnings } = await index(file);
      const left = `the first ${first === 1 ? 'picture is' : `${first} pictures are`} left out: ${fault?.message}`;
      return { first, codec, width, height, warnings: first === 0 ? warnings : [left, ...warnings] };
    } catch (error) {
      if (!(error instanceof VsslError && error.code.startsWith('ERR_VSSL_VIDEO_'))) throw error;
      fault ??= new VsslError(error.code, `${basename(file)}: ${error.message}`, { cause: error });
    }
  }
  throw (
    fault ??
    new VsslError('ERR_VSSL_VIDEO_EMPTY', `${path} is a folder without pictures`, { details: { path } })
  );
}

/** Facts of `frames` pictures shown at a steady rate. */
export function evenTimes(frames: number, fps: number): { times: Float64Array; end: number } {
  return { times: Float64Array.from({ length: frames }, (_, i) => i / fps), end: frames / fps };
}
