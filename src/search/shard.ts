/**
 * A shard on disk: NAME.vectors, rows of numbers and nothing else, and NAME.rows, the lines that commit them
 * (row-lines.ts). Both only grow. What is behind the last whole line, in either file, was never committed and is written
 * over.
 */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type IndexHeader, indexError } from './header.js';
import { hasWholeLine, type Place, RowLines } from './row-lines.js';
import { bytesOf, newRows, rowBytes, type VectorRows } from './vectors.js';

/** Bytes that one read asks for. */
const READ_BYTES = 1 << 26;

/** Told of each video that a line takes away. */
export type OnGone = (place: Place) => void;

export class Shard {
  readonly name: string;
  /** By which places name it. */
  readonly number: number;
  readonly lines = new RowLines();
  readonly #db: string;
  readonly #header: IndexHeader;
  /** Of the writer. */
  #files: { readonly vectors: FileHandle; readonly rows: FileHandle } | null = null;

  constructor(db: string, name: string, header: IndexHeader) {
    this.#db = db;
    this.name = name;
    this.number = Number(name);
    this.#header = header;
  }

  /**
   * Takes the lines that were committed since. Throws ERR_VSSL_INDEX for lines that are damaged, and for vectors that are
   * missing; with `repair` such lines are passed over.
   */
  async refresh(onGone: OnGone, repair = false): Promise<void> {
    const { lines } = this;
    const file = await open(this.#path('rows'), 'r');
    try {
      const { size } = await file.stat();
      if (size < lines.length) throw this.#damaged(`${this.name}.rows has become shorter`);
      let rest: Buffer = Buffer.alloc(0);
      for (let at = lines.length; at < size; ) {
        const more = Buffer.allocUnsafe(Math.min(READ_BYTES, size - at));
        const { bytesRead } = await file.read(more, 0, more.length, at);
        if (bytesRead === 0) break;
        at += bytesRead;
        rest = await this.#take(Buffer.concat([rest, more.subarray(0, bytesRead)]), onGone, repair);
      }
      if (hasWholeLine(rest.subarray(rest.indexOf(10) + 1)))
        throw this.#damaged(`a line of ${this.name}.rows, at byte ${lines.length}, is not what was written`);
    } finally {
      await file.close();
    }
    const held = Math.floor((await stat(this.#path('vectors'))).size / rowBytes(this.#header));
    if (held >= lines.vectors) return;
    if (!repair)
      throw this.#damaged(`${this.name}.vectors is cut off: it has ${held} of ${lines.vectors} vectors`);
    lines.forgetFrom(held);
  }

  /** What is left of the bytes, which is no whole line yet. */
  async #take(bytes: Buffer, onGone: OnGone, repair = false): Promise<Buffer> {
    let rest = bytes;
    for (;;) {
      const taken = this.lines.take(rest, onGone, repair);
      if (taken === 0) return rest;
      rest = rest.subarray(taken);
      await nextTurn();
    }
  }

  /** Vectors from one number to another, as they stand in the file. */
  async read(from: number, to: number): Promise<VectorRows> {
    const rows = newRows(this.#header.type, to - from, this.#header.dim);
    const bytes = bytesOf(rows);
    const file = await open(this.#path('vectors'), 'r');
    try {
      const start = from * rowBytes(this.#header);
      for (let at = 0; at < bytes.length; ) {
        const { bytesRead } = await file.read(bytes, at, Math.min(READ_BYTES, bytes.length - at), start + at);
        if (bytesRead === 0) throw this.#damaged(`${this.name}.vectors is cut off`);
        at += bytesRead;
      }
    } finally {
      await file.close();
    }
    return rows;
  }

  /**
   * Commits vectors and their lines: the vectors are on the disk before the first byte of a line is. When it fails (a full
   * disk), the lines that were written whole are committed, as readers have seen them, and the others are not.
   */
  async append(vectors: Uint8Array, lines: string, onGone: OnGone): Promise<void> {
    const text = Buffer.from(lines);
    try {
      const { vectors: data, rows } = await this.#open();
      if (vectors.length > 0) {
        await writeAt(data, vectors, this.lines.vectors * rowBytes(this.#header));
        await data.datasync();
      }
      await writeAt(rows, text, this.lines.length);
      await rows.datasync();
    } catch (error) {
      // to be opened again, which cuts off what is left of a line
      await this.close().catch(() => {});
      await this.refresh(onGone).catch(() => {});
      throw error;
    }
    await this.#take(text, onGone);
  }

  /** Makes the files of a new shard. */
  async create(): Promise<void> {
    for (const kind of ['vectors', 'rows'] as const) {
      const file = await open(this.#path(kind), 'w');
      await file.sync();
      await file.close();
    }
  }

  async close(): Promise<void> {
    const files = this.#files;
    this.#files = null;
    await files?.vectors.close();
    await files?.rows.close();
  }

  async #open() {
    if (this.#files) return this.#files;
    const vectors = await open(this.#path('vectors'), 'r+');
    const rows = await open(this.#path('rows'), 'r+');
    // a half line would else stand behind a shorter one that is written over it
    await rows.truncate(this.lines.length);
    this.#files = { vectors, rows };
    return this.#files;
  }

  #path(kind: 'vectors' | 'rows'): string {
    return join(this.#db, `${this.name}.${kind}`);
  }

  #damaged(why: string) {
    return indexError(
      this.#db,
      `${why}. Put the folder back from a copy, or open it with 'repair' (vssl-native index --repair): that keeps every whole row, and the next 'index' makes the others again`,
    );
  }
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(
      bytes,
      at,
      Math.min(READ_BYTES, bytes.length - at),
      position + at,
    );
    if (bytesWritten === 0) throw Object.assign(new Error('the file system took no bytes'), { code: 'EIO' });
    at += bytesWritten;
  }
}
