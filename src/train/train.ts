/** Trains: takes the run folder, finds where to go on, and hands over to the training itself. */

import { resolve } from 'node:path';
import { checkBoolean, checkCount, checkOptions, checkSignal, checkText } from '../checks.js';
import type { ResolvedConfig } from '../config/schema.js';
import { loadManifest } from '../data/manifest.js';
import type { GetFacts } from '../data/rows.js';
import { openFacts } from '../embed/video-facts.js';
import { configError, toVsslError } from '../errors.js';
import { resolveConfig, type TrainConfig } from '../methods/config.js';
import { ofMethod } from '../methods/registry.js';
import { noFlow } from '../native/flow.js';
import { openEngine } from '../native/load.js';
import { type Checkpoint, listCheckpoints } from '../weights/checkpoint.js';
import { absoluteSpec } from './absolute-spec.js';
import type { TrainEvent, TrainResult } from './events.js';
import { needsFlow } from './flow-need.js';
import type { EvaluationHook } from './hooks.js';
import { readInitWeights } from './init-weights.js';
import { cleanRunFolder, emptyRunFolder, makeRunFolder, type RunPaths, runPaths } from './run-folder.js';
import { lockRunFolder } from './run-lock.js';
import { runWriteError } from './run-log.js';
import { checkSameVideos, findCheckpoint, isDone, type RunState } from './run-state.js';
import type { Settled, TrainOptions } from './settled.js';
import { TrainRun } from './train-run.js';
import { Training } from './training.js';

export type { TrainOptions } from './settled.js';

/**
 * Starts training. The result rejects with VsslError: ERR_VSSL_CONFIG, ERR_VSSL_RESUME_MISMATCH, ERR_VSSL_LOCKED,
 * ERR_VSSL_RUN_WRITE, ERR_VSSL_CHECKPOINT_WRITE, ERR_VSSL_DATA, ERR_VSSL_NO_USABLE_VIDEO, ERR_VSSL_NO_FLOW,
 * ERR_VSSL_NON_FINITE, and the errors of loading the engine; and with the reason of an aborted signal.
 */
export function train(
  config: TrainConfig | ResolvedConfig,
  options: TrainOptions = {},
  evaluations: readonly EvaluationHook[] = [],
): TrainRun {
  return new TrainRun(async (emit) => {
    await Promise.resolve(); // whoever iterates gets every event
    let method = '';
    try {
      const settled = settle(config, options);
      method = settled.config.method;
      const hooks = [...evaluations, ...(options.hooks ?? [])];
      return await runTraining(settled, { ...options, hooks }, emit);
    } catch (error) {
      // the reason of an aborted signal is the caller's own and comes through as it is
      throw error === options?.signal?.reason ? error : ofMethod(method, toVsslError(error));
    }
  });
}

function settle(given: TrainConfig | ResolvedConfig, options: TrainOptions): Settled {
  checkOptions(options, ['signal', 'out', 'data', 'resume', 'init', 'maxSteps', 'indexFirst', 'hooks']);
  const { maxSteps, resume, init, signal, indexFirst } = options;
  checkSignal(signal);
  if (maxSteps !== undefined) checkCount('maxSteps', maxSteps);
  if (indexFirst !== undefined) checkBoolean('indexFirst', indexFirst);
  if (resume !== undefined) checkText('resume', "'auto', 'never' or a checkpoint file", resume);
  if (init !== undefined)
    checkText('init', 'an encoder file, such as the weights.safetensors of a run', init);
  const base = resolveConfig(given as TrainConfig);
  const out = options.out ?? base.out;
  const data = options.data ?? base.data.path;
  if (!out) throw configError('out', 'is missing: say where the run goes (--out DIR)');
  if (!data) throw configError('data.path', 'is missing: say where the videos are (--data PATH)');
  const paths = runPaths(resolve(out));
  const dataPath = absoluteSpec(data);
  return { config: { ...base, out: paths.folder, data: { ...base.data, path: dataPath } }, paths, dataPath };
}

async function runTraining(
  settled: Settled,
  options: TrainOptions,
  emit: (event: TrainEvent) => void,
): Promise<TrainResult> {
  const { config, paths, dataPath } = settled;
  const { resume = 'auto' } = options;
  const initFile = options.init === undefined ? undefined : resolve(options.init);
  const isNew =
    resume === 'never' || (resume === 'auto' && (await listCheckpoints(paths.checkpoints)).length === 0);
  // Wrong files should not leave a folder behind; a finished run should not need its data.
  const init = isNew && initFile !== undefined ? await readInitWeights(initFile) : null;
  const early = isNew ? await loadManifest(dataPath, { except: [paths.folder] }) : null;
  await makeRunFolder(paths);
  const lock = await lockRunFolder(paths.folder).catch((error) => {
    throw runWriteError(paths.folder, error);
  });
  try {
    await cleanRunFolder(paths);
    const warn = (message: string) => emit({ type: 'warning', message });
    const checkpoint = await findCheckpoint(paths, resume, config, initFile, (error) => warn(error.message));
    if (checkpoint && (await isDone(paths, checkpoint, options.maxSteps))) {
      const result = idleResult(paths, checkpoint);
      emit({ type: 'end', ...result });
      return result;
    }
    const manifest = early ?? (await loadManifest(dataPath, { except: [paths.folder] }));
    for (const warning of manifest.warnings) warn(warning);
    if (checkpoint) checkSameVideos(paths.folder, checkpoint.state, manifest);
    else await emptyRunFolder(paths);
    const engine = await openEngine();
    const facts = await openFacts(engine, paths.videoIndex, warn);
    const getFacts: GetFacts = (row) => facts.get(row);
    try {
      if (!engine.info().flowVersion && (await needsFlow(config, manifest.rows, getFacts)))
        throw noFlow(engine, 'use frame differences, which need nothing more');
      return await new Training({
        ...settled,
        options,
        emit,
        manifest,
        checkpoint,
        init,
        engine,
        getFacts,
      }).run();
    } finally {
      await facts.flush();
    }
  } finally {
    await lock.release();
  }
}

function idleResult(paths: RunPaths, { step, state }: Checkpoint<RunState>): TrainResult {
  return {
    out: paths.folder,
    weights: paths.weights,
    step,
    stepsDone: 0,
    totalSteps: state.totalSteps,
    finished: step >= state.totalSteps,
    loss: null,
    seconds: 0,
    clipsPerSecond: 0,
    dataWait: 0,
    quarantined: state.quarantine.length,
    failedClips: (state.clips?.failed ?? []).reduce((sum, [, clips]) => sum + clips, 0),
  };
}
