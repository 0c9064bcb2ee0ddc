/** The procedural motion set as real video files, for other programs and for what only files can show. */
import { mkdir, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { checkFits, checkSignal, checkText, requireOptions, throwIfAborted } from '../checks.js';
import { formatCsv } from '../data/format-csv.js';
import { loadManifest } from '../data/manifest.js';
import type { VideoRow } from '../data/rows.js';
import { VsslError } from '../errors.js';
import { openEngine } from '../native/load.js';
import { writeError, writeResultFile } from '../weights/atomic-write.js';

export interface WriteSyntheticOptions {
  /** `synthetic:motion?...`; several, such as both splits, go into one folder and one manifest. */
  readonly data: string | readonly string[];
  readonly out: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface WriteSyntheticResult {
  readonly manifest: string;
  readonly count: number;
}

/**
 * Writes DIR/LABEL/SPLIT_INDEX.mp4 (MPEG-4) and DIR/manifest.csv, whose columns are those of the source and `split`.
 * Throws ERR_VSSL_USAGE for data that is not synthetic, or two clips of one name; ERR_VSSL_NO_LIBAV and
 * ERR_VSSL_VIDEO_WRITE or ERR_VSSL_WRITE, which name the file, when the disk is full or refuses.
 */
export async function writeSyntheticVideos(options: WriteSyntheticOptions): Promise<WriteSyntheticResult> {
  requireOptions(options, ['data', 'out', 'signal', 'onProgress']);
  const { data, out, signal, onProgress } = options;
  checkText('out', 'a folder', out);
  checkSignal(signal);
  const manifests = await Promise.all([data].flat().map((spec) => loadManifest(spec)));
  const rows = manifests.flatMap((manifest) => manifest.rows);
  const names = rows.map(nameOf);
  const seen = new Set<string>();
  const twice = names.find((name) => seen.size === seen.add(name).size);
  if (twice !== undefined)
    throw new VsslError(
      'ERR_VSSL_USAGE',
      `two clips would be written to '${twice}'; the sets of one folder must differ in their split`,
    );
  for (const { facts } of rows)
    checkFits(
      'data',
      `a clip of ${facts!.times.length} pictures of ${facts!.width} x ${facts!.height}`,
      3 * facts!.times.length * facts!.width * facts!.height,
    );
  await mkdir(out, { recursive: true }).catch((error) => {
    throw writeError(out, error);
  });
  const engine = await openEngine();
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < rows.length) {
      throwIfAborted(signal);
      const at = next++;
      const { source, facts } = rows[at]!;
      const { height, width, times, end } = facts!;
      const path = join(out, names[at]!);
      const frames = await engine.renderSynthetic(source, Array.from(times), height, width);
      await writeWhole(path, (temporary) =>
        engine.writeVideo(temporary, frames, [times.length, height, width], { fps: times.length / end }),
      );
      onProgress?.(++done, rows.length);
    }
  };
  const workers = await Promise.allSettled(
    Array.from({ length: availableParallelism() }, () =>
      work().catch((error) => {
        next = rows.length; // the others begin no more
        throw error;
      }),
    ),
  );
  for (const worker of workers) if (worker.status === 'rejected') throw worker.reason;
  const manifest = join(out, 'manifest.csv');
  await writeResultFile(manifest, manifestText(rows, names));
  return { manifest, count: rows.length };
}

/** A video appears under its name when it is whole. Until then its name is hidden, so that no folder of videos has it. */
async function writeWhole(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = join(dirname(path), `.${process.pid}-${basename(path)}`);
  try {
    await mkdir(dirname(path), { recursive: true });
    await write(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    if ((error as { code?: string }).code !== 'ERR_VSSL_VIDEO_WRITE') throw writeError(path, error);
    const { message } = error as Error;
    throw new VsslError('ERR_VSSL_VIDEO_WRITE', `cannot write ${path}: ${message}`, {
      details: { path },
      cause: error,
    });
  }
}

/** `synthetic:motion/0/zoom-in/test_00012` as `zoom-in/test_00012.mp4`. */
function nameOf({ id, source }: VideoRow): string {
  if (source.kind !== 'synthetic')
    throw new VsslError('ERR_VSSL_USAGE', `'${id}' is a video already; expected synthetic:motion?...`);
  return `${id.split('/').slice(2).join('/')}.mp4`;
}

function manifestText(rows: readonly VideoRow[], names: readonly string[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row.extra)))];
  const lines = rows.map(({ label, group, extra }, i) => {
    const split = /([^/]+)_\d+\.mp4$/.exec(names[i]!)![1]!;
    return { ...extra, path: names[i], label, group, split };
  });
  return formatCsv(['path', 'label', 'group', 'split', ...columns], lines);
}
