import { stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { VsslError } from '../errors.js';
import { fsPath } from './file-names.js';
import { IdTable } from './id-table.js';
import { filterRows, parseQuery } from './manifest-query.js';
import { PREPARED_FILE, PREPARED_MANIFEST } from './packed.js';
import { csvReader } from './readers/csv.js';
import { folderReader, unreadable } from './readers/folder.js';
import { hmdb51Reader } from './readers/hmdb51.js';
import { jsonlReader } from './readers/jsonl.js';
import { kineticsReader } from './readers/kinetics.js';
import { pipeReader } from './readers/pipe.js';
import type { DatasetReader, ReaderRequest } from './readers/reader.js';
import { ssv2Reader } from './readers/ssv2.js';
import { syntheticReader } from './readers/synthetic.js';
import { tarReader } from './readers/tar.js';
import { ucf101Reader } from './readers/ucf101.js';
import { bareRow, type Manifest, type VideoRow } from './rows.js';

/** Data sources that are named with a scheme, `name:target?query`. */
const SOURCES: readonly DatasetReader[] = [
  syntheticReader,
  ucf101Reader,
  hmdb51Reader,
  kineticsReader,
  ssv2Reader,
  tarReader,
  pipeReader,
];

/**
 * The videos that `spec` names: a folder (class folders or flat), a CSV or JSON-lines manifest, a tar shard, one video
 * file, or a named source. Folders among `except` are no part of it. `PATH?group=set1_*,c0?&label=walk` keeps the rows in
 * which every named column matches one of its globs.
 *
 * Throws ERR_VSSL_DATA (nothing there, nothing left, a broken manifest), ERR_VSSL_USAGE (a broken query), and the signal's
 * reason: a pipe is read to its end.
 */
export async function loadManifest(
  spec: string,
  { except = [], signal }: Pick<ReaderRequest, 'except' | 'signal'> = {},
): Promise<Manifest> {
  const { reader, target, query } = await chooseReader(spec);
  const entries = parseQuery(query, spec);
  const options = new Map([...entries].filter(([key]) => reader.options.includes(key)));
  const filters = new Map([...entries].filter(([key]) => !reader.options.includes(key)));
  const result = await reader.read({ target, options, except, signal });
  const { rows, dropped } = dropRepeated(result.rows);
  if (rows.length === 0) {
    throw new VsslError('ERR_VSSL_DATA', `there is no video in '${target}'${advice(reader)}`, {
      details: { spec },
    });
  }
  const warnings = [...result.warnings];
  if (dropped > 0)
    warnings.push(`${dropped} rows of ${target} name a video that stands there already; left out`);
  const names = { columns: result.columns, options: reader.options };
  return { spec, rows: filterRows(rows, filters, names, spec), warnings };
}

/** The set that a named source keeps for testing what was trained on `spec`; null when it keeps none. */
export function heldOutSpec(spec: string): string | null {
  const named = namedSource(spec);
  const other = named?.reader.heldOut?.(named.query) ?? null;
  return other === null ? null : `${named!.reader.name}:${named!.target}?${other}`;
}

/** Where a named source reads files from: what stands between its name and its query; null for others. */
export function pathOfSource(spec: string): string | null {
  const named = namedSource(spec);
  return named?.reader.readsPath ? named.target : null;
}

/** Whether commands print the data, or stdin has it. */
export function isPipe(spec: string): boolean {
  return namedSource(spec)?.reader === pipeReader;
}

/** `name` of `name:...`, whether or not there is a source of that name. A letter alone is a drive of Windows. */
export function schemeOf(spec: string): string | undefined {
  return /^([a-z][a-z0-9]+):/.exec(spec)?.[1];
}

export function isNamedSource(spec: string): boolean {
  return namedSource(spec) !== null;
}

interface ChosenReader {
  readonly reader: DatasetReader;
  readonly target: string;
  readonly query: string;
}

/** `name:target?query`, or of a pipe `pipe?query:command`, or `-`. */
function namedSource(spec: string): ChosenReader | null {
  if (spec === '-') return { reader: pipeReader, target: spec, query: '' };
  const [, query, command] = /^pipe(?:\?([^:]*))?:(.*)$/s.exec(spec) ?? [];
  if (command !== undefined) return { reader: pipeReader, target: command, query: query ?? '' };
  const name = schemeOf(spec);
  const reader = SOURCES.find((source) => source.name === name);
  return reader ? { reader, ...splitQuery(spec.slice(reader.name.length + 1)) } : null;
}

async function chooseReader(spec: string): Promise<ChosenReader> {
  const named = namedSource(spec);
  if (named) return named;

  // A file may have a question mark in its name: what exists as it is written is taken as it is written.
  const whole = await stat(fsPath(spec)).catch(() => null);
  const { target, query } = whole ? { target: spec, query: '' } : splitQuery(spec);
  const found =
    whole ??
    (await stat(fsPath(target)).catch((cause) => {
      const scheme = schemeOf(spec);
      if (scheme === undefined) throw unreadable(target, cause);
      const names = SOURCES.map((reader) => reader.name).join(', ');
      throw new VsslError(
        'ERR_VSSL_DATA',
        `there is no data source '${scheme}' and no file '${target}'; sources: ${names}`,
        { details: { spec } },
      );
    }));
  if (found.isDirectory())
    return (await preparedCopy(target, query)) ?? { reader: folderReader, target, query };
  switch (extname(target).toLowerCase()) {
    case '.csv':
    case '.tsv':
      return { reader: csvReader, target, query };
    case '.jsonl':
    case '.ndjson':
      return { reader: jsonlReader, target, query };
    case '.tar':
    case '.tgz':
    case '.gz':
      return { reader: tarReader, target, query };
    case '.json':
    case '.txt':
      throw new VsslError(
        'ERR_VSSL_DATA',
        `'${target}' is no manifest that can be read; expected a folder, CSV with a header (.csv, .tsv) or JSON lines (.jsonl)`,
        { details: { spec } },
      );
    default:
      return { reader: singleFile, target, query };
  }
}

/** The manifest of a folder that `prepare` made. */
async function preparedCopy(folder: string, query: string) {
  const isThere = (name: string) =>
    stat(fsPath(join(folder, name))).then(
      () => true,
      () => false,
    );
  if (!(await isThere(PREPARED_FILE))) return null;
  const target = join(folder, PREPARED_MANIFEST);
  if (await isThere(PREPARED_MANIFEST)) return { reader: csvReader, target, query };
  throw new VsslError(
    'ERR_VSSL_DATA',
    `the copy in ${folder} is not finished; the command 'vssl-native prepare' that began it goes on where it stopped`,
    { details: { folder } },
  );
}

/** One video, given by its own path. */
const singleFile: DatasetReader = {
  name: 'file',
  options: [],
  async read({ target }) {
    const path = resolve(target);
    const row = bareRow(basename(path), path, { kind: 'file', path });
    return { rows: [row], columns: [], warnings: [] };
  },
};

function splitQuery(text: string): { target: string; query: string } {
  const mark = text.indexOf('?');
  return mark < 0
    ? { target: text, query: '' }
    : { target: text.slice(0, mark), query: text.slice(mark + 1) };
}

function dropRepeated(all: readonly VideoRow[]): { rows: readonly VideoRow[]; dropped: number } {
  const seen = new IdTable(all.length, (place) => all[place]!.id);
  const repeated = new Set<number>();
  for (let place = 0; place < all.length; place++) if (!seen.add(place)) repeated.add(place);
  const rows = repeated.size === 0 ? all : all.filter((_, place) => !repeated.has(place));
  return { rows, dropped: repeated.size };
}

function advice(reader: DatasetReader): string {
  if (reader === folderReader)
    return '; expected video files, class folders of video files, or folders of pictures; tar shards are given as tar:FOLDER';
  if (reader === csvReader) return '; expected a line a video below the header';
  if (reader === tarReader || reader === pipeReader)
    return '; expected KEY.mp4 beside KEY.json or KEY.cls; ?video=SUFFIX names another suffix of videos';
  return '';
}
