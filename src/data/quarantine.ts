import type { VideoRow } from './rows.js';

/** Rows found bad, and in which epoch. A row found in epoch e leaves the sampler at epoch e + 1. */
export class Quarantine {
  readonly #epochs = new Map<string, number>();

  /** Records a row; the earliest epoch counts. Returns whether the row is new (to be written to quarantine.jsonl). */
  add(rowId: string, epoch: number): boolean {
    const known = this.#epochs.get(rowId);
    if (known !== undefined && known <= epoch) return false;
    this.#epochs.set(rowId, epoch);
    return known === undefined;
  }

  /** Whether a row has left the sampler by this epoch. */
  excludes(row: VideoRow, epoch: number): boolean {
    const found = this.#epochs.get(row.id);
    return found !== undefined && found < epoch;
  }

  get size(): number {
    return this.#epochs.size;
  }

  /** (row id, epoch) in the order of discovery: part of the state that a resumed run needs. */
  entries(): IterableIterator<[string, number]> {
    return this.#epochs.entries();
  }
}
