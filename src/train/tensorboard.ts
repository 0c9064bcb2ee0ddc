/**
 * TensorBoard event files without TensorFlow. A file is a row of records
 * `uint64 length, uint32 masked CRC of those 8 bytes, data, uint32 masked CRC of the data`, all little endian; the CRC is
 * CRC-32C (Castagnoli), masked as rotate right by 15 plus 0xA282EAD8. The data is a protobuf Event: 1 wall_time double,
 * 2 step int64, 3 file_version string, 5 Summary { 1 Value { 1 tag string, 2 simple_value float } }.
 * Sources: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto, framework/summary.proto.
 */
import { ProtoWriter, readFields } from '../weights/protobuf.js';

export interface ScalarEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  /** Set on the first record of a file only. */
  readonly fileVersion?: string;
  readonly scalars: Readonly<Record<string, number>>;
}

/** First record of every file. */
export const FILE_VERSION = 'brain.Event:2';

/** One framed record. Scalars that are not finite are written as they are: TensorBoard shows them as gaps. */
export function encodeEvent(event: ScalarEvent): Uint8Array {
  const out = new ProtoWriter().double(1, event.wallTime);
  if (event.step !== 0) out.int(2, event.step);
  if (event.fileVersion !== undefined) out.text(3, event.fileVersion);
  const summary = new ProtoWriter();
  for (const [tag, value] of Object.entries(event.scalars))
    summary.message(1, new ProtoWriter().text(1, tag).float(2, value));
  if (summary.length > 0) out.message(5, summary);
  return frame(Buffer.concat(out.chunks()));
}

/** A whole event, and where the bytes after it start. */
export interface ParsedEvent extends ScalarEvent {
  readonly end: number;
}

/** Reads records up to the first one that is cut off or damaged. */
export function* parseEvents(file: Uint8Array): Generator<ParsedEvent> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 0; at + 16 <= file.byteLength; ) {
    const length = view.getUint32(at, true);
    if (
      view.getUint32(at + 4, true) !== 0 ||
      view.getUint32(at + 8, true) !== maskedCrc(file.subarray(at, at + 8))
    )
      return;
    const end = at + 12 + length;
    if (end + 4 > file.byteLength) return;
    const data = file.subarray(at + 12, end);
    if (view.getUint32(end, true) !== maskedCrc(data)) return;
    at = end + 4;
    yield { ...parseEvent(data), end: at };
  }
}

function parseEvent(data: Uint8Array): ScalarEvent {
  let wallTime = 0;
  let step = 0;
  let fileVersion: string | undefined;
  const scalars: Record<string, number> = {};
  for (const { field, number, bytes } of readFields(data)) {
    if (field === 1) wallTime = number;
    else if (field === 2) step = number;
    else if (field === 3) fileVersion = Buffer.from(bytes).toString('utf8');
    else if (field === 5)
      for (const value of readFields(bytes)) {
        if (value.field !== 1) continue;
        let tag = '';
        let simple = 0;
        for (const part of readFields(value.bytes)) {
          if (part.field === 1) tag = Buffer.from(part.bytes).toString('utf8');
          else if (part.field === 2) simple = part.number;
        }
        scalars[tag] = simple;
      }
  }
  return { wallTime, step, ...(fileVersion === undefined ? {} : { fileVersion }), scalars };
}

function frame(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(12 + data.byteLength + 4);
  const view = new DataView(record.buffer);
  view.setUint32(0, data.byteLength, true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.byteLength, maskedCrc(data), true);
  return record;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, i) => {
  let c = i;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  return c >>> 0;
});

/** CRC-32C (node:zlib's crc32 is another polynomial). */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < data.length; i++) crc = CRC_TABLE[(crc ^ data[i]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function maskedCrc(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
