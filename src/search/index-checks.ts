/** Checks of what VideoIndex is given, before any of it is written. */
import { checkText, requireOptions } from '../checks.js';
import { invalidArgument, VsslError } from '../errors.js';
import type { IndexHeader, IndexSettings } from './header.js';
import type { IndexEntry, IndexWindow, OpenIndexOptions, SearchOptions } from './index-options.js';
import type { Scene } from './scenes.js';
import type { NewVideo, RowFilter } from './store.js';
import { newRows, setRow, unitVector } from './vectors.js';

/** Throws ERR_VSSL_INDEX_MISMATCH when the index holds other vectors than those that are asked for. */
export function checkSame(
  db: string,
  header: IndexHeader,
  { encoder, settings, store }: OpenIndexOptions,
): void {
  const mismatch = (what: string) =>
    new VsslError('ERR_VSSL_INDEX_MISMATCH', `the index ${db} holds ${what}, or use another --db`, {
      details: { db, encoder: header.encoder, settings: header.settings },
    });
  if (encoder && (encoder.digest !== header.encoder || encoder.dim !== header.dim))
    throw mismatch(
      `vectors of another encoder (${header.encoder}, ${header.dim} numbers; this one is ${encoder.digest}, ${encoder.dim}): give that encoder`,
    );
  if (store && store !== header.store)
    throw mismatch(`its vectors in the store '${header.store}', not '${store}': leave the store out`);
  if (settings && header.settings && !sameSettings(settings, header.settings))
    throw mismatch(
      `windows that were cut in another way (${said(header.settings)}; now ${said(settings)}): cut them as they are`,
    );
}

function sameSettings(a: IndexSettings, b: IndexSettings): boolean {
  return said(a) === said(b);
}

function said({ windows: { every, span }, clips, crops }: IndexSettings): string {
  return `every ${every} s, ${span === undefined ? 'as long as a clip' : `${span} s long`}, ${clips} clips, ${crops} crops`;
}

/** A caller's video, as the writer takes it. Throws ERR_VSSL_INVALID_ARGUMENT. */
export function newVideo(entry: IndexEntry, header: IndexHeader): NewVideo {
  const known = ['path', 'part', 'label', 'group', 'extra', 'data', 'stamp', 'print', 'windows'];
  requireOptions(entry, known, 'entry');
  const { windows, ...about } = entry;
  checkText('entry.path', 'a path', about.path);
  if (!Array.isArray(windows) || windows.length === 0)
    throw invalidArgument('entry.windows', 'at least one window', windows);
  const rows = newRows(header.type, windows.length, header.dim);
  const times: number[] = [];
  for (const [i, { start, end, vector }] of windows.entries()) {
    setRow(rows, i, unitVector(`entry.windows[${i}].vector`, vector, header.dim));
    if (start === undefined && end === undefined && windows.length === 1) break;
    if (!Number.isFinite(start) || !Number.isFinite(end))
      throw invalidArgument(`entry.windows[${i}]`, 'start and end in seconds', `${start} to ${end}`);
    times.push(start as number, end as number);
  }
  return { record: { ...about, times }, rows };
}

/** A query as the search takes it: vectors of length 1. Throws ERR_VSSL_INVALID_ARGUMENT. */
export function checkQuery(
  query: Float32Array | readonly IndexWindow[],
  dim: number,
): Scene | { readonly vectors: Float32Array } {
  if (!Array.isArray(query)) return { vectors: unitVector('query', query as Float32Array, dim) };
  const windows = query as readonly IndexWindow[];
  if (windows.length === 0) throw invalidArgument('query', 'a vector, or windows with vectors', query);
  const vectors = new Float32Array(windows.length * dim);
  for (const [i, { vector }] of windows.entries())
    vectors.set(unitVector(`query[${i}].vector`, vector, dim), i * dim);
  if (windows.length === 1) return { vectors };
  const offsets = windows.map(({ start, end }, i) => {
    if (!(Number.isFinite(start) && Number.isFinite(end) && start! >= (windows[i - 1]?.start ?? start!)))
      throw invalidArgument(
        `query[${i}]`,
        'start and end in seconds, in the order of time',
        `${start} to ${end}`,
      );
    return start! - windows[0]!.start!;
  });
  return { offsets, vectors, length: windows.at(-1)!.end! - windows[0]!.start! };
}

/** Globs as lists. Throws ERR_VSSL_INVALID_ARGUMENT. */
export function checkFilter(filter: NonNullable<SearchOptions['filter']>): RowFilter {
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter))
    throw invalidArgument('filter', 'an object of columns and globs', filter);
  return Object.fromEntries(
    Object.entries(filter).map(([column, globs]) => [column, typeof globs === 'string' ? [globs] : globs]),
  );
}
