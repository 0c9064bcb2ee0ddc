import type { ResolvedConfig } from '../config/schema.js';
import type { EvaluationHook } from './hooks.js';
import type { RankPlace } from './rank-place.js';
import type { RunPaths } from './run-folder.js';

export interface TrainOptions {
  /** Stops after the current step, with a checkpoint: the run then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Run folder; `out` in the configuration otherwise. */
  readonly out?: string;
  /** Videos; `data.path` in the configuration otherwise. */
  readonly data?: string;
  /**
   * auto (default): an unfinished run in the folder goes on, a finished one is left as it is; never: a run in the folder
   * is replaced; else a checkpoint file to go on from.
   */
  readonly resume?: 'auto' | 'never' | (string & {});
  /**
   * Encoder file, as training writes it, whose weights the evaluated encoder of a new run begins with; or weights of
   * torchvision, SlowFast or pytorchvideo, .safetensors or .pth, which are fitted to it. A run that goes on has them behind it:
   * the file of its beginning may be given or not, another is refused.
   */
  readonly init?: string;
  /** Stops when so many steps are done; the schedule stays that of the whole run. */
  readonly maxSteps?: number;
  /**
   * Looks at every file of a new run before its first step: files that cannot be used leave before the first epoch, and
   * the length of the run is that of the others. Default false: a file is looked at when it is first drawn.
   */
  readonly indexFirst?: boolean;
  /** Which of several processes that train together this one is: see `rankPlace`. Default: it trains alone. */
  readonly ranks?: RankPlace | null;
  /** Seconds that a rank waits for the others, at the start and in a step. Default 600. */
  readonly rankTimeout?: number;
  /** Evaluations during training. */
  readonly hooks?: readonly EvaluationHook[];
}

/** Everything of a run that is known before the engine is needed. */
export interface Settled {
  readonly config: ResolvedConfig;
  readonly paths: RunPaths;
  readonly dataPath: string;
}
