/** What a user should know of a run that begins, or goes on. */
import type { Checkpoint } from '../weights/checkpoint.js';
import type { RunState } from './run-state.js';

export function startWarnings(run: {
  /** Videos that are not known to be unusable. */
  readonly usable: number;
  readonly batch: number;
  readonly threads: number;
  readonly ranks: number;
  /** The one that the run goes on from. */
  readonly checkpoint: Checkpoint<RunState> | null;
}): string[] {
  const { usable, batch, checkpoint } = run;
  const warnings: string[] = [];
  if (usable < batch)
    warnings.push(
      `there are at most ${usable} usable videos, fewer than train.batch (${batch}): the batch is ${usable}`,
    );
  if (!checkpoint) return warnings;
  const before = { threads: checkpoint.state.threads, ranks: checkpoint.state.ranks ?? 1 };
  for (const what of ['threads', 'ranks'] as const)
    if (before[what] !== run[what])
      warnings.push(
        `the run was made with ${before[what]} ${what} and goes on with ${run[what]}: its last bits will not be those of an unbroken run`,
      );
  return warnings;
}
