/** What a sweep and the process of one of its runs tell each other. */
import type { ResolvedConfig } from '../config/schema.js';
import type { DataOptions } from '../eval/evaluation-data.js';
import type { Protocol } from '../eval/evaluation-options.js';
import type { TrainEvent } from '../train/events.js';

/** All that a process has to do; it goes on where the run folder is. */
export interface CellWork {
  readonly config: ResolvedConfig;
  readonly maxSteps?: number | undefined;
  /** Processors that it may take. */
  readonly cores: number;
  /** false: it is trained already. */
  readonly train: boolean;
  readonly protocols: readonly Protocol[];
  readonly data: DataOptions | null;
  /** Modules of methods of one's own. */
  readonly methods: readonly string[];
  /** The engine that the sweep's process was told to use. */
  readonly engine: string | null;
}

/** stop: with a checkpoint after the current step. */
export type ToCell = { readonly type: 'work'; readonly work: CellWork } | { readonly type: 'stop' };

export type FromCell =
  | { readonly type: 'train'; readonly event: TrainEvent }
  | { readonly type: 'evaluate'; readonly protocol: Protocol }
  /** Its last message. */
  | { readonly type: 'end'; readonly stepsDone: number }
  | { readonly type: 'stopped' }
  | {
      readonly type: 'failed';
      readonly code: string;
      readonly message: string;
      readonly details: Readonly<Record<string, unknown>>;
    };
