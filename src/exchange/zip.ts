/**
 * The files of a zip archive that are stored as they are. Little endian throughout; an archive ends in a directory of its files,
 * and that in a record of where it begins, with another of 64 bits before it in large archives.
 * Source: PKWARE's APPNOTE, 4.3.
 */

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
/** Of a record of the end, without its comment; and of the longest comment. */
const [END_BYTES, MOST_COMMENT] = [22, 65_535];
/** Stands for a number that is in the fields of 64 bits. */
const ELSEWHERE = 0xffffffff;

/** Their bytes, by name; those that are compressed are not among them. Throws Error, in words, for what is no archive. */
export function storedFiles(archive: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  try {
    return readDirectory(archive, view);
  } catch (error) {
    if ((error as Error).name === 'RangeError')
      throw new Error('it is an archive that is cut off or damaged');
    throw error;
  }
}

function readDirectory(archive: Uint8Array, view: DataView): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const { count, start } = findDirectory(view);
  for (let i = 0, at = start; i < count; i++) {
    if (view.getUint32(at, true) !== ENTRY) throw new RangeError();
    const method = view.getUint16(at + 10, true);
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((place) =>
      view.getUint16(at + place, true),
    ) as [number, number, number];
    const name = Buffer.from(archive.subarray(at + 46, at + 46 + nameBytes)).toString('utf8');
    const { size, place } = numbersOf(view, at, at + 46 + nameBytes, extraBytes);
    if (method === 0) files.set(name, bytesAt(archive, view, place, size));
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  return files;
}

function findDirectory(view: DataView): { count: number; start: number } {
  const last = view.byteLength - END_BYTES;
  let end = last;
  while (end >= Math.max(0, last - MOST_COMMENT) && view.getUint32(end, true) !== END) end--;
  if (end < Math.max(0, last - MOST_COMMENT)) throw new RangeError();
  const locator = end - 20;
  if (locator < 0 || view.getUint32(locator, true) !== LOCATOR_64)
    return { count: view.getUint16(end + 10, true), start: view.getUint32(end + 16, true) };
  const end64 = Number(view.getBigUint64(locator + 8, true));
  if (view.getUint32(end64, true) !== END_64) throw new RangeError();
  return { count: large(view, end64 + 32), start: large(view, end64 + 48) };
}

/** Size and place of a file; those that do not fit stand in the extra field 1, in this order: size, stored size, place. */
function numbersOf(
  view: DataView,
  at: number,
  extra: number,
  extraBytes: number,
): { size: number; place: number } {
  const own = [24, 20, 42].map((place) => view.getUint32(at + place, true));
  for (let from = extra; from + 4 <= extra + extraBytes; from += 4 + view.getUint16(from + 2, true)) {
    if (view.getUint16(from, true) !== 1) continue;
    let next = from + 4;
    own.forEach((value, i) => {
      if (value !== ELSEWHERE) return;
      own[i] = large(view, next);
      next += 8;
    });
  }
  return { size: own[0] as number, place: own[2] as number };
}

/** The bytes behind a file's own header, whose fields may have other lengths than those in the directory. */
function bytesAt(archive: Uint8Array, view: DataView, at: number, size: number): Uint8Array {
  if (view.getUint32(at, true) !== LOCAL) throw new RangeError();
  const from = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
  if (!(size <= archive.byteLength - from)) throw new RangeError();
  return archive.subarray(from, from + size);
}

function large(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}
