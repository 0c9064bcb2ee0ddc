import type { ClipPlan, VideoFacts } from './plan.js';
import type { Rng } from './rng.js';
import type { VideoRow } from './rows.js';

/** One view of one sample: clips with the same name are stacked into one tensor of the batch. */
export interface ViewPlan {
  readonly name: string;
  readonly clip: ClipPlan;
}

/** What a method may look at when it plans the views of one sample. */
export interface ViewContext<Config> {
  readonly config: Config;
  readonly row: VideoRow;
  readonly facts: VideoFacts;
  /** Keyed by (seed, epoch, sample, attempt). Fork it by name ('time', 'augment'...) so that one draw never shifts another. */
  readonly rng: Rng;
  readonly epoch: number;
}

/**
 * The views of one sample. Names, their order, and the frames, height and width of each name must be the same for
 * every sample of a run. A pure function of its context.
 */
export type PlanViews<Config> = (context: ViewContext<Config>) => readonly ViewPlan[];
