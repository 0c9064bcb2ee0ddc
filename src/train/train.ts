/** Trains: takes the run folder, finds where to go on, and hands over to the training itself. */

import { resolve } from 'node:path';
import { checkBoolean, checkCount, checkOptions, checkSignal, checkText, LIMITS } from '../checks.js';
import type { ResolvedConfig } from '../config/schema.js';
import { loadManifest } from '../data/manifest.js';
import type { GetFacts } from '../data/rows.js';
import { openFacts } from '../embed/video-facts.js';
import { configError, toVsslError } from '../errors.js';
import { resolveConfig, type TrainConfig } from '../methods/config.js';
import { ofMethod } from '../methods/registry.js';
import { requireCuda } from '../native/flavour.js';
import { noFlow } from '../native/flow.js';
import { openEngine } from '../native/load.js';
import { type Checkpoint, listCheckpoints } from '../weights/checkpoint.js';
import { type FolderLock, lockFolder } from '../weights/folder-lock.js';
import { absoluteSpec } from './absolute-spec.js';
import { deviceOfRun } from './device-of-run.js';
import type { TrainEvent, TrainResult } from './events.js';
import { needsFlow } from './flow-need.js';
import type { EvaluationHook } from './hooks.js';
import { readInitWeights } from './init-weights.js';
import { checkRankPlace } from './rank-place.js';
import { joinRanks, type RankGroup, SINGLE } from './ranks.js';
import { cleanRunFolder, emptyRunFolder, makeRunFolder, type RunPaths, runPaths } from './run-folder.js';
import { runWriteError } from './run-log.js';
import { checkSameVideos, findCheckpoint, isDone, type RunState } from './run-state.js';
import { checkBatch, checkSameOnAll } from './same-on-all.js';
import type { Settled, TrainOptions } from './settled.js';
import { TrainRun } from './train-run.js';
import { Training } from './training.js';

export type { TrainOptions } from './settled.js';

/**
 * Starts training. The result rejects with VsslError: ERR_VSSL_CONFIG, ERR_VSSL_RESUME_MISMATCH, ERR_VSSL_LOCKED,
 * ERR_VSSL_RUN_WRITE, ERR_VSSL_CHECKPOINT_WRITE, ERR_VSSL_DATA, ERR_VSSL_NO_USABLE_VIDEO, ERR_VSSL_NO_FLOW,
 * ERR_VSSL_NON_FINITE, ERR_VSSL_CUDA_UNAVAILABLE, and the errors of loading the engine; and with the reason of an aborted
 * signal.
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
  checkOptions(options, [
    ...['signal', 'out', 'data', 'resume', 'init', 'maxSteps', 'indexFirst', 'hooks', 'ranks', 'rankTimeout'],
    'cores',
  ]);
  const { maxSteps, resume, init, signal, indexFirst, rankTimeout, cores } = options;
  checkSignal(signal);
  if (maxSteps !== undefined) checkCount('maxSteps', maxSteps);
  if (rankTimeout !== undefined) checkCount('rankTimeout', rankTimeout);
  if (cores !== undefined) checkCount('cores', cores, 1, LIMITS.threads);
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
  if (!options.ranks) return await runInGroup(settled, options, emit, SINGLE);
  checkBatch(settled.config, checkRankPlace(options.ranks).size);
  const engine = await openEngine(settled.config.train.device);
  const group = await joinRanks(engine, options.ranks, options.rankTimeout);
  try {
    // what rank 0 tells is told once
    return await runInGroup(settled, options, group.isFirst ? emit : () => {}, group);
  } catch (error) {
    if (error !== options.signal?.reason) await group.leave(error);
    throw error;
  } finally {
    group.dispose();
  }
}

async function runInGroup(
  settled: Settled,
  options: TrainOptions,
  emit: (event: TrainEvent) => void,
  group: RankGroup,
): Promise<TrainResult> {
  const { config, paths, dataPath } = settled;
  const { resume = 'auto' } = options;
  const initFile = options.init === undefined ? undefined : resolve(options.init);
  const isNew =
    resume === 'never' ||
    (resume === 'auto' && (await group.byFirst(() => listCheckpoints(paths.checkpoints))).length === 0);
  const readData = () => loadManifest(dataPath, { except: [paths.folder], signal: options.signal });
  // A device that is not there and wrong files should not leave a folder behind; a finished run should need neither.
  if (isNew) requireCuda(config.train.device);
  const init = isNew && initFile ? await group.together(() => readInitWeights(initFile, config)) : null;
  const early = isNew ? await group.together(readData) : null;
  const lock = await group.byFirst(() => takeRunFolder(paths));
  try {
    const warn = (message: string) => emit({ type: 'warning', message });
    const checkpoint = await findInGroup(group, () =>
      findCheckpoint(paths, resume, config, initFile, (error) => warn(error.message)),
    );
    if (checkpoint && (await group.byFirst(() => isDone(paths, checkpoint, options.maxSteps)))) {
      const result = idleResult(paths, checkpoint);
      emit({ type: 'end', ...result });
      return result;
    }
    const manifest = early ?? (await group.together(readData));
    for (const warning of [...(init?.warnings ?? []), ...manifest.warnings]) warn(warning);
    if (checkpoint) checkSameVideos(paths.folder, checkpoint.state, manifest);
    else await group.byFirst(() => emptyRunFolder(paths));
    const engine = await openEngine(config.train.device);
    const device = deviceOfRun(engine, config, group, warn);
    await checkSameOnAll(group, { config, manifest, engine, maxSteps: options.maxSteps });
    const facts = await openFacts(engine, group.isFirst ? paths.videoIndex : null, warn);
    const getFacts: GetFacts = (row) => facts.get(row);
    try {
      if (!engine.info().flowVersion && (await needsFlow(config, manifest.rows, getFacts)))
        throw noFlow(engine, 'use frame differences, which need nothing more');
      const found = {
        ...settled,
        options,
        emit,
        manifest,
        checkpoint,
        init,
        engine,
        device,
        getFacts,
        group,
      };
      return await new Training(found).run();
    } finally {
      await facts.flush();
    }
  } finally {
    if (group.isFirst) await lock.release();
  }
}

const TRAINING = { doing: 'training in', advice: 'choose another --out' };

/** Makes and locks it, and removes what killed processes left half written. */
async function takeRunFolder(paths: RunPaths): Promise<FolderLock> {
  await makeRunFolder(paths);
  const lock = await lockFolder(paths.folder, TRAINING).catch((error) => {
    throw runWriteError(paths.folder, error);
  });
  try {
    await cleanRunFolder(paths);
    return lock;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Rank 0 reads the checkpoint; the others know of it all but the tensors, which the sessions share. */
async function findInGroup(
  group: RankGroup,
  find: () => Promise<Checkpoint<RunState> | null>,
): Promise<Checkpoint<RunState> | null> {
  let whole: Checkpoint<RunState> | null = null;
  const told = await group.byFirst(async () => {
    whole = await find();
    return whole && { ...(whole as Checkpoint<RunState>), tensors: [] };
  });
  return whole ?? told;
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
