/** One call's worth of training, in a run folder that is locked: data, session and schedule, then the step loop. */
import { availableParallelism } from 'node:os';
import type { Device } from '../checks.js';
import { countBatches, countSteps } from '../data/epoch-order.js';
import { BatchPlanner } from '../data/planner.js';
import { Quarantine } from '../data/quarantine.js';
import type { GetFacts, Manifest } from '../data/rows.js';
import { getMethod } from '../methods/registry.js';
import type { EngineAddon, NativeLoader, NativeSession } from '../native/bindings.js';
import { type Checkpoint, writeCheckpoint } from '../weights/checkpoint.js';
import { Crowding } from './crowding.js';
import type { TrainEvent, TrainResult } from './events.js';
import { exportEncoders } from './export-encoders.js';
import { BEFORE_EPOCHS, Faults } from './faults.js';
import { Feed } from './feed.js';
import type { InitWeights } from './init-weights.js';
import { lookAtFiles } from './look-at-files.js';
import { type LoopResult, runLoop } from './loop.js';
import { openSession } from './open-session.js';
import type { RankGroup } from './ranks.js';
import { describeEnvironment, writeRunConfig } from './run-folder.js';
import { type LogOfRun, NO_LOG, RunLog } from './run-log.js';
import { type RunState, videosFingerprint } from './run-state.js';
import { scheduleOf } from './schedule.js';
import type { Settled, TrainOptions } from './settled.js';
import { shareWith } from './sharing.js';
import { startWarnings } from './start-warnings.js';
import { resultOf } from './train-result.js';

/** Bytes of decoded batches that may wait for the step; at least one batch, whatever its size. */
const AHEAD_BYTES = 2 ** 30;

/** What a run is made of once its folder is taken. */
export interface TrainingParts extends Settled {
  readonly options: TrainOptions;
  readonly emit: (event: TrainEvent) => void;
  readonly manifest: Manifest;
  /** The one to go on from. */
  readonly checkpoint: Checkpoint<RunState> | null;
  /** What a new run begins with, if not at random. */
  readonly init: InitWeights | null;
  readonly engine: EngineAddon;
  /** Where the network runs. */
  readonly device: Device;
  readonly getFacts: GetFacts;
  readonly group: RankGroup;
}

export class Training {
  readonly #parts: TrainingParts;
  readonly #signal: AbortSignal;
  readonly #threads: number;
  readonly #workers: number;
  readonly #quarantine = new Quarantine();
  readonly #faults: Faults;
  /** Steps done before this call. */
  readonly #from: number;
  /** Encoder file whose weights the run began with. */
  readonly #init: { readonly init?: string };
  #totalSteps: number;
  /** Videos that are not known to be unusable at the start. */
  #usable = 0;

  constructor(parts: TrainingParts) {
    const { config, options, manifest, checkpoint, init } = parts;
    const all = options.cores ?? availableParallelism();
    const cores = Math.max(1, Math.floor(all / parts.group.localSize));
    this.#parts = parts;
    this.#signal = options.signal ?? new AbortController().signal;
    this.#threads = config.train.threads === 'auto' ? cores : config.train.threads;
    this.#workers = config.data.workers === 'auto' ? cores : config.data.workers;
    this.#faults = new Faults(manifest.rows, checkpoint?.state);
    this.#from = checkpoint?.step ?? 0;
    const initFile = checkpoint ? checkpoint.state.init : init?.path;
    this.#init = initFile === undefined ? {} : { init: initFile };
    this.#totalSteps = checkpoint?.state.totalSteps ?? 0;
  }

  async run(): Promise<TrainResult> {
    const start = performance.now();
    const { config, options, emit, checkpoint, init, engine, group, device } = this.#parts;
    await this.#countUsable();
    const [usable, threads] = [this.#usable, this.#threads];
    this.#totalSteps ||= countSteps(config.train, usable);
    const known = { usable, batch: config.train.batch, threads, ranks: group.size, checkpoint };
    for (const message of startWarnings(known)) emit({ type: 'warning', message });
    engine.setThreads(threads);
    const batch = Math.floor(Math.min(config.train.batch, usable) / group.size);
    const session = await openSession(engine, config, {
      group,
      device,
      accumulate: Math.min(config.train.accumulate, Math.max(batch, 1)),
      state: checkpoint?.tensors,
      init,
    });
    const cacheBytes = Math.round(config.data.cacheMB * 2 ** 20);
    const loader = engine.createLoader({ threads: this.#workers, cacheBytes, packs: device !== 'cpu' });
    try {
      if (!checkpoint || options.resume !== 'auto') await group.byFirst(() => this.#describeRun());
      const done = await this.#train(session, loader);
      const [from, totalSteps, faults] = [this.#from, this.#totalSteps, this.#faults];
      const run = { paths: this.#parts.paths, from, totalSteps, faults };
      const result = resultOf(done, run, (performance.now() - start) / 1000);
      emit({ type: 'end', ...result });
      return result;
    } finally {
      loader.dispose();
      session.dispose();
    }
  }

  /** Files known to be bad leave before the first step. Those of a new run are not known, unless all are looked at. */
  async #countUsable(): Promise<void> {
    const { config, options, emit, manifest, checkpoint, getFacts } = this.#parts;
    const [workers, faults, signal] = [this.#workers, this.#faults, this.#signal];
    if (!checkpoint && options.indexFirst)
      await lookAtFiles({ manifest, getFacts, workers, onError: config.data.onError, faults, emit, signal });
    for (const { id, epoch } of faults.files) this.#quarantine.add(id, epoch);
    const unusable = faults.files.filter(({ epoch }) => epoch === BEFORE_EPOCHS).length;
    this.#usable = manifest.rows.length - unusable;
  }

  /** Whether it shares the processors with others that belong to it: what those take is no surprise. */
  #isBesideOwn(): boolean {
    const { group, options } = this.#parts;
    return group.localSize > 1 || options.cores !== undefined;
  }

  async #describeRun(): Promise<void> {
    const { config, paths, manifest, engine } = this.#parts;
    await writeRunConfig(paths, config, {
      ...(await describeEnvironment(engine)),
      totalSteps: this.#totalSteps,
      device: this.#parts.device,
      threads: this.#threads,
      workers: this.#workers,
      ...(this.#parts.group.size > 1 && { ranks: this.#parts.group.size }),
      videos: manifest.rows.length,
      ...this.#init,
    });
  }

  /** The steps of this call; none when they are done and only the weights are not of the last of them. */
  async #train(session: NativeSession, loader: NativeLoader): Promise<LoopResult> {
    const { config, paths, options, emit, engine, group } = this.#parts;
    const [from, totalSteps, usable, signal] = [this.#from, this.#totalSteps, this.#usable, this.#signal];
    const method = getMethod(config.method);
    const to = Math.min(totalSteps, options.maxSteps ?? totalSteps);
    const stepsPerEpoch = countBatches(usable, config.train.batch);
    const log = await this.#openLog();
    let feed: Feed | null = null;
    try {
      emit({
        type: 'start',
        out: paths.folder,
        step: from,
        lastStep: to,
        totalSteps,
        stepsPerEpoch,
        videos: usable,
        batch: Math.min(config.train.batch, usable),
        device: this.#parts.device,
        threads: this.#threads,
        workers: this.#workers,
      });
      if (from >= to) {
        await group.byFirst(() => exportEncoders(session, config, paths, from));
        return { step: from, clips: 0, loss: null, dataSeconds: 0, stepSeconds: 0 };
      }
      feed = await this.#openFeed(session, loader, to);
      return await runLoop({
        session,
        feed,
        log,
        rateAt: scheduleOf(config.train, totalSteps, stepsPerEpoch),
        totalSteps,
        hyper: (step) => method.hyper(config, { step, totalSteps }),
        from,
        to,
        batch: Math.min(config.train.batch, usable),
        logEvery: config.log.every,
        checkpointEvery: config.train.checkpointEvery,
        faults: this.#faults,
        saveCheckpoint: (step, epoch) => this.#save(session, step, epoch),
        nonFiniteFile: paths.nonFinite,
        hooks: options.hooks ?? [],
        hookContext: { config, engine, session, loader, signal },
        emit,
        crowding: this.#isBesideOwn() ? null : new Crowding((message) => emit({ type: 'warning', message })),
        signal,
        group,
      });
    } catch (error) {
      if (error !== signal.reason) await group.leave(error); // before the feed waits for the other ranks' feeds
      throw error;
    } finally {
      await feed?.close();
      await log.close();
    }
  }

  async #openLog(): Promise<LogOfRun> {
    const { config, paths, group } = this.#parts;
    if (!group.isFirst) return NO_LOG;
    const { tensorboard, plans } = config.log;
    const quarantine = this.#faults.files;
    return await RunLog.open({ folder: paths.folder, tensorboard, plans, step: this.#from, quarantine });
  }

  async #openFeed(session: NativeSession, loader: NativeLoader, to: number): Promise<Feed> {
    const { config, manifest, getFacts, group } = this.#parts;
    const quarantine = this.#quarantine;
    const method = getMethod(config.method);
    const planner = new BatchPlanner({
      config,
      totalSteps: this.#totalSteps,
      planViews: (context) => method.planViews(context, config),
      manifest,
      getFacts,
      quarantine,
    });
    return new Feed({
      planner,
      loader,
      quarantine,
      rows: manifest.rows,
      clips: this.#faults.clips.encode(),
      from: this.#from,
      to,
      aheadBytes: AHEAD_BYTES / group.localSize,
      onError: config.data.onError,
      prepare: (batch) => session.prepare(batch),
      sharing: await shareWith(group),
    });
  }

  async #save(session: NativeSession, step: number, epoch: number): Promise<void> {
    const { config, paths, emit, manifest, group } = this.#parts;
    const state: RunState = {
      config,
      epoch,
      totalSteps: this.#totalSteps,
      videos: videosFingerprint(manifest),
      ...this.#init,
      threads: this.#threads,
      ...(group.size > 1 && { ranks: group.size }),
      quarantine: this.#faults.files,
      clips: this.#faults.clips.encode(),
    };
    const tensors = await session.exportState();
    const keep = config.train.keepCheckpoints;
    const path = await writeCheckpoint(paths.checkpoints, { step, state, tensors }, { keep });
    emit({ type: 'checkpoint', step, path });
    await exportEncoders(session, config, paths, step);
  }
}
