/** LanceDB, an optional package: what is used of it and of apache-arrow, and how they are loaded. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { VsslError } from '../errors.js';
import { here } from '../native/here.js';

/** A column of a batch, or of a table, in one piece. */
export interface ArrowData {
  readonly values: unknown;
  readonly children: readonly ArrowData[];
}
export interface ArrowBatch {
  readonly numRows: number;
  getChild(name: string): { readonly data: readonly ArrowData[]; get(row: number): unknown } | null;
}
export interface ArrowSchema {
  readonly fields: readonly { readonly name: string; readonly type: object }[];
}

/** apache-arrow: its types are classes, and tables are made of `Data`. */
export interface ArrowPackage {
  readonly Schema: new (fields: readonly object[]) => ArrowSchema;
  readonly Field: new (name: string, type: object, nullable: boolean) => object;
  readonly Int32: new () => object;
  readonly Int64: new () => object;
  readonly Float16: new () => object;
  readonly Float32: new () => object;
  readonly Float64: new () => object;
  readonly Utf8: new () => object;
  readonly FixedSizeList: new (length: number, item: object) => object;
  readonly Struct: new (fields: readonly object[]) => object;
  readonly RecordBatch: new (schema: ArrowSchema, data: ArrowData) => ArrowBatch;
  readonly Table: new (schema: ArrowSchema, batches: readonly ArrowBatch[]) => object;
  makeData(options: object): ArrowData;
  vectorFromArray(values: readonly unknown[], type: object): { readonly data: readonly ArrowData[] };
}

export interface LanceQuery extends AsyncIterable<ArrowBatch> {
  where(sql: string): LanceQuery;
  select(columns: readonly string[]): LanceQuery;
}
/** What changes a table makes a version of it, which is told. */
export interface LanceTable {
  version(): Promise<number>;
  checkout(version: number): Promise<void>;
  countRows(filter?: string): Promise<number>;
  query(): LanceQuery;
  add(table: object): Promise<{ readonly version: number }>;
  delete(sql: string): Promise<{ readonly version: number }>;
  optimize(options: { cleanupOlderThan: Date }): Promise<unknown>;
  stats(): Promise<{ readonly fragmentStats: { readonly numFragments: number } }>;
  close(): void;
}
export interface LanceConnection {
  openTable(name: string): Promise<LanceTable>;
  createEmptyTable(name: string, schema: ArrowSchema, options: { mode: 'overwrite' }): Promise<LanceTable>;
  close(): void;
}
interface LancePackage {
  connect(folder: string, options: { readConsistencyInterval: number }): Promise<LanceConnection>;
}

export interface LancePackages {
  readonly lance: LancePackage;
  readonly arrow: ArrowPackage;
}

const NAMES = '@lancedb/lancedb@0.31 apache-arrow@18';

/** Throws ERR_VSSL_ENVIRONMENT where they are not installed. */
export function loadLance(): LancePackages {
  try {
    const require = createRequire(join(here, 'here.js'));
    // what it warns of when it makes a table is no fault
    process.env.LANCEDB_LOG ??= 'error';
    const lance = require('@lancedb/lancedb') as LancePackage;
    // the copy that LanceDB itself has: it takes no tables of another one
    const arrow = createRequire(require.resolve('@lancedb/lancedb'))('apache-arrow') as ArrowPackage;
    return { lance, arrow };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'MODULE_NOT_FOUND' ? 'are not installed' : `cannot be loaded (${said(cause)})`;
    throw new VsslError(
      'ERR_VSSL_ENVIRONMENT',
      `the store 'lancedb' needs the packages @lancedb/lancedb and apache-arrow, which ${why}: 'npm install ${NAMES}'; a new index can be made with the store 'flat', which needs nothing`,
      { details: { packages: ['@lancedb/lancedb', 'apache-arrow'] }, cause },
    );
  }
}

/** What an error of LanceDB says, without the places in its own sources. */
export function said(error: unknown): string {
  const text = (error as { message?: string } | null)?.message ?? String(error);
  return text
    .split('\n')[0]!
    .replaceAll(/, [^ ]+\.rs:\d+(:\d+)?/g, '')
    .slice(0, 300);
}
