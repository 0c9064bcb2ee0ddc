import { dirname, resolve } from 'node:path';
import { VsslError } from '../../errors.js';
import type { DatasetReader, ReaderRequest, ReaderResult } from './reader.js';
import { makeRows, wrongLine } from './table.js';
import { readText } from './text.js';

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
    const text = await readText(target);
    const separator = chooseSeparator(text, target);
    const [header, ...records] = parseCsv(text, target, separator);
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
        const name = separator === '\t' ? 'tab' : `'${separator}'`;
        throw wrongLine(
          target,
          where,
          `has ${fields.length} fields where the header has ${columns.length}; put quotes around a field with a ${name}`,
        );
      }
      return { where, fields: Object.fromEntries(columns.map((name, i) => [name, fields[i]])) };
    });
    const rows = await makeRows(lines, target, dirname(resolve(target)));
    return { rows, columns, warnings: [] };
  },
};

/** The separator with which the header has a column 'path', and most others. */
function chooseSeparator(text: string, file: string): Separator {
  let best: Separator = ',';
  let most = 0;
  for (const separator of SEPARATORS) {
    const fields = new Parser(text, file, separator).next()?.fields ?? [];
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
  const parser = new Parser(text, file, separator);
  const records: CsvRecord[] = [];
  for (let record = parser.next(); record; record = parser.next()) records.push(record);
  return records;
}

class Parser {
  readonly #text: string;
  readonly #file: string;
  readonly #separator: Separator;
  #at = 0;
  #line = 1;

  constructor(text: string, file: string, separator: Separator) {
    this.#text = text;
    this.#file = file;
    this.#separator = separator;
    if (text.startsWith('\uFEFF')) this.#at = 1;
    // what Excel puts before the header
    const hint = /^sep=.\r?\n/.exec(text.slice(this.#at, this.#at + 8));
    if (hint) {
      this.#at += hint[0].length;
      this.#line = 2;
    }
  }

  /** The next record with content; null at the end. */
  next(): CsvRecord | null {
    while (this.#at < this.#text.length) {
      const line = this.#line;
      const fields = [this.#field()];
      while (this.#text[this.#at] === this.#separator) {
        this.#at++;
        fields.push(this.#field());
      }
      if (this.#text[this.#at] === '\r') this.#at++;
      if (this.#text[this.#at] === '\n') this.#at++;
      this.#line++;
      if (fields.some((field) => field !== '')) return { line, fields };
    }
    return null;
  }

  #field(): string {
    this.#skipBlanks();
    if (this.#text[this.#at] === '"') {
      const field = this.#quoted();
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
  #quoted(): string {
    let field = '';
    this.#at++;
    for (;;) {
      const quote = this.#text.indexOf('"', this.#at);
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
    return wrongLine(this.#file, `line ${this.#line}`, problem);
  }
}
