import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { VsslError } from '../../errors.js';
import { unreadable } from './folder.js';
import type { DatasetReader, ReaderRequest, ReaderResult } from './reader.js';
import { makeRows, wrongLine } from './table.js';

/** A manifest as comma-separated values with a header (RFC 4180). */
export const csvReader: DatasetReader = {
  name: 'csv',
  options: [],
  async read({ target }: ReaderRequest): Promise<ReaderResult> {
    const text = await readFile(target, 'utf8').catch((cause) => {
      throw unreadable(target, cause);
    });
    const [header, ...records] = parseCsv(text, target);
    const columns = (header?.fields ?? []).map((name) => name.trim());
    if (!columns.includes('path')) {
      throw new VsslError(
        'ERR_VSSL_DATA',
        `${target} has no column 'path'; its first line must name the columns, such as path,label,group`,
        { details: { file: target, columns } },
      );
    }
    const twice = columns.find((name, i) => columns.indexOf(name) !== i);
    if (twice !== undefined) {
      throw new VsslError('ERR_VSSL_DATA', `${target} has the column '${twice}' twice`, {
        details: { file: target },
      });
    }
    const lines = records.map(({ line, fields }) => {
      const where = `line ${line}`;
      if (fields.length !== columns.length) {
        throw wrongLine(
          target,
          where,
          `has ${fields.length} fields where the header has ${columns.length}; put quotes around a field with a comma`,
        );
      }
      return { where, fields: Object.fromEntries(columns.map((name, i) => [name, fields[i]])) };
    });
    const rows = await makeRows(lines, target, dirname(resolve(target)));
    return { rows, columns, warnings: [] };
  },
};

export interface CsvRecord {
  /** Line of the file on which the record starts, from 1. */
  readonly line: number;
  readonly fields: readonly string[];
}

/** Splits comma-separated values; empty lines are left out. Throws ERR_VSSL_DATA for a broken quotation. */
export function parseCsv(text: string, file = 'CSV'): CsvRecord[] {
  const records: CsvRecord[] = [];
  let i = text.startsWith('\uFEFF') ? 1 : 0;
  let line = 1;
  while (i < text.length) {
    const first = line;
    const fields: string[] = [];
    for (;;) {
      let field = '';
      if (text[i] === '"') {
        i++;
        for (;;) {
          const quote = text.indexOf('"', i);
          if (quote < 0)
            throw wrongLine(file, `line ${first}`, 'opens a quotation mark that is never closed');
          field += text.slice(i, quote);
          i = quote + 1;
          if (text[i] !== '"') break;
          field += '"';
          i++;
        }
        line += field.split('\n').length - 1;
        if (i < text.length && text[i] !== ',' && text[i] !== '\r' && text[i] !== '\n') {
          throw wrongLine(
            file,
            `line ${line}`,
            'has text after a closing quotation mark; write " inside quotes as ""',
          );
        }
      } else {
        const start = i;
        while (i < text.length && text[i] !== ',' && text[i] !== '\r' && text[i] !== '\n') i++;
        field = text.slice(start, i);
      }
      fields.push(field);
      if (text[i] !== ',') break;
      i++;
    }
    if (text[i] === '\r') i++;
    if (text[i] === '\n') i++;
    line++;
    if (fields.length > 1 || fields[0] !== '') records.push({ line: first, fields });
  }
  return records;
}
