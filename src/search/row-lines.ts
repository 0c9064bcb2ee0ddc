/**
 * The rows of a shard: JSON lines, one a video, each of which commits the vectors that were written before it.
 *
 *   {"n":12,"at":340,"gone":[1,7],"path":"/a.mp4",...,"crc":"5d41402a"}
 *
 * `n` is the number of the video's vectors, `at` that of the first of them in the shard. `gone` names videos that are no
 * more, each by its shard and its `at`: a line that replaces a video commits its new vectors and the end of the old ones
 * at once. `crc` is the CRC-32 of all before `,"crc"`: a line that a kill or a power cut has left half is none.
 *
 * A million lines are opened in a second: what must be known of all of them stands first and is read without parsing the
 * rest, which is parsed when somebody asks for the row.
 */
import { crc32 } from 'node:zlib';

/** What a line says of a video. */
export interface VideoRecord {
  readonly path: string;
  /** The part of the file that is the video: seconds, as `start` and `end` of a manifest. */
  readonly part?: readonly [start: number | null, end: number | null];
  readonly label?: string;
  readonly group?: string;
  /** Further columns of the manifest. */
  readonly extra?: Readonly<Record<string, unknown>>;
  /** The data that it was found in. */
  readonly data?: string;
  /** State of its file: size and time; and what it holds. */
  readonly stamp?: string;
  readonly print?: string;
  /** start, end, start, end... of its vectors in seconds; empty: one vector, of all of it. */
  readonly times: readonly number[];
}

/** What tells videos apart: the file, and the part of it. */
export function keyOf({ path, part }: Pick<VideoRecord, 'path' | 'part'>): string {
  return part ? `${path}#${part[0] ?? ''}-${part[1] ?? ''}` : path;
}

/** A line as JSON has it. */
interface Line extends VideoRecord {
  readonly n: number;
  readonly at: number;
  readonly gone?: readonly number[];
  readonly crc: string;
}

/** Length of `,"crc":"5d41402a"}`. */
const TAIL = 18;

/** Where a video's vectors are: the number of the shard, and of the first vector in it. */
export interface Place {
  readonly shard: number;
  readonly at: number;
}

/** A line with its end. `record`: null for a line that only takes videos away. */
export function encodeLine(
  count: number,
  at: number,
  gone: readonly Place[],
  record: VideoRecord | null,
): string {
  const places = gone.map((place) => `${place.shard},${place.at}`).join(',');
  const rest = record ? `,${JSON.stringify(record).slice(1, -1)}` : '';
  const body = `{"n":${count},"at":${at}${places && `,"gone":[${places}]`}${rest}`;
  return `${body},"crc":"${crc32(body).toString(16).padStart(8, '0')}"}\n`;
}

/** Lines are looked at this many at a time; others have their turn in between. */
const LINES_A_TURN = 20_000;

/** The whole lines of a shard, in memory. */
export class RowLines {
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;
  /** Where each line begins, its first vector, and how many it has. */
  #starts: number[] = [];
  #firsts: number[] = [];
  #counts: number[] = [];

  /** Bytes of the lines. */
  get length(): number {
    return this.#length;
  }

  /** Number of lines. */
  get count(): number {
    return this.#starts.length;
  }

  /** Number of vectors that they commit. */
  get vectors(): number {
    return this.count === 0 ? 0 : this.#firsts.at(-1)! + this.#counts.at(-1)!;
  }

  /** Number of a line's first vector. */
  first(line: number): number {
    return this.#firsts[line]!;
  }

  vectorsOf(line: number): number {
    return this.#counts[line]!;
  }

  /** The line that a vector belongs to: the last one that begins at or before it. Lines without vectors have none. */
  lineOf(vector: number): number {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#firsts[middle]! <= vector) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The line whose vectors begin at `at`; -1 when there is none. */
  lineAt(at: number): number {
    const line = this.lineOf(at);
    return this.#firsts[line] === at && this.#counts[line]! > 0 ? line : -1;
  }

  record(line: number): VideoRecord {
    const start = this.#starts[line]!;
    const text = this.#bytes.toString('utf8', start, this.#bytes.indexOf(10, start));
    const { n: _n, at: _at, gone: _gone, crc: _crc, ...record } = JSON.parse(text) as Line;
    return record;
  }

  /**
   * Takes up to LINES_A_TURN whole lines from the beginning of `bytes`, which follow those that are here, and returns how
   * many bytes they are; `onGone` is told what they take away. Stops before a line that is not whole, or goes on behind
   * it where damage is to be `passed`.
   */
  take(bytes: Buffer, onGone: (place: Place) => void, passed = false): number {
    let at = 0;
    for (let taken = 0; taken < LINES_A_TURN; taken++) {
      const end = bytes.indexOf(10, at);
      if (end < 0) break;
      const head = readHead(bytes, at, end);
      if (!head && !passed) break;
      if (head) {
        for (const place of head.gone) onGone(place);
        this.#starts.push(this.#length + at);
        this.#firsts.push(head.at);
        this.#counts.push(head.count);
      }
      at = end + 1;
    }
    this.#keep(bytes.subarray(0, at));
    return at;
  }

  /** Forgets lines with vectors from number `held` on: those are missing. */
  forgetFrom(held: number): void {
    const keep = this.#starts.map((_, line) => this.#firsts[line]! + this.#counts[line]! <= held);
    const filter = (values: readonly number[]) => values.filter((_, line) => keep[line]);
    [this.#starts, this.#firsts, this.#counts] = [this.#starts, this.#firsts, this.#counts].map(filter) as [
      number[],
      number[],
      number[],
    ];
  }

  #keep(bytes: Buffer): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, Math.min(2 * this.#bytes.length, needed + 2 ** 26)));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    bytes.copy(this.#bytes, this.#length);
    this.#length = needed;
  }
}

/** Whether a whole line begins anywhere in the bytes. */
export function hasWholeLine(bytes: Buffer): boolean {
  let at = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, at)) {
    if (readHead(bytes, at, end)) return true;
    at = end + 1;
  }
  return false;
}

const COUNT = Buffer.from('{"n":');
const AT = Buffer.from(',"at":');
const GONE = Buffer.from(',"gone":[');

interface Head {
  readonly count: number;
  readonly at: number;
  readonly gone: readonly Place[];
}

/** What stands first in a line from `start` to `end`; null when it is none. */
function readHead(bytes: Buffer, start: number, end: number): Head | null {
  const tail = end - TAIL;
  if (tail < start + COUNT.length || !matches(bytes, start, COUNT)) return null;
  const crc = Number.parseInt(bytes.toString('latin1', end - 10, end - 2), 16);
  if (crc !== crc32(bytes.subarray(start, tail))) return null;
  let place = start;
  const number = () => {
    let value = 0;
    for (let digit = bytes[place]! - 48; digit >= 0 && digit <= 9; digit = bytes[++place]! - 48)
      value = 10 * value + digit;
    return value;
  };
  place += COUNT.length;
  const count = number();
  if (!matches(bytes, place, AT)) return null;
  place += AT.length;
  const at = number();
  const gone: Place[] = [];
  if (!matches(bytes, place, GONE)) return { count, at, gone };
  place += GONE.length;
  do {
    const shard = number();
    place++; // the comma
    gone.push({ shard, at: number() });
  } while (bytes[place++] === COMMA);
  return { count, at, gone };
}

const COMMA = 0x2c;

function matches(bytes: Buffer, at: number, text: Buffer): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
  return true;
}
