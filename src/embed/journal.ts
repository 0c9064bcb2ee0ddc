/**
 * What an embedding that is under way has done: a line a video in OUT.partial, vectors included, so that the same command
 * goes on where it was stopped, killed or out of room. A line that is not whole is none. The file goes when the output is
 * there.
 */
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { writeError } from '../weights/atomic-write.js';

/** A video that is done: by which stamp, and a vector for each of its windows (one for all of it). */
export interface DoneVideo {
  readonly stamp: string;
  readonly windows: readonly DoneWindow[];
}

export interface DoneWindow {
  readonly start: number | undefined;
  readonly end: number | undefined;
  readonly vector: Float32Array;
}

/** A line: whose it is, the times of its windows, then its vectors one after the other in base64. */
interface Line {
  readonly key: string;
  readonly stamp: string;
  readonly times: readonly (readonly [number | null, number | null])[];
  readonly vectors: string;
}

export class Journal {
  /** What was done before, by key. */
  readonly done: ReadonlyMap<string, DoneVideo>;
  readonly #out: string;
  /** Bytes of the whole lines that were found. */
  readonly #length: number;
  #file: FileHandle | null = null;

  private constructor(out: string, done: ReadonlyMap<string, DoneVideo>, length: number) {
    this.#out = out;
    this.done = done;
    this.#length = length;
  }

  static async open(out: string): Promise<Journal> {
    const { done, length } = await readLines(partialFile(out));
    return new Journal(out, done, length);
  }

  /** Throws ERR_VSSL_WRITE. */
  async add(key: string, { stamp, windows }: DoneVideo): Promise<void> {
    const times = windows.map(({ start, end }) => [start ?? null, end ?? null] as const);
    const vectors = Buffer.concat(
      windows.map(({ vector }) => new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength)),
    ).toString('base64');
    const line: Line = { key, stamp, times, vectors };
    try {
      if (!this.#file) {
        this.#file = await open(partialFile(this.#out), 'a');
        // what a kill has left of a line
        await this.#file.truncate(this.#length);
      }
      await this.#file.appendFile(`${JSON.stringify(line)}\n`);
    } catch (error) {
      throw writeError(this.#out, error);
    }
  }

  async close(): Promise<void> {
    await this.#file?.close().catch(() => {});
    this.#file = null;
  }

  /** For when the output has all of it. */
  async remove(): Promise<void> {
    await this.close();
    await rm(partialFile(this.#out), { force: true });
  }
}

function partialFile(out: string): string {
  return `${out}.partial`;
}

/** Whole lines from the beginning; a file that is not there has none. */
async function readLines(path: string): Promise<{ done: Map<string, DoneVideo>; length: number }> {
  const done = new Map<string, DoneVideo>();
  let length = 0;
  let parts: Buffer[] = [];
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
        const line = Buffer.concat([...parts, chunk.subarray(start, end)]);
        const read = parseLine(line.toString('utf8'));
        if (!read) return { done, length };
        done.set(read.key, read.video);
        length += line.length + 1;
        parts = [];
        start = end + 1;
      }
      parts.push(chunk.subarray(start));
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return { done, length };
}

function parseLine(text: string): { key: string; video: DoneVideo } | null {
  try {
    const { key, stamp, times, vectors } = JSON.parse(text) as Line;
    const bytes = Buffer.from(vectors, 'base64');
    const all = new Float32Array(bytes.length / 4);
    new Uint8Array(all.buffer).set(bytes);
    const dim = all.length / times.length;
    const windows = times.map(([start, end], i) => ({
      start: start ?? undefined,
      end: end ?? undefined,
      vector: all.subarray(i * dim, (i + 1) * dim),
    }));
    return { key, video: { stamp, windows } };
  } catch {
    return null;
  }
}
