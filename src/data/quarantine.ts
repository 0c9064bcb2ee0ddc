import type { VideoRow } from './rows.js';

/** Rows found bad, and in which epoch. A row found in epoch e leaves the sampler at epoch e + 1. */
export class Quarantine {
  readonly #epochs = new Map<string, number>();
  /** Rows found in each epoch that has any. */
  readonly #counts = new Map<number, number>();

  /** Records a row; the earliest epoch counts. Returns whether the row is new (to be written to quarantine.jsonl). */
  add(rowId: string, epoch: number): boolean {
    const known = this.#epochs.get(rowId);
    if (known !== undefined && known <= epoch) return false;
    if (known !== undefined) this.#counts.set(known, this.#counts.get(known)! - 1);
    this.#counts.set(epoch, (this.#counts.get(epoch) ?? 0) + 1);
    this.#epochs.set(rowId, epoch);
    return known === undefined;
  }

  /** Whether a row has left the sampler by this epoch. */
  excludes(row: VideoRow, epoch: number): boolean {
    const found = this.#epochs.get(row.id);
    return found !== undefined && found < epoch;
  }

  /** Rows that have left the sampler by this epoch. */
  countBefore(epoch: number): number {
    let sum = 0;
    for (const [found, rows] of this.#counts) if (found < epoch) sum += rows;
    return sum;
  }

  /** The last epoch in which rows were found; -Infinity when there are none. */
  get lastEpoch(): number {
    return Math.max(...this.#counts.keys());
  }

  get size(): number {
    return this.#epochs.size;
  }

  /** (row id, epoch) in the order of discovery: part of the state that a resumed run needs. */
  entries(): IterableIterator<[string, number]> {
    return this.#epochs.entries();
  }
}
