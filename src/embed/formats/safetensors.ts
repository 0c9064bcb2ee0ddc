import { readSafetensors, writeSafetensors } from '../../weights/safetensors.js';
import { COLUMNS, type EmbeddingFormat, type StoredRecord, storedRecord } from './record.js';

/** Name of a column's list in the metadata: `paths` for path. */
const listName = (column: string) => `${column}s`;

/** A tensor `features` (vectors, dim) of F32, with a JSON list for each column in the metadata. */
export const safetensors: EmbeddingFormat = {
  name: 'safetensors',
  async write(out, records, { dim, entries }) {
    const data = new Float32Array(records.length * dim);
    for (const [i, { vector }] of records.entries()) data.set(vector, i * dim);
    const lists = COLUMNS.map((column) => [
      listName(column),
      JSON.stringify(records.map((record) => record[column] ?? null)),
    ]);
    await writeSafetensors(
      out,
      [{ name: 'features', dtype: 'F32', shape: [records.length, dim], data: new Uint8Array(data.buffer) }],
      { ...entries, ...Object.fromEntries(lists) },
    );
  },
  async read(out) {
    const { tensors, metadata } = await readSafetensors(out);
    const { shape, data } = tensors.find(({ name }) => name === 'features')!;
    const [rows, dim] = shape as [number, number];
    const features = new Float32Array(data.buffer as ArrayBuffer, data.byteOffset, rows * dim);
    const lists = COLUMNS.map((column) => JSON.parse(metadata[listName(column)] ?? '[]') as unknown[]);
    const records = Array.from({ length: rows }, (_, i) => {
      const said = Object.fromEntries(COLUMNS.map((column, c) => [column, lists[c]![i]]));
      return storedRecord(said, features.subarray(i * dim, (i + 1) * dim));
    });
    return records.filter((record): record is StoredRecord => record !== null);
  },
};
