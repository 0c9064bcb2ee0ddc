/** Learning rates: a function of the step. */
import type { BaseConfig } from '../config/schema.js';
import { invalidArgument } from '../errors.js';

export interface ScheduleOptions {
  readonly name: 'cosine' | 'step' | 'constant';
  /** Peak rate. */
  readonly lr: number;
  /** Length of the whole schedule, whatever part of it is run. */
  readonly totalSteps: number;
  /** Steps of linear warm-up. */
  readonly warmupSteps: number;
  /** Rate at step 0 when there is a warm-up. */
  readonly warmupFrom?: number;
  /** cosine: rate at the end. */
  readonly finalLr?: number;
  /** step: the rate is multiplied by `gamma` at each of these steps. */
  readonly milestones?: readonly number[];
  readonly gamma?: number;
}

/** The schedule of a configuration: its epochs counted in steps. */
export function scheduleOf(
  { schedule, optimizer, epochs }: BaseConfig['train'],
  totalSteps: number,
  stepsPerEpoch: number,
): (step: number) => number {
  const unit = epochs === null ? 1 : stepsPerEpoch;
  return buildSchedule({
    name: schedule.name,
    lr: optimizer.lr,
    totalSteps,
    warmupSteps: schedule.warmupSteps ?? Math.round((schedule.warmupEpochs ?? 0) * stepsPerEpoch),
    finalLr: schedule.finalLr,
    milestones: schedule.milestones.map((milestone) => Math.round(milestone * unit)),
    gamma: schedule.gamma,
  });
}

/**
 * Rate of step s (from 0) of S, with W warm-up steps, peak p, end e:
 *   cosine    r(s) = e + (p - e) (1 + cos(pi s / S)) / 2
 *   step      r(s) = p gamma^(number of milestones <= s)
 *   constant  r(s) = p
 * and for s < W: f + (r(W) - f) s / W, from f. The decay runs over all S steps, under the warm-up too, as in the
 * published CVRL configuration (methods: section 1.7; tensorflow/models LinearWarmup over CosineDecay).
 */
export function buildSchedule(options: ScheduleOptions): (step: number) => number {
  const { lr, totalSteps, warmupSteps, warmupFrom = 0 } = options;
  if (!Number.isSafeInteger(totalSteps) || totalSteps < 1)
    throw invalidArgument('totalSteps', 'a whole number from 1', totalSteps);
  if (!Number.isSafeInteger(warmupSteps) || warmupSteps < 0)
    throw invalidArgument('warmupSteps', 'a whole number from 0', warmupSteps);
  const base = baseRate(options);
  // A run that ends within its warm-up climbs towards the peak.
  const top = warmupSteps < totalSteps ? base(warmupSteps) : lr;
  return (s) => (s < warmupSteps ? warmupFrom + ((top - warmupFrom) * s) / warmupSteps : base(s));
}

function baseRate({
  name,
  lr,
  totalSteps,
  finalLr = 0,
  milestones = [],
  gamma = 0.1,
}: ScheduleOptions): (s: number) => number {
  switch (name) {
    case 'constant':
      return () => lr;
    case 'cosine':
      return (s) => finalLr + ((lr - finalLr) * (1 + Math.cos((Math.PI * s) / totalSteps))) / 2;
    case 'step':
      return (s) => lr * gamma ** milestones.filter((m) => m <= s).length;
  }
}
