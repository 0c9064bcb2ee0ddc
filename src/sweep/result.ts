/** What a sweep gives. */

import type { DataOptions } from '../eval/evaluation-data.js';
import type { Protocol } from '../eval/evaluation-options.js';
import type { EvaluationResult } from '../eval/evaluation-result.js';
import type { MeanInterval } from '../eval/intervals.js';
import type { TrainEvent } from '../train/events.js';
import type { Grid } from './grid.js';

/** Version of sweep.json and table.json. */
export const SWEEP_FORMAT_VERSION = 1;

/** A number of each seed, and what they come to. */
export interface SeedValues extends MeanInterval {
  readonly values: readonly number[];
}

export interface SweptMeasure extends SeedValues {
  readonly protocol: EvaluationResult<unknown>['protocol'];
  /** accuracy, R@1 by label, R@1 by instance. */
  readonly measure: string;
}

/** One line of the table. */
export interface SweptCell {
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly folder: string;
  /** Those that are done. */
  readonly seeds: readonly number[];
  /** Mean over the last tenth of each run's metrics; null where no seed is done. */
  readonly loss: SeedValues | null;
  readonly clipsPerSecond: SeedValues | null;
  readonly measures: readonly SweptMeasure[];
}

export interface FailedCell {
  readonly cell: string;
  readonly seed: number;
  readonly code: string;
  readonly reason: string;
}

export interface SweepResult {
  readonly formatVersion: typeof SWEEP_FORMAT_VERSION;
  readonly packageVersion: string;
  readonly out: string;
  readonly grid: Grid;
  readonly seeds: number;
  /** What tests; null where nothing is evaluated. */
  readonly data: DataOptions | null;
  readonly interval: string;
  readonly cells: readonly SweptCell[];
  /** Runs trained or continued by this call, and those that were there. */
  readonly trained: number;
  readonly found: number;
  readonly failures: readonly FailedCell[];
  /** The same table for people, and for programs. */
  readonly files: { readonly markdown: string; readonly json: string };
}

/** What happens to one run of a sweep. */
export type SweepEvent =
  | {
      readonly type: 'run';
      /** From 1, in the order in which they begin. */
      readonly number: number;
      readonly total: number;
      readonly cell: string;
      readonly seed: number;
      readonly folder: string;
      /** found: it was done, and is left as it is; continued: it goes on after `step`. */
      readonly state: 'new' | 'continued' | 'found';
      readonly step: number;
    }
  | { readonly type: 'train'; readonly cell: string; readonly seed: number; readonly event: TrainEvent }
  | {
      readonly type: 'evaluate';
      readonly cell: string;
      readonly seed: number;
      readonly protocol: Protocol;
    }
  | { readonly type: 'done'; readonly cell: string; readonly seed: number }
  | ({ readonly type: 'failed' } & FailedCell);
