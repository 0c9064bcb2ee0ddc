import { dirname, resolve } from 'node:path';
import { VsslError } from '../../errors.js';
import type { VideoRow } from '../rows.js';
import type { DatasetReader, ReaderRequest, ReaderResult } from './reader.js';
import { RowMaker, type TableRecord, wrongLine } from './table.js';
import { readPieces } from './text.js';

const SEPARATORS = [',', ';', '\t'] as const;
type Separator = (typeof SEPARATORS)[number];

/**
 * A manifest as comma-separated values with a header (RFC 4180), or with semicolons or tabs, as spreadsheets write them
 * in other countries. The parser is our own: of the libraries, csv-parse works on UTF-8 and loses names that are not, and
 * Papa Parse counts records, not lines.
 */
export const csvReader: DatasetReader = {
  name: 'csv',
  options: [],
  async read({ target }: ReaderRequest): Promise<ReaderResult> {
    const maker = new RowMaker(target, dirname(resolve(target)));
    const rows: VideoRow[] = [];
    let columns: readonly string[] | null = null;
    let rest: Rest = { text: '', line: 1 };
    let separator: Separator = ',';
    for await (const { text, isLast } of readPieces(target)) {
      const piece = { text: rest.text + text, line: rest.line };
      if (columns === null) separator = chooseSeparator(piece.text, target);
      const parser = new Parser(piece, target, separator, isLast);
      const records = [...parser.records()];
      rest = parser.rest;
      const header = columns === null ? records.shift() : undefined;
      if (columns === null && (header || isLast)) columns = checkColumns(header?.fields ?? [], target);
      if (columns !== null) await maker.add(nameFields(records, columns, target, separator), rows);
    }
    return { rows, columns: columns ?? [], warnings: [] };
  },
};

function checkColumns(header: readonly string[], file: string): readonly string[] {
  const columns = header.map((name) => name.trim());
  if (!columns.includes('path'))
    throw new VsslError(
      'ERR_VSSL_DATA',
      `${file} has no column 'path'; its first line must name the columns, such as path,label,group`,
      { details: { file, columns } },
    );
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined)
    throw new VsslError('ERR_VSSL_DATA', `${file} has the column '${twice}' twice`, { details: { file } });
  return columns;
}

function nameFields(
  records: readonly CsvRecord[],
  columns: readonly string[],
  file: string,
  separator: Separator,
): TableRecord[] {
  return records.map(({ line, fields }) => {
    if (fields.length !== columns.length) {
      const name = separator === '\t' ? 'tab' : `'${separator}'`;
      throw wrongLine(
        file,
        line,
        `has ${fields.length} fields where the header has ${columns.length}; put quotes around a field with a ${name}`,
      );
    }
    const named: Record<string, string> = {};
    for (let i = 0; i < columns.length; i++) named[columns[i]!] = fields[i]!;
    return { line, fields: named };
  });
}

/** The separator with which the header has a column 'path', and most others. */
function chooseSeparator(text: string, file: string): Separator {
  let best: Separator = ',';
  let most = 0;
  for (const separator of SEPARATORS) {
    const fields = new Parser({ text, line: 1 }, file, separator, false).next()?.fields ?? [];
    if (fields.length <= most || !fields.includes('path')) continue;
    best = separator;
    most = fields.length;
  }
  return best;
}

export interface CsvRecord {
  /** Line of the file on which the record starts, from 1. */
  readonly line: number;
  /** Without blanks at their ends, unless those stand within quotation marks. */
  readonly fields: readonly string[];
}

/** Splits the text; records without content are left out. Throws ERR_VSSL_DATA for a broken quotation. */
export function parseCsv(text: string, file = 'CSV', separator: Separator = ','): CsvRecord[] {
  return [...new Parser({ text, line: 1 }, file, separator, true).records()];
}

/** Text that is not read yet, and the line that it begins on. */
interface Rest {
  readonly text: string;
  readonly line: number;
}

/** Within a quotation where the text ends. */
const UNFINISHED = Symbol('unfinished');

/** Of a text, or of a piece of one that ends with a line. */
class Parser {
  readonly #text: string;
  readonly #file: string;
  readonly #separator: Separator;
  readonly #isLast: boolean;
  #at = 0;
  #line: number;

  constructor({ text, line }: Rest, file: string, separator: Separator, isLast: boolean) {
    this.#text = text;
    this.#file = file;
    this.#separator = separator;
    this.#isLast = isLast;
    this.#line = line;
    if (line > 1) return;
    if (text.startsWith('\uFEFF')) this.#at = 1;
    // what Excel puts before the header
    const hint = /^sep=.\r?\n/.exec(text.slice(this.#at, this.#at + 8));
    if (hint) {
      this.#at += hint[0].length;
      this.#line = 2;
    }
  }

  *records(): Generator<CsvRecord, void, undefined> {
    for (let record = this.next(); record; record = this.next()) yield record;
  }

  /** What comes after the records that were taken. */
  get rest(): Rest {
    return { text: this.#text.slice(this.#at), line: this.#line };
  }

  /** The next record with content; null at the end, or where a record goes on behind the end of the piece. */
  next(): CsvRecord | null {
    while (this.#at < this.#text.length) {
      const [at, line] = [this.#at, this.#line];
      const fields = this.#record();
      if (fields === UNFINISHED) {
        [this.#at, this.#line] = [at, line];
        return null;
      }
      if (fields.some((field) => field !== '')) return { line, fields };
    }
    return null;
  }

  #record(): readonly string[] | typeof UNFINISHED {
    const fields: string[] = [];
    do {
      if (fields.length > 0) this.#at++; // the separator
      const field = this.#field();
      if (field === UNFINISHED) return UNFINISHED;
      fields.push(field);
    } while (this.#text[this.#at] === this.#separator);
    if (this.#text[this.#at] === '\r') this.#at++;
    if (this.#text[this.#at] === '\n') this.#at++;
    this.#line++;
    return fields;
  }

  #field(): string | typeof UNFINISHED {
    this.#skipBlanks();
    if (this.#text[this.#at] === '"') {
      const field = this.#quoted();
      if (field === UNFINISHED) return UNFINISHED;
      this.#skipBlanks();
      if (!this.#isAtEnd())
        throw this.#wrong('has text after a closing quotation mark; write " inside quotes as ""');
      return field;
    }
    const start = this.#at;
    while (!this.#isAtEnd()) this.#at++;
    const field = this.#text.slice(start, this.#at).trimEnd();
    if (field.includes('"'))
      throw this.#wrong(
        `has a quotation mark inside the field ${field}; put the whole field in quotes and write the mark as ""`,
      );
    return field;
  }

  /** What stands between quotation marks, the first of which is next. */
  #quoted(): string | typeof UNFINISHED {
    let field = '';
    this.#at++;
    for (;;) {
      const quote = this.#text.indexOf('"', this.#at);
      if (quote < 0 && !this.#isLast) return UNFINISHED;
      if (quote < 0) throw this.#wrong('opens a quotation mark that is never closed');
      field += this.#text.slice(this.#at, quote);
      this.#at = quote + 1;
      if (this.#text[this.#at] !== '"') break;
      field += '"';
      this.#at++;
    }
    this.#line += field.split('\n').length - 1;
    return field;
  }

  #skipBlanks(): void {
    for (;;) {
      const char = this.#text[this.#at];
      if (char !== ' ' && (char !== '\t' || this.#separator === '\t')) return;
      this.#at++;
    }
  }

  /** Whether a field ends here. */
  #isAtEnd(): boolean {
    const char = this.#text[this.#at];
    return char === undefined || char === this.#separator || char === '\r' || char === '\n';
  }

  #wrong(problem: string): VsslError {
    return wrongLine(this.#file, this.#line, problem);
  }
}
