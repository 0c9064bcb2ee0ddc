import { access, constants, stat } from 'node:fs/promises';
import { extname, join, relative, resolve, sep } from 'node:path';
import { checkRate } from '../../checks.js';
import { environmentError, messageOf, VsslError } from '../../errors.js';
import { fsPath } from '../file-names.js';
import { PREPARED_FILE } from '../packed.js';
import { bareRow, type VideoRow } from '../rows.js';
import { isRunFile, isRunFolder, isSystemFolder, LeftOut } from './left-out.js';
import { type Entry, isForbidden, listFolder } from './list-folder.js';
import { compareNames, DEFAULT_PICTURE_FPS, isPicture } from './pictures.js';
import type { DatasetReader, ReaderRequest, ReaderResult } from './reader.js';

/**
 * Suffixes that are surely no video (.ts is one: MPEG transport streams). Everything else is taken: FFmpeg knows
 * hundreds of formats, and what it cannot open is quarantined with a reason.
 */
const NOT_VIDEO = new Set(
  (
    'csv tsv json jsonl ndjson txt md rst html htm xml yaml yml toml ini cfg conf log tex pdf doc docx xls xlsx ppt pptx ' +
    'srt vtt ass ssa sub lrc nfo py ipynb pyc js mjs cjs sh bat m c h cpp r mat npy npz pkl pt pth ckpt onnx h5 hdf5 ' +
    'safetensors parquet arrow feather tfrecord lmdb mdb db sqlite zip tar gz tgz bz2 xz 7z rar zst svg ico psd ' +
    'rgb8 flow16 vectors rows part partial tmp bak lock md5 sha1 sha256 torrent url'
  )
    .split(' ')
    .map((suffix) => `.${suffix}`),
);

/**
 * A folder of videos. A file directly inside has no label; one further down is labelled with the name of the first
 * folder on the way to it. A folder of pictures and nothing else to use is one video. Links are followed, once.
 */
export const folderReader: DatasetReader = {
  name: 'folder',
  options: ['fps'],
  async read({ target, options, except = [] }: ReaderRequest): Promise<ReaderResult> {
    const root = resolve(target);
    const left = new LeftOut();
    const walk: Walk = {
      root,
      fps: parseFps(options.get('fps')),
      left,
      except: new Set((await Promise.all(except.map(identityOf))).filter((found) => found !== null)),
      visited: new Set(),
    };
    const rows = await walkFolder(walk, root).catch((cause) => {
      throw cause instanceof VsslError ? cause : unreadable(target, cause);
    });
    rows.sort((a, b) => compareNames(a.id, b.id));
    const warnings = left.lines(target);
    if (left.hasSuffix('.tar'))
      warnings.push(`if the .tar files in ${target} are shards of videos, give tar:${target}`);
    if (left.hasSuffix('.csv') || left.hasSuffix('.jsonl')) {
      warnings.push(
        `if a CSV or JSON-lines file in ${target} is a manifest, give its path to have its labels and groups`,
      );
    }
    return { rows, columns: [], warnings };
  },
};

interface Walk {
  readonly root: string;
  readonly fps: number;
  readonly left: LeftOut;
  /** Real folders that are no part of the data: the run folder that is being written to. */
  readonly except: ReadonlySet<string>;
  /** Real folders, so that a circle of links ends. */
  readonly visited: Set<string>;
}

/** Rows below `folder`. Throws the system's error when it cannot be listed. */
async function walkFolder(walk: Walk, folder: string): Promise<VideoRow[]> {
  const { root, left, visited } = walk;
  const identity = await identityOf(folder);
  if (identity !== null) {
    if (visited.has(identity)) return [];
    visited.add(identity);
  }
  const entries = await listFolder(folder);
  if (folder !== root) {
    const reason =
      (identity !== null && walk.except.has(identity)) || isRunFolder(entries)
        ? 'run'
        : entries.some(({ name }) => name === PREPARED_FILE)
          ? 'copy'
          : null;
    if (reason !== null) {
      left.add(reason, relative(root, folder));
      return [];
    }
  }
  const { videos, pictures, folders } = sortOut(walk, folder, entries);
  const rows = (await readable(walk, videos)).map((path) => makeRow(root, path, { kind: 'file', path }));
  for (const path of folders) {
    try {
      rows.push(...(await walkFolder(walk, path)));
    } catch (error) {
      if (!isForbidden((error as NodeJS.ErrnoException).code)) throw error;
      left.add('forbidden', relative(root, path));
    }
  }
  if (pictures.length === 0) return rows;
  const files = pictures.sort(compareNames).map((name) => join(folder, name));
  // Beside videos or folders with something in them they are thumbnails or posters, not frames.
  if (rows.length > 0 || videos.length > 0)
    for (const file of files) left.add('poster', relative(root, file));
  else rows.push(makeRow(root, folder, { kind: 'images', files, fps: walk.fps }));
  return rows;
}

/** What of a folder's entries may be used: paths of videos and folders, names of pictures. The others are counted. */
function sortOut({ root, left }: Walk, folder: string, entries: readonly Entry[]) {
  const videos: string[] = [];
  const pictures: string[] = [];
  const folders: string[] = [];
  for (const { name, kind } of entries) {
    const path = join(folder, name);
    const suffix = extname(name).toLowerCase();
    const isVideo = suffix !== '' && !NOT_VIDEO.has(suffix);
    if (name.startsWith('.')) {
      if (kind === 'folder' || (kind === 'file' && isVideo)) left.add('hidden', relative(root, path));
    } else if (kind === 'folder') {
      if (isSystemFolder(name)) left.add('system', relative(root, path));
      else folders.push(path);
    } else if (kind !== 'file') left.add(kind, relative(root, path));
    else if (isRunFile(name)) left.add('run file', relative(root, path));
    else if (isPicture(name)) pictures.push(name);
    else if (isVideo) videos.push(path);
    else left.addSuffix(suffix);
  }
  return { videos, pictures, folders };
}

/** Those that this user may read. */
async function readable({ root, left }: Walk, paths: readonly string[]): Promise<string[]> {
  const kept: string[] = [];
  for (let i = 0; i < paths.length; i += 64) {
    const some = paths.slice(i, i + 64);
    const codes = await Promise.all(
      some.map((path) =>
        access(fsPath(path), constants.R_OK).then(
          () => null,
          (error: NodeJS.ErrnoException) => error.code,
        ),
      ),
    );
    some.forEach((path, at) => {
      const code = codes[at] ?? undefined;
      if (isForbidden(code)) left.add('forbidden', relative(root, path));
      else kept.push(path);
    });
  }
  return kept;
}

/** The same for one real folder under all of its names; null when it is not there. */
async function identityOf(folder: string): Promise<string | null> {
  const found = await stat(fsPath(folder)).catch(() => null);
  return found && `${found.dev}:${found.ino}`;
}

function makeRow(root: string, path: string, source: VideoRow['source']): VideoRow {
  const id = relative(root, path).split(sep).join('/') || '.';
  const parts = id.split('/');
  return bareRow(id, path, source, parts.length > 1 ? parts[0] : undefined);
}

function parseFps(text: string | undefined): number {
  if (text === undefined) return DEFAULT_PICTURE_FPS;
  return checkRate('fps', Number(text));
}

/** The error for a path that is not there, or cannot be read. */
export function unreadable(path: string, cause: unknown): VsslError {
  const environment = environmentError(`cannot read the data ${path}`, cause);
  if (environment) return environment;
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  const reason =
    code === 'ENOENT'
      ? 'there is no such file or folder'
      : code === 'EACCES'
        ? 'permission denied'
        : messageOf(cause);
  return new VsslError('ERR_VSSL_DATA', `cannot read the data ${path}: ${reason}`, {
    details: { path },
    cause,
  });
}
