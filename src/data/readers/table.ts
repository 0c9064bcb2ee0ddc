import { stat } from 'node:fs/promises';
import { isAbsolute, resolve, sep } from 'node:path';
import { LIMITS } from '../../checks.js';
import { VsslError } from '../../errors.js';
import { fsPath } from '../file-names.js';
import { PACKED_SUFFIX, packedSource, parsePackedShape } from '../packed.js';
import type { ClipSource } from '../plan.js';
import type { VideoRow } from '../rows.js';
import { unreadable } from './folder.js';
import { folderLookup } from './folders.js';
import { isForbidden } from './list-folder.js';
import { DEFAULT_PICTURE_FPS, listPictures } from './pictures.js';

/** One line of a manifest, whatever its format. */
export interface TableRecord {
  /** For messages: "line 7". */
  readonly where: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const KNOWN = new Set(['path', 'label', 'group', 'start', 'end']);

/** Rows of a manifest whose paths are relative to `folder`. Throws ERR_VSSL_DATA naming file and line. */
export async function makeRows(
  records: readonly TableRecord[],
  file: string,
  folder: string,
): Promise<VideoRow[]> {
  const rows: VideoRow[] = [];
  const isFolder = folderLookup();
  for (const record of records) rows.push(await makeRow(record, file, folder, isFolder));
  return rows;
}

async function makeRow(
  { where, fields }: TableRecord,
  file: string,
  folder: string,
  isFolder: (path: string) => Promise<boolean>,
): Promise<VideoRow> {
  const written = text(fields.path);
  if (written === undefined) throw wrongLine(file, where, "has no 'path'");
  const given = await localPath(written, folder);
  const start = seconds(fields, 'start', file, where);
  const end = seconds(fields, 'end', file, where);
  if (end !== undefined && end <= (start ?? 0)) {
    throw wrongLine(file, where, `ends at ${end} s, which is not after its start at ${start ?? 0} s`);
  }
  const path = isAbsolute(given) ? given : resolve(folder, given);
  const extra = Object.fromEntries(Object.entries(fields).filter(([key]) => !KNOWN.has(key)));
  const window = start === undefined && end === undefined ? '' : `#${start ?? ''}-${end ?? ''}`;
  return {
    id: `${sep === '\\' ? given.replaceAll('\\', '/') : given}${window}`,
    path,
    label: text(fields.label),
    group: text(fields.group),
    start,
    end,
    extra,
    source: (await isFolder(path))
      ? await picturesOf(path, fields, file, where)
      : await sourceOf(path, given, fields, folder, file, where),
  };
}

/**
 * A path of a list that was written on Windows, with `/`. Elsewhere `\` may be a part of a name: what is there as it is
 * written is taken so.
 */
async function localPath(given: string, folder: string): Promise<string> {
  if (sep === '\\' || !given.includes('\\')) return given;
  const isThere = await stat(fsPath(resolve(folder, given))).catch(() => null);
  return isThere ? given : given.replaceAll('\\', '/');
}

/** A folder of pictures, whatever its name looks like. */
async function picturesOf(
  path: string,
  { fps }: TableRecord['fields'],
  file: string,
  where: string,
): Promise<ClipSource> {
  const rate = text(fps) === undefined ? DEFAULT_PICTURE_FPS : Number(fps);
  const [least, most] = LIMITS.fps;
  if (!(rate >= least && rate <= most))
    throw wrongLine(
      file,
      where,
      `has fps '${String(fps)}'; expected pictures a second, from ${least} to ${most}`,
    );
  const files = await listPictures(path).catch((cause) => {
    if (isForbidden((cause as NodeJS.ErrnoException).code)) return null;
    throw unreadable(path, cause);
  });
  // one that may not be read costs its own row: the decoder says what is wrong with it
  return files === null ? { kind: 'file', path } : { kind: 'images', files, fps: rate };
}

/** A packed file says in its row what it holds; everything else is left for the decoder to judge. */
async function sourceOf(
  path: string,
  given: string,
  fields: TableRecord['fields'],
  folder: string,
  file: string,
  where: string,
): Promise<ClipSource> {
  if (given.endsWith(PACKED_SUFFIX)) {
    const shape = parsePackedShape(fields);
    if (typeof shape === 'string') throw wrongLine(file, where, `cannot be read: ${shape}`);
    const flow = text(fields.flow);
    return packedSource(
      path,
      shape,
      flow === undefined ? undefined : resolve(folder, await localPath(flow, folder)),
    );
  }
  return { kind: 'file', path };
}

function seconds(
  fields: Readonly<Record<string, unknown>>,
  key: 'start' | 'end',
  file: string,
  where: string,
): number | undefined {
  const given = text(fields[key]);
  if (given === undefined) return undefined;
  const value = Number(given);
  if (!Number.isFinite(value) || value < 0) {
    throw wrongLine(
      file,
      where,
      `has ${key} '${given}'; expected seconds in the file's own clock, such as 12.5`,
    );
  }
  return value;
}

/** Numbers and booleans as text; nothing and '' as undefined. */
function text(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  return typeof value === 'string' ? value : String(value);
}

/** ERR_VSSL_DATA for one line of a manifest. */
export function wrongLine(file: string, where: string, problem: string): VsslError {
  return new VsslError('ERR_VSSL_DATA', `${file}, ${where}: the row ${problem}`, {
    details: { file, where },
  });
}
