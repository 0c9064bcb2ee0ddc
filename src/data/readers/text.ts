/** The text of a list of videos, whatever program wrote it. */
import { readFile } from 'node:fs/promises';
import { VsslError } from '../../errors.js';
import { decodeName, fsPath } from '../file-names.js';
import { unreadable } from './folder.js';

/**
 * UTF-8, or UTF-16 of either order with a byte order mark (as spreadsheets write it). Bytes that are neither are kept as
 * they are (see file-names.ts), since a list may name files whose names are not UTF-8. Throws ERR_VSSL_DATA.
 */
export async function readText(file: string): Promise<string> {
  const bytes = await readFile(fsPath(file)).catch((cause) => {
    throw unreadable(file, cause);
  });
  const text = decodeText(bytes);
  if (text.includes('\0'))
    throw new VsslError(
      'ERR_VSSL_DATA',
      `${file} is no text: it holds zero bytes; expected UTF-8, or UTF-16 that begins with a byte order mark`,
      { details: { file } },
    );
  return text;
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
