import type { ResolvedConfig } from '../config/schema.js';
import { getMethod } from '../methods/registry.js';
import type { NativeRanksSpec } from '../native/bindings.js';

/** What each optimiser reads; the engine refuses a setting that would have no effect. */
const OPTIMIZER_KEYS = {
  sgd: ['name', 'momentum', 'nesterov', 'weightDecay'],
  lars: ['name', 'momentum', 'nesterov', 'weightDecay', 'trustCoefficient'],
  adamw: ['name', 'betas', 'eps', 'weightDecay'],
} as const;

/** What the engine's createSession is given for a configuration; `accumulate` and `device` as they are in this run. */
export function buildSessionSpec(
  config: ResolvedConfig,
  {
    accumulate,
    device,
    ranks = null,
  }: {
    readonly accumulate: number;
    readonly device: string;
    readonly ranks?: NativeRanksSpec | null;
  },
) {
  const { train } = config;
  const { checkpoint, ...model } = config.model;
  const { engine, nativeOptions, syncNorm } = getMethod(config.method);
  return {
    method: engine,
    options: nativeOptions(config),
    model,
    checkpoint,
    optimizer: Object.fromEntries(
      OPTIMIZER_KEYS[train.optimizer.name].map((key) => [key, train.optimizer[key]]),
    ),
    precision: train.precision,
    channelsLast: train.channelsLast,
    accumulate,
    clipNorm: train.clipNorm,
    seed: train.seed,
    device,
    graph: train.graph,
    syncNorm: train.syncNorm === 'auto' ? syncNorm : train.syncNorm,
    ...(ranks && { ranks }),
  };
}
