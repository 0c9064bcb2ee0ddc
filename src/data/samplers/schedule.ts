import type { StepPosition } from '../views.js';

/** How a limit moves over a run: it stays at its lower or its upper end, or goes from one to the other. */
export const SCHEDULES = ['up', 'down', 'step', 'small', 'large'] as const;

export interface Schedule {
  readonly kind: (typeof SCHEDULES)[number];
  /** Fraction of the run after which it has arrived, above 0 and at most 1. `step` jumps half way there. */
  readonly until: number;
}

/** Where between `low` (0) and `high` (1) the limit is: a function of the place in the run alone. */
export function scheduledPart({ kind, until }: Schedule, { step, totalSteps }: StepPosition): number {
  const way = Math.min(1, step / (until * totalSteps));
  switch (kind) {
    case 'small':
      return 0;
    case 'large':
      return 1;
    case 'up':
      return way;
    case 'down':
      return 1 - way;
    case 'step':
      return way < 0.5 ? 0 : 1;
  }
}
