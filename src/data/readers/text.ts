/** The text of a list of videos, whatever program wrote it. */
import { createReadStream } from 'node:fs';
import { VsslError } from '../../errors.js';
import { decodeName, fsPath } from '../file-names.js';
import { unreadable } from './folder.js';

/** Bytes of a list that become text at a time: few, so that what is made of a piece on the way does not outlive it. */
const PIECE_BYTES = 256 << 10;

/** A part of a list's text. All but the last end behind the end of a line. */
export interface TextPiece {
  readonly text: string;
  readonly isLast: boolean;
}

/**
 * UTF-8, or UTF-16 of either order with a byte order mark (as spreadsheets write it). Bytes that are neither are kept as
 * they are (see file-names.ts), since a list may name files whose names are not UTF-8. Lists in UTF-16 come as one piece.
 * Throws ERR_VSSL_DATA.
 */
export async function* readPieces(file: string): AsyncGenerator<TextPiece, void, undefined> {
  const stream = createReadStream(fsPath(file), { highWaterMark: PIECE_BYTES });
  let waiting: Buffer[] = [];
  let inPieces: boolean | undefined;
  let isFirst = true;
  const take = (end?: Buffer) => {
    const bytes = Buffer.concat(end ? [...waiting, end] : waiting);
    const text = checkText(isFirst ? decodeText(bytes) : decodeName(bytes), file);
    isFirst = false;
    waiting = [];
    return text;
  };
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      inPieces ??= !isUtf16(chunk);
      const end = inPieces ? chunk.lastIndexOf(LINE_END) + 1 : 0;
      if (end > 0) yield { text: take(chunk.subarray(0, end)), isLast: false };
      waiting.push(chunk.subarray(end));
    }
  } catch (cause) {
    throw cause instanceof VsslError ? cause : unreadable(file, cause);
  }
  yield { text: take(), isLast: true };
}

const LINE_END = 10;

function isUtf16(bytes: Buffer): boolean {
  const mark = bytes.toString('latin1', 0, 2);
  return mark === '\xff\xfe' || mark === '\xfe\xff';
}

function checkText(text: string, file: string): string {
  if (!text.includes('\0')) return text;
  throw new VsslError(
    'ERR_VSSL_DATA',
    `${file} is no text: it holds zero bytes; expected UTF-8, or UTF-16 that begins with a byte order mark`,
    { details: { file } },
  );
}

export function decodeText(bytes: Buffer): string {
  const mark = bytes.toString('latin1', 0, 3);
  if (mark.startsWith('\xff\xfe')) return bytes.toString('utf16le', 2);
  if (mark.startsWith('\xfe\xff'))
    return Buffer.from(bytes.subarray(2, bytes.length & ~1))
      .swap16()
      .toString('utf16le');
  return decodeName(mark === '\xef\xbb\xbf' ? bytes.subarray(3) : bytes);
}
