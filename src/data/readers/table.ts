import { stat } from 'node:fs/promises';
import { isAbsolute, resolve, sep } from 'node:path';
import { LIMITS } from '../../checks.js';
import { VsslError } from '../../errors.js';
import { fsPath } from '../file-names.js';
import { PACKED_SUFFIX, packedSource, parsePackedShape } from '../packed.js';
import type { ClipSource } from '../plan.js';
import { nameOfPart, type VideoRow } from '../rows.js';
import { unreadable } from './folder.js';
import { folderLookup } from './folders.js';
import { isForbidden } from './list-folder.js';
import { ListRow } from './list-row.js';
import { DEFAULT_PICTURE_FPS, listPictures } from './pictures.js';

/** One line of a manifest, whatever its format. */
export interface TableRecord {
  /** From 1. */
  readonly line: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Columns that are known here; the others are a row's own. */
export const KNOWN_COLUMNS: ReadonlySet<string> = new Set(['path', 'label', 'group', 'start', 'end']);
const NO_EXTRA: VideoRow['extra'] = Object.freeze({});
/** Different texts of which one copy is held, at most. */
const MOST_SHARED = 65_536;

/** Makes rows of a manifest's lines, whose paths are relative to `folder`. */
export class RowMaker {
  readonly #file: string;
  readonly #folder: string;
  readonly #isFolder = folderLookup();
  readonly #shared = new Map<string, string>();

  constructor(file: string, folder: string) {
    this.#file = file;
    this.#folder = folder;
  }

  /** Adds the rows of `records` to `rows`. Throws ERR_VSSL_DATA naming file and line. */
  async add(records: readonly TableRecord[], rows: VideoRow[]): Promise<void> {
    // a promise for each of ten million rows would take longer than the rest: most know all that they need
    for (const record of records) {
      const { line, fields } = record;
      const written = cellText(fields.path);
      if (written === undefined) throw wrongLine(this.#file, line, "has no 'path'");
      const given = hasBackslash(written) ? await localPath(written, this.#folder) : written;
      const path = isAbsolute(given) ? given : resolve(this.#folder, given);
      const known = this.#isFolder(path);
      let source: ClipSource | null = null;
      if (known === true || (known !== false && (await known))) source = await this.#pictures(path, record);
      else if (given.endsWith(PACKED_SUFFIX)) source = await this.#packed(path, record);
      rows.push(this.#makeRow(record, given, source));
    }
  }

  #makeRow({ line, fields }: TableRecord, given: string, source: ClipSource | null): ListRow {
    const start = this.#seconds(fields, 'start', line);
    const end = this.#seconds(fields, 'end', line);
    if (isReversed(start, end))
      throw wrongLine(this.#file, line, `ends at ${end} s, which is not after its start at ${start ?? 0} s`);
    const name = sep === '\\' ? given.replaceAll('\\', '/') : given;
    const id = nameOfPart(name, { start, end });
    const label = this.#share(cellText(fields.label));
    const group = this.#share(cellText(fields.group));
    const extra = this.#further(fields);
    return new ListRow({ id, label, group, start, end, extra }, this.#folder, given, source);
  }

  #further(fields: TableRecord['fields']): VideoRow['extra'] {
    let extra: Record<string, unknown> | null = null;
    for (const key in fields) {
      if (KNOWN_COLUMNS.has(key)) continue;
      extra ??= {};
      extra[key] = this.#share(fields[key]);
    }
    return extra ?? NO_EXTRA;
  }

  /** One copy of equal texts. */
  #share<T>(value: T): T {
    if (typeof value !== 'string') return value;
    const known = this.#shared.get(value);
    if (known !== undefined) return known as T;
    if (this.#shared.size < MOST_SHARED) this.#shared.set(value, value);
    return value;
  }

  #seconds(fields: TableRecord['fields'], key: 'start' | 'end', line: number): number | undefined {
    const seconds = cellSeconds(fields[key]);
    if (Number.isNaN(seconds))
      throw wrongLine(
        this.#file,
        line,
        `has ${key} '${cellText(fields[key])}'; expected seconds in the file's own clock, such as 12.5`,
      );
    return seconds;
  }

  /** A folder of pictures, whatever its name looks like. */
  async #pictures(path: string, { line, fields: { fps } }: TableRecord): Promise<ClipSource | null> {
    const rate = cellText(fps) === undefined ? DEFAULT_PICTURE_FPS : Number(fps);
    const [least, most] = LIMITS.fps;
    if (!(rate >= least && rate <= most))
      throw wrongLine(
        this.#file,
        line,
        `has fps '${String(fps)}'; expected pictures a second, from ${least} to ${most}`,
      );
    const files = await listPictures(path).catch((cause) => {
      if (isForbidden((cause as NodeJS.ErrnoException).code)) return null;
      throw unreadable(path, cause);
    });
    // one that may not be read costs its own row: the decoder says what is wrong with it
    return files && { kind: 'images', files, fps: rate };
  }

  /** A packed file says in its row what it holds. */
  async #packed(path: string, { line, fields }: TableRecord): Promise<ClipSource> {
    const shape = parsePackedShape(fields);
    if (typeof shape === 'string') throw wrongLine(this.#file, line, `cannot be read: ${shape}`);
    const flow = cellText(fields.flow);
    const whole = flow === undefined ? undefined : resolve(this.#folder, await localPath(flow, this.#folder));
    return packedSource(path, shape, whole);
  }
}

function hasBackslash(written: string): boolean {
  return sep !== '\\' && written.includes('\\');
}

/**
 * A path of a list that was written on Windows, with `/`. Elsewhere `\` may be a part of a name: what is there as it is
 * written is taken so.
 */
async function localPath(given: string, folder: string): Promise<string> {
  if (!hasBackslash(given)) return given;
  const isThere = await stat(fsPath(resolve(folder, given))).catch(() => null);
  return isThere ? given : given.replaceAll('\\', '/');
}

/** Numbers and booleans as text; nothing and '' as undefined. */
export function cellText(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  return typeof value === 'string' ? value : String(value);
}

/** Seconds in a file's own clock; undefined for nothing, NaN for what cannot be that. */
export function cellSeconds(value: unknown): number | undefined {
  const text = cellText(value);
  if (text === undefined) return undefined;
  const seconds = Number(text);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : Number.NaN;
}

/** Whether a part of a file ends no later than it begins: no picture is in it. */
export function isReversed(start: number | undefined, end: number | undefined): boolean {
  return end !== undefined && end <= (start ?? 0);
}

/** ERR_VSSL_DATA for one line of a manifest. */
export function wrongLine(file: string, line: number, problem: string): VsslError {
  const where = `line ${line}`;
  return new VsslError('ERR_VSSL_DATA', `${file}, ${where}: the row ${problem}`, {
    details: { file, where },
  });
}
