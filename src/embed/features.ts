/**
 * From videos to vectors: plans the clips of each video, loads them in batches while the batch before is embedded,
 * and gives each video the mean of its clips' vectors. Memory is bounded by a few batches, whatever the number of
 * videos; a video that cannot be used becomes an error value in its place and ends nothing.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { throwIfAborted } from '../checks.js';
import { checkClipPlan } from '../data/clip-limits.js';
import { type BatchPlan, type ClipPlan, PLAN_VERSION } from '../data/plan.js';
import { isEnvironmentCode, toVsslError, VsslError } from '../errors.js';
import type {
  Floats,
  NativeBatch,
  NativeClipFailure,
  NativeLoader,
  NativeLoadResult,
} from '../native/bindings.js';
import { clipFailure } from './clip-failure.js';
import { endable } from './endable.js';
import { mapAhead } from './map-ahead.js';

/** The clips of one video: for each view name the same number of clips. */
export type ClipViews = Readonly<Record<string, readonly ClipPlan[]>>;

/** Something that turns a batch into one vector a clip: an encoder, a session's encoder, or a pixel statistic. */
export interface ClipEmbedder {
  /** (clips, dim), row i for clip i of the batch. */
  embed(batch: NativeBatch): Promise<Float32Array>;
}

export interface FeatureOptions<T> {
  readonly loader: NativeLoader;
  /** Clips of one item. Rejects for a video that cannot be used; the signal says that nobody will ask for it. */
  readonly planClips: (item: T, index: number, signal: AbortSignal) => Promise<ClipViews>;
  readonly embedders: readonly ClipEmbedder[];
  /** Clips in a batch at most. Default 16. */
  readonly batchClips?: number;
  /** Each item has batches of its own: its vector then depends on nothing but itself, and no item waits for the next. */
  readonly separate?: boolean;
  /** Milliseconds for which a batch that is not full waits for more items. Default: as long as they take. */
  readonly maxWaitMs?: number | undefined;
  readonly signal?: AbortSignal;
}

/** One item's vectors (one an embedder: the mean over its clips), or why there are none. */
export type FeatureResult<T> =
  | {
      readonly item: T;
      readonly index: number;
      readonly vectors: readonly Floats[];
      readonly lostClips: number;
      /** What of it could not be decoded. Of pictures only where items have batches of their own (`separate`). */
      readonly warnings: readonly string[];
    }
  | { readonly item: T; readonly index: number; readonly error: VsslError };

/** Videos whose clips are planned (indexed) ahead of the loading. */
const kPlanAhead = 4;
/** Batches under way: one loads while the other is embedded. */
const kLoadAhead = 2;

/** An item on its way: sums over the clips embedded so far. */
interface Progress<T> {
  readonly item: T;
  readonly index: number;
  readonly clips: ClipViews;
  readonly count: number;
  readonly error?: VsslError;
  sums: Float64Array[];
  done: number;
  lost: number;
  fault?: NativeClipFailure;
  /** Pictures for which an earlier one stood in. */
  standIns: number;
}

/** A stretch of an item's clips within a batch. */
interface Part<T> {
  readonly owner: Progress<T>;
  readonly first: number;
  readonly count: number;
}

/**
 * Yields one result an item, in order and as soon as it is there. Throws the signal's reason when it is aborted, and what
 * an embedder throws. When it ends early for whatever reason, what is planned ahead is told to stop.
 */
export async function* streamFeatures<T>(
  items: Iterable<T> | AsyncIterable<T>,
  options: FeatureOptions<T>,
): AsyncGenerator<FeatureResult<T>, void, undefined> {
  const { loader, signal } = options;
  throwIfAborted(signal);
  const leaving = new AbortController();
  const leave = () => leaving.abort(signal?.reason);
  const leaveAnd = (error: unknown): never => {
    leave();
    throw error;
  };
  signal?.addEventListener('abort', leave, { once: true });
  const planned = mapAhead(
    endable(items, leaving.signal),
    (item, index) => plan(item, index, options, leaving.signal).catch(leaveAnd),
    kPlanAhead,
  );
  const batches = mapAhead(
    groupParts(inTime(planned, options.maxWaitMs), options.batchClips ?? 16, options.separate ?? false),
    async (parts) => {
      throwIfAborted(signal);
      const batchPlan = joinParts(parts);
      return { parts, loaded: batchPlan && (await loader.load(batchPlan).catch(leaveAnd)) };
    },
    kLoadAhead,
    ({ loaded }) => loaded?.batch.dispose(),
  );
  try {
    for await (const { parts, loaded } of batches) {
      let goesOn = false;
      try {
        if (loaded) await embedParts(parts, loaded, options);
        else throwIfAborted(signal);
        for (const { owner } of parts) if (owner.done === owner.count) yield finish(owner);
        goesOn = true;
      } finally {
        // before the stages are closed: they wait for what is under way
        if (!goesOn) leave();
      }
    }
  } finally {
    signal?.removeEventListener('abort', leave);
  }
}

async function embedParts<T>(
  parts: readonly Part<T>[],
  { batch, failures, stats }: NativeLoadResult,
  { embedders, separate, signal }: FeatureOptions<T>,
): Promise<void> {
  try {
    throwIfAborted(signal);
    const vectors: Float32Array[] = [];
    for (const embedder of embedders) vectors.push(await embedder.embed(batch));
    addVectors(parts, vectors, failures);
    // then all clips of the batch are of one item
    if (separate) for (const { owner, count } of parts) if (count > 0) owner.standIns += stats.standIns;
  } finally {
    batch.dispose();
  }
}

async function plan<T>(
  item: T,
  index: number,
  options: FeatureOptions<T>,
  leaving: AbortSignal,
): Promise<Progress<T>> {
  throwIfAborted(options.signal);
  const start = { item, index, sums: [], done: 0, lost: 0, standIns: 0 };
  try {
    const clips = await options.planClips(item, index, leaving);
    const count = Object.values(clips)[0]?.length ?? 0;
    // a plan that the loader refuses would take the videos that share the batch with it
    for (const clip of Object.values(clips).flat()) checkClipPlan(clip);
    if (count === 0) throw new VsslError('ERR_VSSL_INTERNAL', 'no clip was planned for a video');
    return { ...start, clips, count };
  } catch (error) {
    return { ...start, clips: {}, count: 0, error: toVsslError(error) };
  }
}

/** The items, and LATE whenever one has taken longer than `ms`. */
async function* inTime<T>(
  items: AsyncGenerator<T, void, undefined>,
  ms: number | undefined,
): AsyncGenerator<T | typeof LATE, void, undefined> {
  try {
    for (let next = items.next(); ; ) {
      // whoever asks for it sees a failure
      next.catch(() => {});
      const timer = new AbortController();
      const late =
        ms === undefined
          ? []
          : [delay<typeof LATE>(ms, LATE, { signal: timer.signal }).catch((): typeof LATE => LATE)];
      const result = await Promise.race([next, ...late]).finally(() => timer.abort());
      if (result === LATE) {
        yield LATE;
        // told once: then for as long as it takes
        await next;
        continue;
      }
      if (result.done) return;
      yield result.value;
      next = items.next();
    }
  } finally {
    await items.return();
  }
}

const LATE: unique symbol = Symbol('late');

/**
 * Cuts the clips of the items into batches of at most `most`, and fewer when an item is late; items without clips travel
 * along in their place.
 */
async function* groupParts<T>(
  items: AsyncIterable<Progress<T> | typeof LATE>,
  most: number,
  separate: boolean,
): AsyncGenerator<Part<T>[], void, undefined> {
  let parts: Part<T>[] = [];
  let held = 0;
  for await (const owner of items) {
    if (owner === LATE) {
      if (parts.length > 0) yield parts;
      parts = [];
      held = 0;
      continue;
    }
    if (owner.count === 0) {
      parts.push({ owner, first: 0, count: 0 });
      // with nothing to load there is nothing to wait for
      if (held === 0) {
        yield parts;
        parts = [];
      }
      continue;
    }
    for (let first = 0; first < owner.count; ) {
      const count = Math.min(most - held, owner.count - first);
      parts.push({ owner, first, count });
      first += count;
      held += count;
      if (held === most || (separate && first === owner.count)) {
        yield parts;
        parts = [];
        held = 0;
      }
    }
  }
  if (parts.length > 0) yield parts;
}

function joinParts<T>(parts: readonly Part<T>[]): BatchPlan | null {
  const names = Object.keys(parts.find(({ count }) => count > 0)?.owner.clips ?? {});
  if (names.length === 0) return null;
  return {
    version: PLAN_VERSION,
    views: names.map((name) => ({
      name,
      clips: parts.flatMap(({ owner, first, count }) => owner.clips[name]?.slice(first, first + count) ?? []),
    })),
  };
}

function addVectors<T>(
  parts: readonly Part<T>[],
  vectors: readonly Float32Array[],
  failures: readonly NativeClipFailure[],
): void {
  const failed = new Map(failures.map((failure) => [failure.sample, failure]));
  const clips = parts.reduce((sum, { count }) => sum + count, 0);
  let row = 0;
  for (const { owner, count } of parts) {
    for (let i = 0; i < count; i++, row++) {
      owner.done++;
      const fault = failed.get(row);
      if (fault) {
        owner.lost++;
        if (!owner.fault || isEnvironmentCode(fault.code)) owner.fault = fault;
        continue;
      }
      vectors.forEach((all, e) => {
        const dim = all.length / clips;
        owner.sums[e] ??= new Float64Array(dim);
        const sum = owner.sums[e];
        for (let d = 0; d < dim; d++) sum[d]! += all[row * dim + d]!;
      });
    }
  }
}

function finish<T>(owner: Progress<T>): FeatureResult<T> {
  const { item, index, error, count, lost, fault } = owner;
  if (error) return { item, index, error };
  if (lost === count || isEnvironmentCode(fault?.code ?? ''))
    return { item, index, error: clipFailure(fault!) };
  return {
    item,
    index,
    vectors: owner.sums.map((sum) => Float32Array.from(sum, (value) => value / (count - lost))),
    lostClips: lost,
    warnings: warningsOf(owner),
  };
}

function warningsOf<T>({ count, lost, fault, standIns }: Progress<T>): string[] {
  const warnings: string[] = [];
  if (fault) warnings.push(`${lost} of ${count} clips cannot be decoded and are left out: ${fault.reason}`);
  if (standIns > 0)
    warnings.push(
      `${standIns} ${standIns === 1 ? 'picture' : 'pictures'} of the clips cannot be decoded; an earlier one stands in`,
    );
  return warnings;
}
