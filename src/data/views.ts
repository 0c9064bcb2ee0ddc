import type { AugmentOptions } from './augment/options.js';
import type { ClipFormat } from './clip-plan.js';
import type { ArrayRow, ClipPlan, VideoFacts } from './plan.js';
import type { Rng } from './rng.js';
import type { VideoRow } from './rows.js';

/** One view of one sample, a clip or numbers: those with the same name are stacked into one tensor of the batch. */
export type ViewPlan =
  | { readonly name: string; readonly clip: ClipPlan }
  | (ArrayRow & { readonly clip?: undefined });

/**
 * What a batch holds of one sample. Views and side arrays of one name are of one kind, type and shape in every sample of
 * a run. A sample may lack views that others have, never a side array.
 */
export interface SamplePlan {
  readonly views: readonly ViewPlan[];
  readonly side?: readonly ArrayRow[];
}

/** Where in a run a step is. */
export interface StepPosition {
  /** From 0. */
  readonly step: number;
  readonly totalSteps: number;
}

/** Where in a run a sample is drawn. */
export interface RunProgress extends StepPosition {
  /** From 0. */
  readonly epoch: number;
}

/** What a method may look at when it plans one sample. */
export interface ViewContext {
  readonly row: VideoRow;
  readonly facts: VideoFacts;
  /** Form of the run's clips, and what their augmentations are drawn from. */
  readonly format: ClipFormat;
  readonly augment: AugmentOptions;
  /** Labels of the whole data set, sorted; that of this row is `row.label`. */
  readonly labels: readonly string[];
  readonly progress: RunProgress;
  /** Name of the stream of samples that this one comes from. A run has one, 'train'. */
  readonly stream: string;
  /** Keyed by (seed, epoch, sample, attempt). Fork it by name ('time', 'augment'...) so that one draw never shifts another. */
  readonly rng: Rng;
}

/** Plans one sample. A pure function of its context. */
export type PlanViews = (context: ViewContext) => SamplePlan;
