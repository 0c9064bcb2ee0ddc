import { Rng } from './rng.js';

/** All rows in the order of an epoch: a permutation drawn from (seed, epoch). */
export function epochOrder(rows: number, seed: number, epoch: number): Uint32Array {
  const order = new Uint32Array(rows);
  for (let i = 0; i < rows; i++) order[i] = i;
  return new Rng(seed, 'order', epoch).shuffle(order);
}

/** The rows that an epoch has, in its order, and draws among them that cost nothing for those that are not left out. */
export class EpochRows {
  readonly order: Uint32Array;
  readonly #rows: number;
  /** Of each row in `order`; made at the first draw. */
  #places: Uint32Array | null = null;

  /** Some of `rows` rows, each once. */
  constructor(order: Uint32Array, rows: number) {
    this.order = order;
    this.#rows = rows;
  }

  /** All rows but those of `leftOut`, in the order of the epoch. */
  without(leftOut: Iterable<number>): RowDraw {
    this.#places ??= placesOf(this.order, this.#rows);
    const places: number[] = [];
    for (const row of new Set(leftOut)) {
      const place = this.#places[row]!;
      if (place > 0) places.push(place - 1);
    }
    return new RowDraw(
      this.order,
      places.sort((a, b) => a - b),
    );
  }
}

/** Places from 1; 0 for a row that is not there. */
function placesOf(order: Uint32Array, rows: number): Uint32Array {
  const places = new Uint32Array(rows);
  for (let i = 0; i < order.length; i++) places[order[i]!] = i + 1;
  return places;
}

/** Rows of an epoch that may be drawn, each once. */
export class RowDraw {
  readonly #order: Uint32Array;
  /** Places in the order that are left out, ascending. */
  readonly #gone: number[];

  constructor(order: Uint32Array, gone: number[]) {
    this.#order = order;
    this.#gone = gone;
  }

  /** Rows that are left. */
  get count(): number {
    return this.#order.length - this.#gone.length;
  }

  /** Takes the `n`-th of the rows that are left, in the order of the epoch. */
  take(n: number): number {
    let place = n;
    let at = 0;
    for (; at < this.#gone.length && this.#gone[at]! <= place; at++) place++;
    this.#gone.splice(at, 0, place);
    return this.#order[place]!;
  }
}

/** Batches of an epoch. The remainder of the permutation is dropped: every epoch draws another one. At least 1. */
export function countBatches(usable: number, batch: number): number {
  return Math.max(1, Math.floor(usable / Math.min(batch, Math.max(1, usable))));
}

/**
 * Steps of a whole run over `rows` usable videos. A quarantine found on the way does not change it, so that the
 * schedule of a run is known before its first step.
 */
export function countSteps(
  train: { readonly batch: number; readonly epochs: number | null; readonly steps: number | null },
  rows: number,
): number {
  return train.steps ?? (train.epochs ?? 0) * countBatches(rows, train.batch);
}
