/** The vectors of a shard that are held in memory: those whose videos are still there. */
import type { IndexHeader } from './header.js';
import type { Shard } from './shard.js';
import { gatherRows, newRows, type RowForm, type VectorRows } from './vectors.js';

/** Rows of vectors, and which vector of the shard each row is. Never changed while a search may read them. */
export class HeldRows {
  readonly rows: VectorRows;
  readonly count: number;
  /** null: row i is vector i. */
  readonly #vectors: Int32Array | null;

  constructor(rows: VectorRows, count: number, vectors: Int32Array | null) {
    this.rows = rows;
    this.count = count;
    this.#vectors = vectors;
  }

  vectorOf(row: number): number {
    return this.#vectors?.[row] ?? row;
  }

  /** The row of a vector that is held. */
  rowOf(vector: number): number {
    const vectors = this.#vectors;
    if (!vectors) return vector;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (vectors[middle]! < vector) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Copies of some of them, ascending. */
  some(wanted: readonly number[], form: RowForm): HeldRows {
    const vectors = Int32Array.from(wanted, (row) => this.vectorOf(row));
    return new HeldRows(gatherRows(this.rows, wanted, form), wanted.length, vectors);
  }
}

export class Resident {
  readonly #shard: Shard;
  readonly #header: IndexHeader;
  #rows: VectorRows;
  #vectors: Int32Array | null = null;
  /** Rows that are held. */
  #count = 0;
  /** Vectors of the shard that were looked at. */
  #seen = 0;
  /** Lines that were gone by then. */
  readonly #dropped = new Set<number>();

  constructor(shard: Shard, header: IndexHeader) {
    this.#shard = shard;
    this.#header = header;
    this.#rows = newRows(header.type, 0, header.dim);
  }

  /** All rows of lines that are not among `gone` (numbers of lines of this shard). */
  async rows(gone: ReadonlySet<number>): Promise<HeldRows> {
    const { vectors, count } = this.#shard.lines;
    while (this.#seen < vectors) await this.#load(vectors);
    const more = [...gone].filter((line) => line < count && !this.#dropped.has(line));
    if (more.length > 0) this.#drop(more);
    const { dim } = this.#header;
    return new HeldRows(this.#rows.subarray(0, this.#count * dim), this.#count, this.#vectors);
  }

  async #load(to: number): Promise<void> {
    const { dim, type } = this.#header;
    const from = this.#seen;
    const more = await this.#shard.read(from, to);
    const added = to - from;
    // another search may have loaded them meanwhile
    if (this.#seen !== from) return;
    if (from === 0) this.#rows = more;
    else {
      const needed = this.#count + added;
      if (needed * dim > this.#rows.length) {
        const larger = newRows(type, Math.max(needed, Math.ceil(1.5 * this.#count)), dim);
        larger.set(this.#rows.subarray(0, this.#count * dim));
        this.#rows = larger;
      }
      // behind what a search under way was given
      this.#rows.set(more, this.#count * dim);
    }
    if (this.#vectors) {
      const numbers = new Int32Array(this.#count + added);
      numbers.set(this.#vectors);
      for (let i = 0; i < added; i++) numbers[this.#count + i] = from + i;
      this.#vectors = numbers;
    }
    this.#count += added;
    this.#seen = to;
  }

  /** Copies what is left: a search under way reads the old rows. */
  #drop(gone: readonly number[]): void {
    const { lines } = this.#shard;
    const isGone = new Uint8Array(this.#seen);
    for (const line of gone) {
      this.#dropped.add(line);
      const first = lines.first(line);
      isGone.fill(1, first, first + lines.vectorsOf(line));
    }
    const vectorOf = (row: number) => this.#vectors?.[row] ?? row;
    const kept = Array.from({ length: this.#count }, (_, row) => row).filter((row) => !isGone[vectorOf(row)]);
    const numbers = Int32Array.from(kept, vectorOf);
    this.#rows = gatherRows(this.#rows, kept, this.#header);
    this.#vectors = numbers;
    this.#count = kept.length;
  }
}
