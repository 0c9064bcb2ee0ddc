import type { ResolvedConfig } from '../config/schema.js';
import type { EngineAddon, NativeLoader, NativeSession } from '../native/bindings.js';

/** What an evaluation may use while a run is under way. It must leave the session as it found it: embed() does. */
export interface HookContext {
  /** Steps done. */
  readonly step: number;
  readonly epoch: number;
  readonly config: ResolvedConfig;
  readonly engine: EngineAddon;
  readonly session: NativeSession;
  /** The run's own loader: evaluation clips share its cache and its threads. */
  readonly loader: NativeLoader;
  readonly signal: AbortSignal;
}

/** An evaluation during training. What it gives goes into metrics.jsonl and TensorBoard under `name`. */
export interface EvaluationHook {
  readonly name: string;
  /** At the end of every so many epochs. */
  readonly everyEpochs?: number;
  /** After every so many steps. */
  readonly everySteps?: number;
  run(context: HookContext): Promise<Readonly<Record<string, number>>>;
}

/** Whether the hook is due after `step` steps; `epochsDone` is set at the end of an epoch only. */
export function isDue(hook: EvaluationHook, step: number, epochsDone: number | null): boolean {
  const byEpoch =
    hook.everyEpochs !== undefined && epochsDone !== null && epochsDone % hook.everyEpochs === 0;
  return byEpoch || (hook.everySteps !== undefined && step % hook.everySteps === 0);
}
