import { rename, rm } from 'node:fs/promises';
import { VsslError } from '../../errors.js';
import { importPackage } from '../../native/here.js';
import { temporaryName } from '../../weights/atomic-write.js';
import {
  COLUMNS,
  type EmbeddingFormat,
  type EmbeddingRecord,
  type StoredRecord,
  storedRecord,
} from './record.js';

/** Rows that are written and read at once: vectors are large. */
const GROUP_ROWS = 1000;

/** What is used of the packages, which are optional: types of theirs would bind whoever has them not. */
interface WriterPackage {
  readonly ParquetWriter: new (options: {
    writer: object;
    schema: readonly object[];
    codec: 'UNCOMPRESSED';
    kvMetadata: readonly { key: string; value: string }[];
  }) => {
    write(options: {
      columnData: readonly { name: string; data: readonly unknown[] }[];
      rowGroupSize: number;
    }): void | Promise<void>;
    finish(): void | Promise<void>;
  };
  fileWriter(path: string): object;
}
interface ReaderPackage {
  asyncBufferFromFile(path: string): Promise<object>;
  parquetReadObjects(options: { file: object }): Promise<Record<string, unknown>[]>;
}

/** The columns, and `vector` as a list of floats, as pyarrow, DuckDB and Spark read them. */
export const parquet: EmbeddingFormat = {
  name: 'parquet',
  async check() {
    await load<WriterPackage>('hyparquet-writer');
  },
  async write(out, records, { entries }) {
    const { ParquetWriter, fileWriter } = await load<WriterPackage>('hyparquet-writer');
    const temporary = temporaryName(out);
    try {
      const kvMetadata = Object.entries(entries).map(([key, value]) => ({ key, value }));
      // snappy makes floats no smaller
      const writer = fileWriter(temporary);
      const file = new ParquetWriter({ writer, schema: SCHEMA, codec: 'UNCOMPRESSED', kvMetadata });
      for (let from = 0; from < records.length; from += GROUP_ROWS)
        await file.write({
          columnData: columnsOf(records.slice(from, from + GROUP_ROWS)),
          rowGroupSize: GROUP_ROWS,
        });
      await file.finish();
      await rename(temporary, out);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  },
  async read(out) {
    const { asyncBufferFromFile, parquetReadObjects } = await load<ReaderPackage>('hyparquet');
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(out) });
    const records = rows.map(({ vector, ...said }) =>
      storedRecord(said, Float32Array.from(vector as number[])),
    );
    return records.filter((record): record is StoredRecord => record !== null);
  },
};

const isSeconds = (column: string) => column === 'start' || column === 'end';

const SCHEMA = [
  { name: 'root', num_children: COLUMNS.length + 1 },
  ...COLUMNS.map((name) =>
    isSeconds(name)
      ? { name, type: 'DOUBLE', repetition_type: 'OPTIONAL' }
      : { name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
  ),
  { name: 'vector', repetition_type: 'REQUIRED', num_children: 1, converted_type: 'LIST' },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  { name: 'element', repetition_type: 'REQUIRED', type: 'FLOAT' },
];

function columnsOf(records: readonly EmbeddingRecord[]) {
  return [
    ...COLUMNS.map((name) => ({ name, data: records.map((record) => record[name]) })),
    { name: 'vector', data: records.map(({ vector }) => Array.from(vector)) },
  ];
}

async function load<T>(name: string): Promise<T> {
  try {
    return (await importPackage(name)) as T;
  } catch (cause) {
    throw new VsslError(
      'ERR_VSSL_ENVIRONMENT',
      `Parquet needs the package ${name}, which is not installed: 'npm install hyparquet-writer hyparquet', or write .safetensors, .jsonl, .npy or .csv`,
      { details: { package: name }, cause },
    );
  }
}
