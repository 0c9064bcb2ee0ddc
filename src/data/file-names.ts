/**
 * File names that are not UTF-8. Linux takes any bytes; a string holds those that are no UTF-8 as lone surrogates, byte
 * 0xE9 as U+DCE9. That is the escape of Python (PEP 383, "surrogateescape"): no name that is UTF-8 holds one, JSON writes
 * it as \udce9, and Python opens a path that it reads from our files. Strings with it travel through rows, ids, plans and
 * JSON as they are; only where a file is opened, or text becomes the bytes of a file, are the bytes put back.
 */
import { isUtf8 } from 'node:buffer';

/** Not the second half of a pair. */
const ESCAPED = /(?<![\uD800-\uDBFF])[\uDC80-\uDCFF]/;

/** The bytes of a name, or of a text, as a string. */
export function decodeName(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return buffer.toString('utf8');
  let text = '';
  for (let at = 0; at < buffer.length; ) {
    const length = sequenceLength(buffer, at);
    text +=
      length > 0
        ? buffer.toString('utf8', at, at + length)
        : String.fromCharCode(0xdc00 + (buffer[at] as number));
    at += Math.max(1, length);
  }
  return text;
}

/** Bytes of the character at `at`; 0 when none starts there. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at] as number;
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return length > 0 && at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length)) ? length : 0;
}

/** The string's bytes, escaped ones put back. */
export function encodeName(text: string): Buffer {
  const parts: Buffer[] = [];
  let rest = text;
  for (let found = ESCAPED.exec(rest); found; found = ESCAPED.exec(rest)) {
    parts.push(Buffer.from(rest.slice(0, found.index)), Buffer.of(rest.charCodeAt(found.index) - 0xdc00));
    rest = rest.slice(found.index + 1);
  }
  return Buffer.concat([...parts, Buffer.from(rest)]);
}

/** What the functions of node:fs take for a path of ours: the string itself, or bytes where it needs them. */
export function fsPath(path: string): string | Buffer {
  return ESCAPED.test(path) ? encodeName(path) : path;
}
