/** What was found bad in the videos of a run: files that cannot be used, and single clips of files that can. */
import { type ClipCounts, ClipLedger } from '../data/clip-ledger.js';
import type { PlannedBatch, SampleRef } from '../data/planner.js';
import type { VideoRow } from '../data/rows.js';
import { unusableFile } from '../data/unusable-file.js';
import type { VsslError } from '../errors.js';

/** Epoch of files that the first look at the data, before epoch 0, found unusable. */
export const BEFORE_EPOCHS = -1;

/** What the loader says of a file that opens, in which a clip could not be made. */
const WITHIN_FILE = 'ERR_VSSL_VIDEO_DECODE';

/** Whether a fault lies within a file, and costs a clip of it, not the file. */
export function isWithinFile(code: string): boolean {
  return code === WITHIN_FILE;
}

/** A row that could not be used, and why. */
export interface Find {
  readonly sample: Pick<SampleRef, 'row' | 'index' | 'epoch'>;
  readonly code: string;
  readonly reason: string;
  /** Seconds into the file; -1 when it does not apply. */
  readonly where: number;
}

/** What both kinds of records say of a file that a step met. */
export interface FaultRecord {
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

/** One file that is used no more: a line of quarantine.jsonl, and a part of the state that a checkpoint holds. */
export interface QuarantineRecord extends FaultRecord {
  readonly what: 'file';
}

/** One clip that another video's stood in for: a line of quarantine.jsonl. */
export interface FailedClipRecord extends FaultRecord {
  readonly what: 'clip';
  /** Clips of this file that failed in this run, this one included, and those that were loaded before. */
  readonly failed: number;
  readonly loaded: number;
}

export function toRecord({ sample, code, reason, where }: Find, step: number): QuarantineRecord {
  const { row, epoch } = sample;
  return { what: 'file', id: row.id, path: row.path, code, reason, where, epoch, step };
}

/** Under data.onError fail. */
export function failOn({ sample, code, reason, where }: Find): VsslError {
  return unusableFile(sample.row.path, code, reason, where);
}

/** A batch as the step that takes it finds it. */
export interface BatchOutcome {
  readonly epoch: number;
  readonly lastOfEpoch: boolean;
  /** What was found bad while the batch was made, in order. */
  readonly finds: readonly Find[];
  readonly planned: Pick<PlannedBatch, 'samples'>;
}

/** Draws of a batch, for a ledger. */
export function drawsOf({ finds, planned }: Pick<BatchOutcome, 'finds' | 'planned'>) {
  return {
    failed: finds.filter(({ code }) => isWithinFile(code)).map(({ sample }) => sample.index),
    loaded: planned.samples.map(({ index }) => index),
  };
}

/** Everything found bad by the batches up to a step: what a checkpoint of that step holds. */
export class Faults {
  readonly files: QuarantineRecord[];
  readonly clips: ClipLedger;
  readonly #rows: readonly VideoRow[];
  readonly #ids: Set<string>;

  constructor(
    rows: readonly VideoRow[],
    state: { readonly quarantine?: readonly QuarantineRecord[]; readonly clips?: ClipCounts } = {},
  ) {
    this.#rows = rows;
    this.files = [...(state.quarantine ?? [])];
    this.#ids = new Set(this.files.map(({ id }) => id));
    this.clips = new ClipLedger(rows.length, state.clips);
  }

  /** Adds a file that cannot be used; false when it is known already. */
  addFile(record: QuarantineRecord): boolean {
    if (this.#ids.has(record.id)) return false;
    this.#ids.add(record.id);
    this.files.push(record);
    return true;
  }

  /**
   * Adds what the batch of `step` found, and gives it as records. At the end of an epoch the files whose failures
   * outnumber their successes are among them.
   */
  take(batch: BatchOutcome, step: number): (QuarantineRecord | FailedClipRecord)[] {
    const records: (QuarantineRecord | FailedClipRecord)[] = [];
    for (const find of batch.finds) {
      const record = toRecord(find, step);
      if (!isWithinFile(find.code)) {
        if (this.addFile(record)) records.push(record);
        continue;
      }
      const { index } = find.sample;
      this.clips.add({ failed: [index], loaded: [] });
      records.push({
        ...record,
        what: 'clip',
        failed: this.clips.failed(index),
        loaded: this.clips.loaded(index),
      });
    }
    this.clips.add({ failed: [], loaded: drawsOf(batch).loaded });
    if (batch.lastOfEpoch)
      for (const index of this.clips.leaving()) {
        const record = this.#tooDamaged(index, batch.epoch, step);
        if (this.addFile(record)) records.push(record);
      }
    return records;
  }

  #tooDamaged(index: number, epoch: number, step: number): QuarantineRecord {
    const failed = this.clips.failed(index);
    const reason = `${failed} of ${failed + this.clips.loaded(index)} clips drawn from it could not be decoded`;
    const sample = { row: this.#rows[index]!, index, epoch };
    return toRecord({ sample, code: WITHIN_FILE, reason, where: -1 }, step);
  }
}
