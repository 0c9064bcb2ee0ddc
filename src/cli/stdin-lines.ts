import { decodeName } from '../data/file-names.js';

/** Lines of the standard input as they come, without their ends; names in them may be no UTF-8. */
export async function* stdinLines(
  input: AsyncIterable<Uint8Array> = process.stdin,
): AsyncGenerator<string, void, undefined> {
  let rest = Buffer.alloc(0);
  for await (const chunk of input) {
    const bytes = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      yield lineOf(bytes.subarray(start, end));
      start = end + 1;
    }
    rest = bytes.subarray(start);
  }
  if (rest.length > 0) yield lineOf(rest);
}

function lineOf(bytes: Buffer): string {
  return decodeName(bytes.at(-1) === 13 ? bytes.subarray(0, -1) : bytes);
}
