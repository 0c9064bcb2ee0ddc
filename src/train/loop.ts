/** The step loop: one batch, one step, one line of the log; checkpoints, evaluations, and the ways in which it stops. */
import { dirname } from 'node:path';
import { abortReason } from '../checks.js';
import { toVsslError, VsslError } from '../errors.js';
import type { Hyper } from '../methods/method.js';
import type { NativeSession } from '../native/bindings.js';
import { writeFileAtomic } from '../weights/atomic-write.js';
import type { Crowding } from './crowding.js';
import type { StepEvent, TrainEvent } from './events.js';
import type { Faults } from './faults.js';
import type { Feed, FeedItem } from './feed.js';
import { type EvaluationHook, type HookContext, isDue } from './hooks.js';
import { type RankGroup, SINGLE } from './ranks.js';
import { type LogOfRun, runWriteError } from './run-log.js';

export interface LoopOptions {
  readonly session: NativeSession;
  readonly feed: Feed;
  readonly log: LogOfRun;
  /** Learning rate of a step of the schedule, and its steps. */
  readonly rateAt: (step: number) => number;
  readonly totalSteps: number;
  /** What the method tells its step besides the rate. */
  readonly hyper: (step: number) => Hyper;
  /** Steps done, and steps to have been done at the end. */
  readonly from: number;
  readonly to: number;
  /** Videos that a batch should have: each time that one has fewer than any before is told. */
  readonly batch?: number;
  readonly logEvery: number;
  /** null: only at the end. */
  readonly checkpointEvery: number | null;
  /** What was bad up to step `from`; what the batches of later steps find is added to it. */
  readonly faults: Faults;
  readonly saveCheckpoint: (step: number, epoch: number) => Promise<void>;
  readonly nonFiniteFile: string;
  readonly hooks: readonly EvaluationHook[];
  readonly hookContext: Omit<HookContext, 'step' | 'epoch'>;
  readonly emit: (event: TrainEvent) => void;
  /** null: the other programs of this machine are ranks of this run. */
  readonly crowding: Crowding | null;
  readonly signal: AbortSignal;
  /** With whom it trains: all stop at the same step, and rank 0 alone evaluates and writes. Default: alone. */
  readonly group?: RankGroup;
}

export interface LoopResult {
  readonly step: number;
  readonly clips: number;
  readonly loss: number | null;
  readonly dataSeconds: number;
  readonly stepSeconds: number;
}

/** Sums over steps. */
interface Tally {
  steps: number;
  clips: number;
  dataSeconds: number;
  stepSeconds: number;
  exchangeSeconds: number;
}

const nothing = (): Tally => ({ steps: 0, clips: 0, dataSeconds: 0, stepSeconds: 0, exchangeSeconds: 0 });

/**
 * Runs steps `from` to `to`. Throws the signal's reason when it is aborted and ERR_VSSL_NON_FINITE when a loss or
 * gradient is not finite, both after a checkpoint of the last good state; what the feed, the log or a checkpoint throws
 * comes through, with the last checkpoint whole.
 */
export async function runLoop(options: LoopOptions): Promise<LoopResult> {
  const { feed, from, to, logEvery, checkpointEvery, emit, signal, log, group = SINGLE } = options;
  let [step, saved, epoch] = [from, from, 0];
  let loss: number | null = null;
  const total = nothing();
  let smallest = options.batch ?? 0;
  let sinceLine = nothing();
  const save = async () => {
    if (step === saved) return;
    await group.byFirst(() => options.saveCheckpoint(step, epoch));
    saved = step;
  };

  while (step < to) {
    const waitStart = performance.now();
    const next = await nextOrAborted(feed, signal);
    const item = (await group.anyStops(next === null)) ? drop(next) : next;
    if (item === null) {
      await save();
      throw signal.aborted ? abortReason(signal) : stoppedElsewhere(step);
    }
    try {
      const { event, finite, overflow } = await takeStep(
        options,
        item,
        (performance.now() - waitStart) / 1000,
      );
      if (overflow) emit({ type: 'warning', message: skipped(step + 1) });
      else if (!finite) {
        await save();
        throw await reportNonFinite(group.isFirst ? options.nonFiniteFile : null, item, event);
      }
      ({ step, epoch } = event);
      loss = event.losses.loss ?? null;
      for (const sum of [sinceLine, total]) addStep(sum, event);
      await recordFinds(options, item, step);
      const size = item.planned.samples.length;
      if (size < smallest) {
        emit({ type: 'warning', message: smallerBatch(step, size, smallest) });
        smallest = size;
      }
      await log.plan(step, item.planned);
      emit(event);
      if (step === 1 || step % logEvery === 0 || step === options.totalSteps) {
        await logStep(options, event, sinceLine);
        sinceLine = nothing();
      }
      await evaluate(options, step, epoch, item.lastOfEpoch).catch(async (error) => {
        await save(); // an evaluation that fails, or is stopped, costs no training
        throw signal.aborted ? abortReason(signal) : error;
      });
      if (checkpointEvery !== null && step % checkpointEvery === 0) await save();
    } finally {
      item.batch.dispose();
    }
  }
  await save();
  return { step, loss, ...total };
}

/** A batch that will not be taken. */
function drop(item: FeedItem | null): null {
  item?.batch.dispose();
  return null;
}

function stoppedElsewhere(step: number): VsslError {
  return new VsslError('ERR_VSSL_ABORTED', `another rank was told to stop; all stopped after step ${step}`, {
    details: { step },
  });
}

function smallerBatch(step: number, size: number, before: number): string {
  return `the batch of step ${step} has ${size} videos instead of ${before}: no other of them can be used`;
}

function addStep(sum: Tally, { clips, dataSeconds, stepSeconds, exchangeSeconds }: StepEvent): void {
  sum.steps += 1;
  sum.clips += clips;
  sum.dataSeconds += dataSeconds;
  sum.stepSeconds += stepSeconds;
  sum.exchangeSeconds += exchangeSeconds;
}

function skipped(step: number): string {
  return `step ${step} was left out: its gradient went beyond what fp16 holds; the next ones are scaled by half as much`;
}

/** What a step asked for and could not have, and what needs less. */
function beyondMemory(step: number, samples: number, error: VsslError): VsslError {
  return new VsslError(
    error.code,
    `step ${step}, a batch of ${samples}: ${error.message}; a higher train.accumulate takes the batch in more parts, ` +
      'which needs less at a time; model.checkpoint stage keeps less of each; and a smaller train.batch or ' +
      'data.clip.size needs less of all. The last checkpoint is whole',
    { cause: error, details: { step, samples } },
  );
}

/** One step of the session; where it is not finite it was not applied. */
async function takeStep(
  { session, rateAt, hyper }: LoopOptions,
  { step, epoch, batch, clips, planned }: FeedItem,
  dataSeconds: number,
): Promise<{ readonly event: StepEvent; readonly finite: boolean; readonly overflow: boolean }> {
  const start = performance.now();
  const lr = rateAt(step);
  const { losses, gradNorm, finite, overflow, exchangeSeconds } = await session
    .step(batch, { ...hyper(step), lr })
    .catch((error) => {
      const known = toVsslError(error);
      throw known.code === 'ERR_VSSL_OUT_OF_MEMORY'
        ? beyondMemory(step + 1, planned.samples.length, known)
        : known;
    });
  const stepSeconds = (performance.now() - start) / 1000;
  const event: StepEvent = {
    type: 'step',
    step: step + 1,
    epoch,
    losses,
    lr,
    gradNorm,
    clips,
    dataSeconds,
    stepSeconds,
    exchangeSeconds,
    clipsPerSecond: clips / (dataSeconds + stepSeconds),
    rssBytes: process.memoryUsage.rss(),
    deviceBytes: session.stats().deviceBytes,
  };
  return { event, finite, overflow };
}

/** null once the signal has fired: a batch that is still being loaded is not waited for. */
async function nextOrAborted(feed: Feed, signal: AbortSignal): Promise<FeedItem | null> {
  if (signal.aborted) return null;
  let stop = () => {};
  const aborted = new Promise<null>((resolve) => {
    stop = () => resolve(null);
    signal.addEventListener('abort', stop, { once: true });
  });
  const next = feed.next();
  try {
    const item = await Promise.race([next, aborted]);
    if (item === null) next.then((late) => late.batch.dispose()).catch(() => {});
    return item;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Files and clips found bad count from the step whose batch they were drawn for. */
async function recordFinds({ faults, log, emit }: LoopOptions, item: FeedItem, step: number): Promise<void> {
  for (const record of faults.take(item, step)) {
    const isNew = await log.quarantine(record);
    if (record.what === 'clip') emit({ type: 'failed-clip', ...record });
    else if (isNew) emit({ type: 'quarantine', ...record });
  }
}

/** Losses and rate of this step; times are means over the steps since the last line. */
async function logStep({ log, crowding }: LoopOptions, event: StepEvent, tally: Tally): Promise<void> {
  const { step, epoch, losses, lr, gradNorm, rssBytes, deviceBytes } = event;
  const others = crowding?.note(tally.stepSeconds / tally.steps);
  const groups = {
    train: { ...losses, lr, gradNorm },
    speed: {
      clipsPerSecond: tally.clips / (tally.dataSeconds + tally.stepSeconds),
      dataSeconds: tally.dataSeconds / tally.steps,
      stepSeconds: tally.stepSeconds / tally.steps,
      ...(tally.exchangeSeconds > 0 && { exchangeSeconds: tally.exchangeSeconds / tally.steps }),
      ...(others !== undefined && { othersShare: others }),
    },
    memory: { rssBytes, deviceBytes },
  };
  const tags = Object.entries(groups).flatMap(([group, values]) =>
    Object.entries(values).map(([name, value]) => [`${group}/${name}`, value] as const),
  );
  const line = { step, epoch, ...groups.train, ...groups.speed, ...groups.memory };
  await log.metrics(line, Object.fromEntries(tags));
}

async function evaluate(
  options: LoopOptions,
  step: number,
  epoch: number,
  lastOfEpoch: boolean,
): Promise<void> {
  const { group = SINGLE } = options;
  for (const hook of options.hooks) {
    if (!isDue(hook, step, lastOfEpoch ? epoch + 1 : null)) continue;
    const values = await group.byFirst(() => hook.run({ ...options.hookContext, step, epoch }));
    const tags = Object.fromEntries(
      Object.entries(values).map(([key, value]) => [`eval/${hook.name}/${key}`, value]),
    );
    await options.log.metrics({ step, epoch, evaluation: hook.name, ...values }, tags);
    options.emit({ type: 'evaluation', step, epoch, name: hook.name, values });
  }
}

/** Writes down what was in the batch, so that the cause can be looked for and the batch be made again. */
async function reportNonFinite(
  path: string | null,
  { planned }: FeedItem,
  { step, epoch, lr, losses, gradNorm }: StepEvent,
): Promise<VsslError> {
  const files = [...new Set(planned.samples.map(({ row }) => row.path))];
  const show = (value: number) => (Number.isFinite(value) ? value : String(value));
  const report = {
    step,
    epoch,
    lr,
    losses: Object.fromEntries(Object.entries(losses).map(([name, value]) => [name, show(value)])),
    gradNorm: show(gradNorm),
    files,
    samples: planned.samples.map(({ row, sample, attempt }) => ({
      id: row.id,
      path: row.path,
      sample,
      attempt,
    })),
    plan: planned.plan,
  };
  try {
    if (path !== null) await writeFileAtomic(path, `${JSON.stringify(report, null, 1)}\n`);
  } catch (error) {
    throw runWriteError(dirname(path!), error, path!);
  }
  return new VsslError(
    'ERR_VSSL_NON_FINITE',
    `step ${step} gave a loss or gradient that is not finite (loss ${show(losses.loss ?? Number.NaN)}, ` +
      `gradient norm ${show(gradNorm)}); the step was not applied and the state before it is in the last ` +
      `checkpoint. Its ${files.length} files and their plans are in ${path ?? 'the run folder, where rank 0 wrote them'}. A lower train.optimizer.lr, ` +
      `train.clipNorm or train.precision fp32 usually helps`,
    { details: { step, files, report: path } },
  );
}
