import { VsslError } from '../errors.js';
import { didYouMean } from '../spelling.js';
import { matchesGlob } from './glob.js';
import type { VideoRow } from './rows.js';

/** `key=glob,glob&key=glob`: a row stays when for every key one of its globs matches. */
export type ManifestQuery = ReadonlyMap<string, string>;

const ROW_COLUMNS = ['path', 'label', 'group', 'start', 'end'];

/** Parses what follows the `?`. Percent signs may hide `&`, `,`, `=` and `%` in values. Throws ERR_VSSL_USAGE. */
export function parseQuery(query: string, spec: string): ManifestQuery {
  const entries = new Map<string, string>();
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    if (equals < 1) {
      throw new VsslError(
        'ERR_VSSL_USAGE',
        `expected column=value in the query of '${spec}' but got '${part}'; such as ?group=set1_*,c0?&label=walk`,
        { details: { spec } },
      );
    }
    const key = decodeValue(part.slice(0, equals));
    if (entries.has(key)) {
      throw new VsslError(
        'ERR_VSSL_USAGE',
        `'${key}' stands twice in the query of '${spec}'; write ${key}=a,b for a or b`,
        {
          details: { spec, key },
        },
      );
    }
    entries.set(key, part.slice(equals + 1));
  }
  return entries;
}

/** What a query may name beside the columns that every row has. */
export interface QueryNames {
  readonly columns: readonly string[];
  /** Settings of the reader. They filter nothing: a misspelt one may be meant. */
  readonly options: readonly string[];
}

/** The rows that the query leaves. Throws ERR_VSSL_USAGE for an unknown column, ERR_VSSL_DATA when none is left. */
export function filterRows(
  rows: readonly VideoRow[],
  query: ManifestQuery,
  { columns, options }: QueryNames,
  spec: string,
): readonly VideoRow[] {
  let left = rows;
  for (const [key, globs] of query) {
    const known = [...new Set([...ROW_COLUMNS, ...columns])];
    if (!known.includes(key)) {
      throw new VsslError(
        'ERR_VSSL_USAGE',
        `there is no column '${key}' in '${spec}'; there are ${known.join(', ')}` +
          (options.length === 0 ? '' : `, and the options ${options.join(', ')}`) +
          didYouMean(key, [...known, ...options]),
        { details: { spec, key } },
      );
    }
    const patterns = globs.split(',').map(decodeValue);
    const before = left;
    left = before.filter((row) => {
      const value = cell(row, key);
      return value !== undefined && patterns.some((glob) => matchesGlob(value, glob));
    });
    if (left.length === 0 && before.length > 0) {
      const values = [...new Set(before.map((row) => cell(row, key)))].filter((v) => v !== undefined);
      const shown =
        values.slice(0, 8).join(', ') + (values.length > 8 ? `, ... (${values.length} in all)` : '');
      throw new VsslError(
        'ERR_VSSL_DATA',
        `no row of '${spec}' has ${key}=${globs}; ${values.length === 0 ? `no row has a ${key}` : `values there: ${shown}`}`,
        { details: { spec, key } },
      );
    }
  }
  return left;
}

/** Text of a row's column; a path is the one written in the manifest. */
function cell(row: VideoRow, column: string): string | undefined {
  switch (column) {
    case 'path':
      return row.id.replace(/#[\d.]*-[\d.]*$/, '');
    case 'label':
      return row.label;
    case 'group':
      return row.group;
    default: {
      const value = column === 'start' ? row.start : column === 'end' ? row.end : row.extra[column];
      return value === undefined || value === null ? undefined : String(value);
    }
  }
}

/** A value with what percent signs hide put back. */
export function decodeValue(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
