/** One call's worth of training, in a run folder that is locked: data, session and schedule, then the step loop. */
import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { throwIfAborted } from '../checks.js';
import type { ResolvedConfig } from '../config/schema.js';
import { countBatches, countSteps } from '../data/epoch-order.js';
import { BatchPlanner } from '../data/planner.js';
import { Quarantine } from '../data/quarantine.js';
import type { GetFacts, Manifest, VideoRow } from '../data/rows.js';
import { toVsslError, VsslError } from '../errors.js';
import { getMethod } from '../methods/registry.js';
import type { EngineAddon, NativeSession } from '../native/bindings.js';
import { packageVersion } from '../native/load.js';
import { type Checkpoint, writeCheckpoint } from '../weights/checkpoint.js';
import { writeEncoderFile } from '../weights/encoder-file.js';
import type { TrainEvent, TrainResult } from './events.js';
import { BEFORE_EPOCHS, Faults, type Find, toRecord } from './faults.js';
import { Feed, unusableFile } from './feed.js';
import { type LoopResult, runLoop } from './loop.js';
import { describeEnvironment, type RunPaths, writeRunConfig } from './run-folder.js';
import { RunLog, runWriteError } from './run-log.js';
import { encoderPath, type RunState, videosFingerprint } from './run-state.js';
import { buildSchedule } from './schedule.js';
import { buildSessionSpec } from './session-spec.js';
import type { Settled, TrainOptions } from './settled.js';

/** Bytes of decoded batches that may wait for the step; at least one batch, at most four, whatever their size. */
const AHEAD_BYTES = 2 ** 30;

export class Training {
  readonly #config: ResolvedConfig;
  readonly #paths: RunPaths;
  readonly #options: TrainOptions;
  readonly #emit: (event: TrainEvent) => void;
  readonly #manifest: Manifest;
  readonly #checkpoint: Checkpoint<RunState> | null;
  readonly #signal: AbortSignal;
  readonly #engine: EngineAddon;
  readonly #device: 'cpu' | 'cuda';
  readonly #threads: number;
  readonly #workers: number;
  readonly #getFacts: GetFacts;
  readonly #quarantine = new Quarantine();
  readonly #faults: Faults;
  #totalSteps: number;

  constructor(
    { config, paths }: Settled,
    options: TrainOptions,
    emit: (event: TrainEvent) => void,
    manifest: Manifest,
    checkpoint: Checkpoint<RunState> | null,
    engine: EngineAddon,
    getFacts: GetFacts,
  ) {
    this.#config = config;
    this.#paths = paths;
    this.#options = options;
    this.#emit = emit;
    this.#manifest = manifest;
    this.#checkpoint = checkpoint;
    this.#signal = options.signal ?? new AbortController().signal;
    this.#engine = engine;
    this.#device = chooseDevice(this.#engine, config.train.device);
    const cores = availableParallelism();
    this.#threads = config.train.threads === 'auto' ? cores : config.train.threads;
    this.#workers = config.data.workers === 'auto' ? cores : config.data.workers;
    this.#getFacts = getFacts;
    this.#faults = new Faults(manifest.rows, checkpoint?.state);
    this.#totalSteps = checkpoint?.state.totalSteps ?? 0;
  }

  async run(): Promise<TrainResult> {
    const start = performance.now();
    const config = this.#config;
    const from = this.#checkpoint?.step ?? 0;
    if (!this.#checkpoint) await this.#lookAtFiles();
    const { files } = this.#faults;
    for (const { id, epoch } of files) this.#quarantine.add(id, epoch);
    const usable = this.#manifest.rows.length - files.filter(({ epoch }) => epoch === BEFORE_EPOCHS).length;
    this.#totalSteps ||= countSteps(config.train, usable);
    this.#warn(usable);
    const stepsPerEpoch = countBatches(usable, config.train.batch);
    const rateAt = this.#schedule(stepsPerEpoch);
    const method = getMethod(config.method);
    const to = Math.min(this.#totalSteps, this.#options.maxSteps ?? this.#totalSteps);

    this.#engine.setThreads(this.#threads);
    const session = await this.#openSession(usable);
    const loader = this.#engine.createLoader({
      threads: this.#workers,
      cacheBytes: Math.round(config.data.cacheMB * 2 ** 20),
    });
    let log: RunLog | null = null;
    let feed: Feed | null = null;
    try {
      if (!this.#checkpoint || this.#options.resume !== 'auto') await this.#describeRun();
      log = await RunLog.open({
        folder: this.#paths.folder,
        tensorboard: config.log.tensorboard,
        plans: config.log.plans,
        step: from,
        quarantine: files,
      });
      this.#emit({
        type: 'start',
        out: this.#paths.folder,
        step: from,
        lastStep: to,
        totalSteps: this.#totalSteps,
        stepsPerEpoch,
        videos: usable,
        batch: Math.min(config.train.batch, usable),
        device: this.#device,
        threads: this.#threads,
        workers: this.#workers,
      });
      let done: LoopResult = { step: from, clips: 0, loss: null, dataSeconds: 0, stepSeconds: 0 };
      if (from < to) {
        feed = this.#openFeed(loader, from, to);
        done = await runLoop({
          session,
          feed,
          log,
          rateAt,
          totalSteps: this.#totalSteps,
          hyper: (step) => method.hyper(config, { step, totalSteps: this.#totalSteps }),
          from,
          to,
          logEvery: config.log.every,
          checkpointEvery: config.train.checkpointEvery,
          faults: this.#faults,
          saveCheckpoint: (step, epoch) => this.#save(session, step, epoch),
          nonFiniteFile: this.#paths.nonFinite,
          hooks: this.#options.hooks ?? [],
          hookContext: { config, engine: this.#engine, session, loader, signal: this.#signal },
          emit: this.#emit,
          signal: this.#signal,
        });
      } else {
        await this.#export(session, from);
      }
      const result = this.#result(done, from, (performance.now() - start) / 1000);
      this.#emit({ type: 'end', ...result });
      return result;
    } finally {
      await feed?.close();
      await log?.close();
      loader.dispose();
      session.dispose();
    }
  }

  /** Indexes every file before the first step: which can be used decides the batch and the length of the run. */
  async #lookAtFiles(): Promise<void> {
    const { rows } = this.#manifest;
    const finds: (Find | null)[] = new Array(rows.length).fill(null);
    let next = 0;
    let done = 0;
    let failed: unknown;
    const look = async () => {
      while (next < rows.length && failed === undefined) {
        throwIfAborted(this.#signal);
        const place = next++;
        finds[place] = await this.#look(rows[place]!, place);
        done += 1;
        this.#emit({ type: 'index', done, total: rows.length });
      }
    };
    await Promise.all(
      Array.from({ length: Math.min(rows.length, this.#workers) }, () =>
        look().catch((error) => {
          failed ??= error;
        }),
      ),
    );
    if (failed !== undefined) throw failed;
    for (const find of finds) {
      if (!find) continue;
      if (this.#config.data.onError === 'fail') throw unusableFile(find);
      const record = toRecord(find, 0);
      this.#faults.addFile(record);
      this.#emit({ type: 'quarantine', ...record });
    }
    if (this.#faults.files.length === rows.length) {
      const { path, reason } = this.#faults.files[0]!;
      throw new VsslError(
        'ERR_VSSL_NO_USABLE_VIDEO',
        `none of the ${rows.length} videos of ${this.#manifest.spec} can be used (${path}: ${reason}); 'vssl-native check --data ${this.#manifest.spec}' says why for each`,
        { details: { data: this.#manifest.spec, first: path } },
      );
    }
  }

  async #look(row: VideoRow, index: number): Promise<Find | null> {
    try {
      await this.#getFacts(row);
      return null;
    } catch (error) {
      const { code, message } = toVsslError(error);
      if (!code.startsWith('ERR_VSSL_VIDEO')) throw error; // not the file's fault
      return { sample: { row, index, epoch: BEFORE_EPOCHS }, code, reason: message, where: -1 };
    }
  }

  #warn(usable: number): void {
    const { train } = this.#config;
    const warn = (message: string) => this.#emit({ type: 'warning', message });
    if (usable < train.batch)
      warn(
        `there are ${usable} usable videos, fewer than train.batch (${train.batch}): the batch is ${usable}`,
      );
    const before = this.#checkpoint?.state.threads;
    if (before !== undefined && before !== this.#threads)
      warn(
        `the run was made with ${before} threads and goes on with ${this.#threads}: its last bits will not be those of an unbroken run`,
      );
  }

  #schedule(stepsPerEpoch: number): (step: number) => number {
    const { schedule, optimizer, epochs } = this.#config.train;
    const warmup = schedule.warmupSteps ?? Math.round((schedule.warmupEpochs ?? 0) * stepsPerEpoch);
    const unit = epochs === null ? 1 : stepsPerEpoch;
    return buildSchedule({
      name: schedule.name,
      lr: optimizer.lr,
      totalSteps: this.#totalSteps,
      warmupSteps: warmup,
      finalLr: schedule.finalLr,
      milestones: schedule.milestones.map((m) => Math.round(m * unit)),
      gamma: schedule.gamma,
    });
  }

  async #openSession(usable: number): Promise<NativeSession> {
    const { train } = this.#config;
    const caller = new Error();
    const fail = (error: unknown) => {
      throw toVsslError(error, caller);
    };
    const session = await this.#engine
      .createSession(
        buildSessionSpec(this.#config, {
          accumulate: Math.min(train.accumulate, train.batch, usable),
          device: this.#device,
        }),
      )
      .catch(fail);
    if (this.#checkpoint) await session.importState(this.#checkpoint.tensors).catch(fail);
    return session;
  }

  #openFeed(loader: ReturnType<EngineAddon['createLoader']>, from: number, to: number): Feed {
    const config = this.#config;
    const { frames, size } = config.data.clip;
    const batchBytes = 2 * config.train.batch * frames * size * size * 3 * 4;
    return new Feed({
      planner: new BatchPlanner({
        config,
        totalSteps: this.#totalSteps,
        planViews: (context) => getMethod(config.method).planViews(context, config),
        manifest: this.#manifest,
        getFacts: this.#getFacts,
        quarantine: this.#quarantine,
      }),
      loader,
      quarantine: this.#quarantine,
      rows: this.#manifest.rows,
      clips: this.#faults.clips.encode(),
      from,
      to,
      depth: Math.max(1, Math.min(4, Math.floor(AHEAD_BYTES / batchBytes))),
      onError: config.data.onError,
    });
  }

  async #describeRun(): Promise<void> {
    await writeRunConfig(this.#paths, this.#config, {
      ...(await describeEnvironment(this.#engine)),
      totalSteps: this.#totalSteps,
      device: this.#device,
      threads: this.#threads,
      workers: this.#workers,
      videos: this.#manifest.rows.length,
    });
  }

  async #save(session: NativeSession, step: number, epoch: number): Promise<void> {
    const state: RunState = {
      config: this.#config,
      epoch,
      totalSteps: this.#totalSteps,
      videos: videosFingerprint(this.#manifest),
      threads: this.#threads,
      quarantine: this.#faults.files,
      clips: this.#faults.clips.encode(),
    };
    const tensors = await session.exportState();
    const keep = this.#config.train.keepCheckpoints;
    const path = await writeCheckpoint(this.#paths.checkpoints, { step, state, tensors }, { keep });
    this.#emit({ type: 'checkpoint', step, path });
    await this.#export(session, step);
  }

  /** The encoder that the method's paper evaluates is written last: its step tells that all are of that step. */
  async #export(session: NativeSession, step: number): Promise<void> {
    const names = session.encoderNames();
    try {
      if (names.length > 1) await mkdir(this.#paths.encoders, { recursive: true });
      for (const name of names.slice(1))
        await this.#exportOne(session, name, step, encoderPath(this.#paths, name));
      await this.#exportOne(session, names[0]!, step, this.#paths.weights);
    } catch (error) {
      throw runWriteError(this.#paths.folder, error);
    }
  }

  async #exportOne(session: NativeSession, name: string, step: number, path: string): Promise<void> {
    const { data, method } = this.#config;
    const description = {
      method,
      encoder: name,
      model: session.encoderSpec(name) as { arch: string; width: number },
      clip: data.clip,
      input: data.input,
      mean: data.normalize.mean,
      std: data.normalize.std,
      shrink: data.shrink,
      step,
    };
    await writeEncoderFile(path, description, await session.exportEncoder(name), {
      package_version: packageVersion,
    }).catch((error) => {
      throw runWriteError(this.#paths.folder, error, path);
    });
  }

  #result(done: LoopResult, from: number, seconds: number): TrainResult {
    const stepsTime = done.dataSeconds + done.stepSeconds;
    return {
      out: this.#paths.folder,
      weights: this.#paths.weights,
      step: done.step,
      stepsDone: done.step - from,
      totalSteps: this.#totalSteps,
      finished: done.step >= this.#totalSteps,
      loss: done.loss,
      seconds,
      clipsPerSecond: stepsTime > 0 ? done.clips / stepsTime : 0,
      dataWait: stepsTime > 0 ? done.dataSeconds / stepsTime : 0,
      quarantined: this.#faults.files.length,
      failedClips: this.#faults.clips.failures,
    };
  }
}

function chooseDevice(engine: EngineAddon, wanted: 'auto' | 'cpu' | 'cuda'): 'cpu' | 'cuda' {
  if (wanted === 'cpu') return 'cpu';
  const { cudaAvailable, cudaReason } = engine.info();
  if (cudaAvailable) return 'cuda';
  if (wanted === 'auto') return 'cpu';
  throw new VsslError(
    'ERR_VSSL_CUDA_UNAVAILABLE',
    `train.device is cuda, but ${cudaReason || 'there is no CUDA device'}`,
  );
}
