import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { VsslError } from '../errors.js';

/** A file leaves at this failed clip, if its failures outnumber its successes. */
const FAILURES_TO_LEAVE = 3;

/** The counts of a ledger as plain JSON. */
export interface ClipCounts {
  /** (place in the manifest, failed clips) of each row that has any. */
  readonly failed: readonly (readonly [row: number, clips: number])[];
  /** Loaded clips of every row: little-endian Uint32, deflated, base64. */
  readonly loaded: string;
}

/**
 * How often each row of a manifest was drawn for a batch, and with what success: what decides whether a damaged file is
 * worth its place. A draw counts once, whatever the number of its views. Sums do not depend on the order in which
 * batches end, so that a ledger of the batches up to a step is a function of that step.
 */
export class ClipLedger {
  readonly #failed: Map<number, number>;
  readonly #loaded: Uint32Array;

  /** Of `rows` rows, from the counts of a checkpoint or from none. */
  constructor(rows: number, counts?: ClipCounts) {
    this.#failed = new Map(counts?.failed);
    this.#loaded = new Uint32Array(rows);
    if (!counts) return;
    const bytes = inflateRawSync(Buffer.from(counts.loaded, 'base64'));
    if (bytes.byteLength !== this.#loaded.byteLength)
      throw new VsslError(
        'ERR_VSSL_CHECKPOINT',
        `the checkpoint counts the clips of ${bytes.byteLength / 4} videos, but there are ${rows}`,
      );
    new Uint8Array(this.#loaded.buffer).set(bytes);
  }

  /** Adds the draws of a batch: rows (places in the manifest) whose clips failed and rows whose clips were loaded. */
  add({ failed, loaded }: { readonly failed: readonly number[]; readonly loaded: readonly number[] }): void {
    for (const row of failed) this.#failed.set(row, this.failed(row) + 1);
    for (const row of loaded) this.#loaded[row]! += 1;
  }

  failed(row: number): number {
    return this.#failed.get(row) ?? 0;
  }

  loaded(row: number): number {
    return this.#loaded[row] ?? 0;
  }

  /** Failed clips of all rows. */
  get failures(): number {
    let sum = 0;
    for (const count of this.#failed.values()) sum += count;
    return sum;
  }

  /** Rows with three failed clips or more, and more than were loaded; ascending. To be asked at the end of an epoch. */
  leaving(): number[] {
    return [...this.#failed]
      .filter(([row, failed]) => failed >= FAILURES_TO_LEAVE && failed > this.loaded(row))
      .map(([row]) => row)
      .sort((a, b) => a - b);
  }

  encode(): ClipCounts {
    const loaded = deflateRawSync(new Uint8Array(this.#loaded.buffer)).toString('base64');
    return { failed: [...this.#failed].sort(([a], [b]) => a - b), loaded };
  }
}
