import { readdir, stat } from 'node:fs/promises';
import { extname, join, relative, resolve, sep } from 'node:path';
import { invalidArgument, messageOf, VsslError } from '../../errors.js';
import type { VideoRow } from '../manifest.js';
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
    'rgb8 flow16 part tmp bak lock md5 sha1 sha256 torrent url'
  )
    .split(' ')
    .map((suffix) => `.${suffix}`),
);

/**
 * A folder of videos. A file directly inside has no label; one further down is labelled with the name of the first
 * folder on the way to it. A folder of pictures and nothing else is one video. Links are followed, once.
 */
export const folderReader: DatasetReader = {
  name: 'folder',
  options: ['fps'],
  async read({ target, options }: ReaderRequest): Promise<ReaderResult> {
    const root = resolve(target);
    const fps = parseFps(options.get('fps'));
    const rows: VideoRow[] = [];
    const ignored = new Map<string, number>();
    await walk(root, root, fps, rows, ignored, new Set());
    rows.sort((a, b) => compareNames(a.id, b.id));
    const warnings = [...ignored].map(
      ([suffix, n]) => `${n} ${n === 1 ? 'file' : 'files'} ${suffix} in ${target} left out: not a video`,
    );
    if (ignored.has('.csv') || ignored.has('.jsonl')) {
      warnings.push(
        `if a CSV or JSON-lines file in ${target} is a manifest, give its path to have its labels and groups`,
      );
    }
    return { rows, columns: [], warnings };
  },
};

/** Rows below `folder`, appended to `rows`. `visited` holds real folders, so that a circle of links ends. */
async function walk(
  root: string,
  folder: string,
  fps: number,
  rows: VideoRow[],
  ignored: Map<string, number>,
  visited: Set<string>,
): Promise<void> {
  const { dev, ino } = await stat(folder);
  const identity = `${dev}:${ino}`;
  if (visited.has(identity)) return;
  visited.add(identity);

  const videos: string[] = [];
  const pictures: string[] = [];
  const folders: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    const kind = entry.isSymbolicLink() ? await kindOfLink(join(folder, entry.name)) : entry;
    if (kind === null) continue;
    const suffix = extname(entry.name).toLowerCase();
    if (kind.isDirectory()) folders.push(entry.name);
    else if (!kind.isFile()) continue;
    else if (isPicture(entry.name)) pictures.push(entry.name);
    else if (suffix === '' || NOT_VIDEO.has(suffix))
      ignored.set(suffix || '(no suffix)', (ignored.get(suffix || '(no suffix)') ?? 0) + 1);
    else videos.push(entry.name);
  }
  for (const name of videos) {
    const path = join(folder, name);
    rows.push(makeRow(root, path, { kind: 'file', path }));
  }
  if (pictures.length > 0 && videos.length === 0 && folders.length === 0) {
    const files = pictures.sort(compareNames).map((name) => join(folder, name));
    rows.push(makeRow(root, folder, { kind: 'images', files, fps }));
  } else if (pictures.length > 0) {
    // Pictures beside videos or folders are thumbnails or posters, not frames.
    ignored.set('pictures', (ignored.get('pictures') ?? 0) + pictures.length);
  }
  for (const name of folders) await walk(root, join(folder, name), fps, rows, ignored, visited);
}

function makeRow(root: string, path: string, source: VideoRow['source']): VideoRow {
  const id = relative(root, path).split(sep).join('/') || '.';
  const parts = id.split('/');
  return {
    id,
    path,
    label: parts.length > 1 ? parts[0] : undefined,
    group: undefined,
    start: undefined,
    end: undefined,
    extra: {},
    source,
  };
}

async function kindOfLink(path: string): Promise<Awaited<ReturnType<typeof stat>> | null> {
  try {
    return await stat(path);
  } catch {
    return null;
  }
}

function parseFps(text: string | undefined): number {
  if (text === undefined) return DEFAULT_PICTURE_FPS;
  const fps = Number(text);
  if (!(fps > 0 && fps <= 1000)) throw invalidArgument('fps', 'pictures per second, above 0', text);
  return fps;
}

/** The error for a path that is not there, or cannot be read. */
export function unreadable(path: string, cause: unknown): VsslError {
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
