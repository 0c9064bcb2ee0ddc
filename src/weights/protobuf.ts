/**
 * What is needed of protobuf's wire format: a field is a varint `number * 8 + wire type`, then a varint (type 0), 8 or 4 bytes
 * (1, 5), or a varint length and as many bytes (2). Source: protobuf.dev/programming-guides/encoding.
 */

/** A message as it grows. Bytes that are put in are not copied, so that weights are held once. */
export class ProtoWriter {
  readonly #chunks: Uint8Array[] = [];
  #small: number[] = [];
  #length = 0;

  get length(): number {
    return this.#length + this.#small.length;
  }

  /** A whole number from 0 to 2^53. */
  int(field: number, value: number): this {
    this.#varint(field * 8);
    this.#varint(value);
    return this;
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#put(field * 8 + 5, bytes);
  }

  double(field: number, value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.#put(field * 8 + 1, bytes);
  }

  text(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value, 'utf8'));
  }

  bytes(field: number, value: Uint8Array): this {
    this.#varint(field * 8 + 2);
    this.#varint(value.byteLength);
    this.#append(value);
    return this;
  }

  /** Whole numbers from 0, packed. */
  ints(field: number, values: readonly number[]): this {
    const packed = new ProtoWriter();
    for (const value of values) packed.#varint(value);
    return this.message(field, packed);
  }

  message(field: number, message: ProtoWriter): this {
    this.#varint(field * 8 + 2);
    this.#varint(message.length);
    for (const chunk of message.chunks()) this.#append(chunk);
    return this;
  }

  /** The bytes, in order. */
  chunks(): Uint8Array[] {
    this.#flush();
    return [...this.#chunks];
  }

  #put(key: number, bytes: Uint8Array): this {
    this.#varint(key);
    this.#small.push(...bytes);
    return this;
  }

  /** Whole numbers from 0 to 2^53. */
  #varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#small.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.#small.push(rest);
  }

  #append(chunk: Uint8Array): void {
    if (chunk.byteLength <= 256) {
      this.#small.push(...chunk);
      return;
    }
    this.#flush();
    this.#chunks.push(chunk);
    this.#length += chunk.byteLength;
  }

  #flush(): void {
    if (this.#small.length === 0) return;
    this.#length += this.#small.length;
    this.#chunks.push(Uint8Array.from(this.#small));
    this.#small = [];
  }
}

/** A field of a message: `number` of a varint, double or float, `bytes` of what has a length. */
export interface ProtoField {
  readonly field: number;
  readonly number: number;
  readonly bytes: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** The fields of a message, in order. Varints are exact up to 2^53. Ends at bytes that are cut off. */
export function* readFields(data: Uint8Array): Generator<ProtoField> {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let at = 0;
  const varint = () => {
    const { value, end } = readVarint(data, at);
    at = end;
    return value;
  };
  while (at < data.length) {
    const key = varint();
    const field = Math.floor(key / 8);
    const wire = key % 8;
    if (wire === 0) {
      yield { field, number: varint(), bytes: NO_BYTES };
      continue;
    }
    const length = wire === 1 ? 8 : wire === 5 ? 4 : varint();
    if (at + length > data.length) return;
    const number = wire === 1 ? view.getFloat64(at, true) : wire === 5 ? view.getFloat32(at, true) : 0;
    yield { field, number, bytes: wire === 2 ? data.subarray(at, at + length) : NO_BYTES };
    at += length;
  }
}

/** Whole numbers, packed. */
export function readPacked(bytes: Uint8Array): number[] {
  const values: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { value, end } = readVarint(bytes, at);
    values.push(value);
    at = end;
  }
  return values;
}

function readVarint(data: Uint8Array, from: number): { value: number; end: number } {
  let value = 0;
  let at = from;
  for (let scale = 1; at < data.length; scale *= 128) {
    const byte = data[at++] as number;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  return { value, end: at };
}
