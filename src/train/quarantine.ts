import type { SampleRef } from '../data/planner.js';

/** Epoch of files that the first look at the data, before epoch 0, found unusable. */
export const BEFORE_EPOCHS = -1;

/** A row that could not be used, and why. */
export interface Find {
  readonly sample: Pick<SampleRef, 'row' | 'epoch'>;
  readonly code: string;
  readonly reason: string;
  /** Seconds into the file; -1 when it does not apply. */
  readonly where: number;
}

/** One file that cannot be used: a line of quarantine.jsonl, and a part of the state that a checkpoint holds. */
export interface QuarantineRecord {
  /** Name of the row in its manifest. */
  readonly id: string;
  readonly path: string;
  readonly code: string;
  readonly reason: string;
  readonly where: number;
  /** Epoch in which it was found; -1: before the first. */
  readonly epoch: number;
  /** Step whose batch it was drawn for; 0: before the first. */
  readonly step: number;
}

export function toRecord({ sample, code, reason, where }: Find, step: number): QuarantineRecord {
  const { row, epoch } = sample;
  return { id: row.id, path: row.path, code, reason, where, epoch, step };
}
