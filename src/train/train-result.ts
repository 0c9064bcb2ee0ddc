import type { TrainResult } from './events.js';
import type { Faults } from './faults.js';
import type { LoopResult } from './loop.js';
import type { RunPaths } from './run-folder.js';

/** What a call of training tells at its end. `from`: steps done before it. */
export function resultOf(
  done: LoopResult,
  run: {
    readonly paths: RunPaths;
    readonly from: number;
    readonly totalSteps: number;
    readonly faults: Faults;
  },
  seconds: number,
): TrainResult {
  const { paths, from, totalSteps, faults } = run;
  const stepsTime = done.dataSeconds + done.stepSeconds;
  return {
    out: paths.folder,
    weights: paths.weights,
    step: done.step,
    stepsDone: done.step - from,
    totalSteps,
    finished: done.step >= totalSteps,
    loss: done.loss,
    seconds,
    clipsPerSecond: stepsTime > 0 ? done.clips / stepsTime : 0,
    dataWait: stepsTime > 0 ? done.dataSeconds / stepsTime : 0,
    quarantined: faults.files.length,
    failedClips: faults.clips.failures,
  };
}
