/**
 * The table of an index in LanceDB: a row a window. `video` tells the videos apart and orders them; `window` counts a
 * video's rows. Its first row says of the video what a line of a shard says (`record`, JSON) and has its `name`; `path`,
 * `start` and `end` stand in each row, for other programs.
 */
import type { VsslError } from '../errors.js';
import { type IndexHeader, indexError } from './header.js';
import {
  type ArrowBatch,
  type ArrowData,
  type ArrowPackage,
  type ArrowSchema,
  type LanceTable,
  said,
} from './lance-package.js';
import { keyOf } from './row-lines.js';
import type { NewVideo } from './store.js';
import type { VectorRows } from './vectors.js';

export const TABLE = 'windows';

/**
 * An id is the time at which a video was added, in sixteenths of a millisecond, and then a number of its writer: two may add
 * at once. So ids are in the order in which videos were added, whoever did, and the later one of a name counts.
 */
const WRITER_BITS = 18;
export const MOST_WRITERS = 2 ** WRITER_BITS;
const TICKS_A_MS = 16;

export function idOf(tick: number, writer: number): bigint {
  return (BigInt(tick) << BigInt(WRITER_BITS)) | BigInt(writer);
}

export function tickOf(id: bigint): number {
  return Number(id >> BigInt(WRITER_BITS));
}

/** The time now. */
export function tickNow(): number {
  return Math.floor(TICKS_A_MS * (Date.now() - Date.UTC(2024)));
}

export function schemaOf(arrow: ArrowPackage, { dim, type }: IndexHeader): ArrowSchema {
  const { Field, Int32, Int64, Float16, Float32, Float64, Utf8, FixedSizeList } = arrow;
  const number = type === 'fp16' ? new Float16() : new Float32();
  return new arrow.Schema([
    new Field('video', new Int64(), false),
    new Field('window', new Int32(), false),
    new Field('windows', new Int32(), false),
    new Field('path', new Utf8(), false),
    new Field('start', new Float64(), true),
    new Field('end', new Float64(), true),
    new Field('name', new Utf8(), true),
    new Field('record', new Utf8(), true),
    new Field('vector', new FixedSizeList(dim, new Field('item', number, true)), false),
  ]);
}

/** A video with its id. */
export interface LanceVideo extends NewVideo {
  readonly id: bigint;
}

/** Rows of videos, to be added in one commit. */
export function tableOf(arrow: ArrowPackage, header: IndexHeader, videos: readonly LanceVideo[]): object {
  const { dim } = header;
  const schema = schemaOf(arrow, header);
  const [video, window, windows, path, start, end, name, record] = columnsOf(videos, dim);
  const length = video!.length;
  const vectors = new (header.type === 'fp16' ? Uint16Array : Float32Array)(length * dim);
  let at = 0;
  for (const { rows } of videos) {
    vectors.set(rows, at);
    at += rows.length;
  }
  const typeOf = (column: string) => schema.fields.find((field) => field.name === column)!.type;
  const list = typeOf('vector') as { children: readonly { type: object }[] };
  const numbers = { type: list.children[0]!.type, length: length * dim, nullCount: 0, data: vectors };
  const child = arrow.makeData(numbers);
  const column = (at: string, values: readonly unknown[]) =>
    arrow.vectorFromArray(values, typeOf(at)).data[0]!;
  const children = [
    ...[column('video', video!), column('window', window!), column('windows', windows!)],
    ...[column('path', path!), column('start', start!), column('end', end!)],
    ...[column('name', name!), column('record', record!)],
    arrow.makeData({ type: list, length, nullCount: 0, child }),
  ];
  const struct = { type: new arrow.Struct(schema.fields), length, nullCount: 0, children };
  return new arrow.Table(schema, [new arrow.RecordBatch(schema, arrow.makeData(struct))]);
}

/** The columns before the vectors, in the order of the schema. */
function columnsOf(videos: readonly LanceVideo[], dim: number): unknown[][] {
  const columns: unknown[][] = Array.from({ length: 8 }, () => []);
  for (const { id, record, rows } of videos) {
    const count = rows.length / dim;
    for (let i = 0; i < count; i++) {
      const { times } = record;
      const about = i === 0 ? [keyOf(record), JSON.stringify(record)] : [null, null];
      const row = [id, i, count, record.path, times[2 * i] ?? null, times[2 * i + 1] ?? null, ...about];
      for (const [c, value] of row.entries()) columns[c]!.push(value);
    }
  }
  return columns;
}

/** Columns of a batch that was read. */
export function idsOf(batch: ArrowBatch): BigInt64Array {
  return (dataOf(batch, 'video').values as BigInt64Array).subarray(0, batch.numRows);
}

export function integersOf(batch: ArrowBatch, name: 'window' | 'windows'): Int32Array {
  return (dataOf(batch, name).values as Int32Array).subarray(0, batch.numRows);
}

export function vectorsOf(batch: ArrowBatch, dim: number): VectorRows {
  return (dataOf(batch, 'vector').children[0]!.values as VectorRows).subarray(0, batch.numRows * dim);
}

export function textOf(batch: ArrowBatch, name: 'name' | 'path' | 'record', row: number): string {
  return batch.getChild(name)!.get(row) as string;
}

function dataOf(batch: ArrowBatch, name: string): ArrowData {
  return batch.getChild(name)!.data[0]!;
}

/** Reads some columns, batch by batch. Throws ERR_VSSL_INDEX for what cannot be read. */
export async function* readBatches(
  db: string,
  table: LanceTable,
  columns: readonly string[],
  where: string | null = null,
): AsyncGenerator<ArrowBatch, void, undefined> {
  try {
    const query = table.query().select(columns);
    for await (const batch of where === null ? query : query.where(where)) {
      if (batch.numRows > 0) yield batch;
    }
  } catch (error) {
    throw damagedTable(db, error);
  }
}

/** Of videos with these ids. */
export function among(ids: readonly (number | bigint)[]): string {
  return `video IN (${ids.join(', ')})`;
}

/** ERR_VSSL_INDEX of what LanceDB cannot read. */
export function damagedTable(db: string, why: unknown): VsslError {
  return indexError(
    db,
    `its table of LanceDB cannot be read (${said(why)}). Put the folder back from a copy, or make the index again with another --db`,
    why,
  );
}
