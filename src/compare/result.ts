/** What a comparison of runs gives. */
import type { PairedBy } from '../eval/intervals.js';

/** Version of what `compare --json` prints. */
export const COMPARISON_FORMAT_VERSION = 1;

/** One side of a comparison: a run, several seeds of one, or an evaluation file alone. */
export interface ComparedArm {
  /** The shortest end of its path that no other arm has. */
  readonly name: string;
  readonly path: string;
  /** Run folders, one a seed; none for an evaluation file. */
  readonly runs: readonly string[];
  readonly seeds: readonly number[];
  /** Steps done and steps of the whole run, of the run that has done the least; null where nothing is known of them. */
  readonly step: number | null;
  readonly totalSteps: number | null;
  /** Mean over the last tenth of its lines, and over its runs. */
  readonly loss: number | null;
  /** Median over the lines of metrics.jsonl, mean over its runs. */
  readonly clipsPerSecond: number | null;
  /** Part of the time that went into waiting for data, 0 to 1. */
  readonly dataWait: number | null;
}

/** A key in which the arms differ, with the value of each; undefined: it has none, null beside it: nothing is known. */
export interface DifferentKey {
  readonly key: string;
  readonly values: readonly unknown[];
}

export interface ComparedCurve {
  /** An entry of metrics.jsonl, or EVALUATION/VALUE of an evaluation during training. */
  readonly metric: string;
  /** Equal steps, up to the last that every arm has reached; values[arm][i] is the mean since the step before. */
  readonly steps: readonly number[];
  readonly values: readonly (readonly (number | null)[])[];
  /** The whole of each curve in equal pieces of 1 to `lastStep`, for drawing. */
  readonly lastStep: number;
  readonly shapes: readonly (readonly (number | null)[])[];
}

/** An arm's part in an evaluation. */
export interface ComparedScore {
  readonly arm: string;
  readonly value: number;
  /** 95 %: of the videos for a single run, of the seeds (Student's t) for several. */
  readonly interval: readonly [number, number] | null;
  /** Value of each seed. */
  readonly values: readonly number[];
  /** Videos tested. */
  readonly count: number;
}

/** How an arm differs from the first one. */
export interface PairedScore {
  readonly arm: string;
  readonly against: string;
  /** Of the arm minus the first one. */
  readonly difference: number;
  readonly interval: readonly [number, number];
  /** video, group: the same videos, outcome by outcome, resampled so; seed: runs of the same seed, Student's t. */
  readonly by: PairedBy | 'seed';
  /** Pairs: videos, or seeds. */
  readonly pairs: number;
  readonly verdict: 'better' | 'worse' | 'cannot tell';
}

/** One question that at least one arm was asked, under one measure. */
export interface ComparedEvaluation {
  readonly protocol: string;
  /** accuracy, R@1 by label, R@1 by instance. */
  readonly measure: string;
  /** The data and settings, in words. */
  readonly title: string;
  readonly question: string | null;
  readonly scores: readonly ComparedScore[];
  readonly paired: readonly PairedScore[];
}

/** Two arms that answered the same protocol, but not the same question. */
export interface NotPaired {
  readonly protocol: string;
  readonly arm: string;
  readonly against: string;
  readonly why: string;
}

export interface RunsComparison {
  readonly formatVersion: typeof COMPARISON_FORMAT_VERSION;
  readonly arms: readonly ComparedArm[];
  readonly config: readonly DifferentKey[];
  /** Versions, hardware and the like, as config.json has them under `run`. */
  readonly environment: readonly DifferentKey[];
  readonly curves: readonly ComparedCurve[];
  readonly evaluations: readonly ComparedEvaluation[];
  readonly notPaired: readonly NotPaired[];
  readonly warnings: readonly string[];
}
