import { Rng } from './rng.js';

/** All rows in the order of an epoch: a permutation drawn from (seed, epoch). */
export function epochOrder(rows: number, seed: number, epoch: number): number[] {
  return new Rng(seed, 'order', epoch).shuffle(Array.from({ length: rows }, (_, i) => i));
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
