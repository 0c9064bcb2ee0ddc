/**
 * Headers of tar files: POSIX ustar and pax, GNU, and the plain ones of old. Our own, since the libraries (tar-stream, tar)
 * read archives from their beginning to their end, bodies too, and do not say where a body lies.
 */
import { decodeName } from '../file-names.js';

export const BLOCK = 512;

export type EntryKind = 'file' | 'folder' | 'link' | 'sparse' | 'device' | 'long name' | 'pax' | 'pax of all';

export interface TarHeader {
  /** As it is written, not always UTF-8 (see file-names.ts). */
  readonly name: string;
  /** Bytes of the body. */
  readonly size: number;
  readonly kind: EntryKind;
}

const KINDS: Readonly<Record<string, EntryKind>> = {
  '0': 'file',
  '7': 'file', // contiguous
  '\0': 'file',
  '1': 'link',
  '2': 'link',
  '5': 'folder',
  L: 'long name',
  x: 'pax',
  X: 'pax',
  g: 'pax of all',
  S: 'sparse',
};

/** What a block says; null: it is no header, or a damaged one. */
export function parseHeader(block: Buffer): TarHeader | null {
  if (!hasItsSum(block)) return null;
  const size = readNumber(block.subarray(124, 136));
  if (size === null) return null;
  const isPosix = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isPosix ? readText(block.subarray(345, 500)) : '';
  const base = readText(block.subarray(0, 100));
  const name = prefix === '' ? base : `${prefix}/${base}`;
  const kind = KINDS[String.fromCharCode(block[156]!)] ?? 'device';
  // before ustar a folder was told by its name alone
  if (kind === 'file' && name.endsWith('/')) return { name, size: 0, kind: 'folder' };
  return { name, size: kind === 'link' || kind === 'folder' ? 0 : size, kind };
}

export function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** Bytes from the beginning of a body to the next header. */
export function paddedSize(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

/** Up to the first zero byte. */
export function readText(field: Buffer): string {
  const end = field.indexOf(0);
  return decodeName(end < 0 ? field : field.subarray(0, end));
}

/** The records of a pax header, `LENGTH KEY=VALUE\n` each; null: a damaged one. */
export function parsePax(body: Buffer): Map<string, string> | null {
  const records = new Map<string, string>();
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(32, at);
    const length = space < 0 ? 0 : Number(body.toString('latin1', at, space));
    const end = at + length;
    if (!Number.isSafeInteger(length) || end > body.length || end <= space + 1 || body[end - 1] !== 10)
      return null;
    const equals = body.indexOf(61, space);
    if (equals < 0 || equals >= end) return null;
    records.set(body.toString('latin1', space + 1, equals), decodeName(body.subarray(equals + 1, end - 1)));
    at = end;
  }
  return records;
}

/** Of all bytes, those of the sum as blanks; programs of old added them as signed. */
function hasItsSum(block: Buffer): boolean {
  const written = readNumber(block.subarray(148, 156));
  let [unsigned, signed] = [0, 0];
  block.forEach((byte, i) => {
    const counted = i >= 148 && i < 156 ? 32 : byte;
    unsigned += counted;
    signed += counted < 128 ? counted : counted - 256;
  });
  return written === unsigned || written === signed;
}

/** Octal digits, or bytes of base 256 behind one with its first bit set; null: neither, or no size that a file can have. */
function readNumber(field: Buffer): number | null {
  const first = field[0]!;
  if (first >= 0x80) {
    let value = first & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
    return first < 0xc0 && Number.isSafeInteger(value) ? value : null;
  }
  const text = field.toString('latin1').replaceAll('\0', ' ').trim();
  if (text === '') return 0;
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : null;
}
