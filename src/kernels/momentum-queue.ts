import {
  checkBoolean,
  checkCount,
  checkOneOf,
  checkPositive,
  isFloat32Array,
  requireOptions,
} from '../checks.js';
import { coded, codedAsync, invalidArgument, VsslError } from '../errors.js';
import type { Floats, NativeMomentumQueue } from '../native/bindings.js';
import { loadKernels } from '../native/load.js';
import { checkFloats, checkThreads, gradientTarget, type Precision } from './arguments.js';

export interface MomentumQueueOptions {
  /** Keys at most, 1 to 2^24. */
  readonly capacity: number;
  /** Values per key, at least 1. */
  readonly dim: number;
  /** t, above 0 and at most 1: a key of age a counts t^a. Default 1. */
  readonly decay?: number;
  /** What t^age multiplies: the similarity, inside the exponential (default), or the exponential. */
  readonly decayOn?: 'logit' | 'weight';
  /** Keys grow older by one with each enqueue (default), or with each key enqueued after them. */
  readonly ageUnit?: 'enqueue' | 'key';
  /** Full of random unit keys of age 0, the same for the same seed on every machine (default), or empty. */
  readonly init?: 'random' | 'empty';
  /** Of the random keys. A whole number, default 0. */
  readonly seed?: number;
  /** Keys have numbers, of the video that each is of: `enqueue` is given them. Default false. */
  readonly ids?: boolean;
}

export interface InfoNceOptions {
  /** Rows of queries and of keys. */
  readonly rows: number;
  /** tau > 0. Default 0.07. */
  readonly temperature?: number;
  /** L2-normalise queries and keys first (x / max(|x|, 1e-12)); the gradient goes through it. Default true. */
  readonly normalize?: boolean;
  /** 'bf16' allows bf16 products where the CPU has them. Default 'fp32'. */
  readonly precision?: Precision;
  /** true (default) allocates one, an array of rows * dim is written to, false computes the loss only. */
  readonly gradient?: boolean | Float32Array;
  /** Upper bound of threads; default: one per physical core. Does not change a bit of the result. */
  readonly threads?: number;
  /**
   * Numbers of the queries, one a row, of a queue whose keys have numbers: queued keys of a query's own number are left
   * out of its sum. Below 0: of none. Default: nothing is left out.
   */
  readonly ids?: Float64Array;
}

export interface InfoNceResult {
  /** Mean over the rows. */
  readonly loss: number;
  /** dL / d queries, rows x dim; absent with `gradient: false`. */
  readonly gradient?: Floats;
}

/** All that a queue is: plain data, for a checkpoint. */
export interface MomentumQueueState {
  readonly capacity: number;
  readonly dim: number;
  readonly decay: number;
  readonly decayOn: 'logit' | 'weight';
  readonly ageUnit: 'enqueue' | 'key';
  /** length x dim, in slot order. */
  readonly keys: Float32Array;
  /** In the same order. */
  readonly ages: Float32Array;
  /** The slot that the next key goes to. */
  readonly next: number;
  /** In the same order, where keys have numbers. */
  readonly ids?: Float64Array;
}

const QUEUE_KEYS = ['capacity', 'dim', 'decay', 'decayOn', 'ageUnit', 'init', 'seed', 'ids'];
const LOSS_KEYS = ['rows', 'temperature', 'normalize', 'precision', 'gradient', 'threads', 'ids'];
const STATE_KEYS = ['capacity', 'dim', 'decay', 'decayOn', 'ageUnit', 'keys', 'ages', 'next', 'ids'];
const MOST_KEYS = 2 ** 24; // ages do not pass it, so they are exact as floats

type LossArguments = Parameters<NativeMomentumQueue['infoNce']>;

/**
 * A first-in first-out ring of L2-normalised keys, and InfoNCE of queries against it: MoCo (He et al. 2020), with
 * the temporal decay of VideoMoCo (Pan et al. 2021).
 *
 * Memory outside the JavaScript heap: capacity * dim * 4 bytes, half as much again from the first bf16 call on
 * (capacity counted as a multiple of 64, dim of 32). It goes with `dispose()`, or with garbage collection; calls
 * after `dispose()` fail with ERR_VSSL_DISPOSED.
 */
export class MomentumQueue {
  readonly capacity: number;
  readonly dim: number;
  readonly decay: number;
  readonly decayOn: 'logit' | 'weight';
  readonly ageUnit: 'enqueue' | 'key';
  readonly #hasIds: boolean;
  #native: NativeMomentumQueue | null;
  #enqueued: Promise<unknown> = Promise.resolve();

  /** @throws VsslError ERR_VSSL_INVALID_ARGUMENT on wrong options, before any native work. */
  constructor(options: MomentumQueueOptions) {
    requireOptions(options, QUEUE_KEYS);
    const { capacity, dim, decay = 1, decayOn = 'logit', ageUnit = 'enqueue' } = options;
    const { init = 'random', seed = 0, ids = false } = options;
    checkCount('capacity', capacity, 1, MOST_KEYS);
    checkCount('dim', dim);
    checkDecay(decay);
    checkOneOf('decayOn', decayOn, ['logit', 'weight']);
    checkOneOf('ageUnit', ageUnit, ['enqueue', 'key']);
    checkOneOf('init', init, ['random', 'empty']);
    checkCount('seed', seed, 0);
    checkBoolean('ids', ids);
    const { MomentumQueue: Native } = loadKernels();
    this.#native = coded(() => new Native(capacity, dim, decay, decayOn, ageUnit, init, seed, ids));
    this.capacity = capacity;
    this.dim = dim;
    this.decay = decay;
    this.decayOn = decayOn;
    this.ageUnit = ageUnit;
    this.#hasIds = ids;
  }

  /** A queue that goes on, bit for bit, where the one that gave `state` was. */
  static restore(state: MomentumQueueState): MomentumQueue {
    requireOptions(state, STATE_KEYS, 'state');
    const { keys, ages, next, ids, ...options } = state;
    const queue = new MomentumQueue({ ...options, init: 'empty', ids: ids !== undefined });
    const length = isFloat32Array(ages) ? ages.length : 0;
    checkFloats('ages', ages, Math.min(length, queue.capacity), 'one a key, at most the capacity');
    checkFloats('keys', keys, length * queue.dim, 'one row of dim for each age');
    checkCount('next', next, 0, queue.capacity - 1);
    const numbers = queue.#checkIds(ids, length);
    coded(() => queue.#use().restore(keys, ages, length, next, numbers));
    return queue;
  }

  /**
   * Appends keys, L2-normalised; then they have age 1 and all others are one older (with ageUnit 'key', each row
   * counts as an enqueue of its own, so the last has age 1, the one before 2). Overwrites the oldest; of more rows
   * than the capacity the last ones stay. A loss that runs asynchronously goes on with the keys it began with.
   *
   * @param keys rows x dim
   * @param rows at least 1
   * @param ids one whole number a row, of a queue whose keys have numbers; below 0: of none
   */
  enqueue(keys: Float32Array, rows: number, ids?: Float64Array): void {
    const native = this.#use();
    this.#checkMatrix('keys', keys, rows);
    const numbers = this.#checkIds(ids, rows);
    coded(() => native.enqueue(keys, rows, numbers));
  }

  /**
   * As enqueue(), off the event loop. The keys are copied at the call, and are in the queue when the promise
   * resolves; several take their turns in the order of the calls, which enqueue() does not wait for.
   */
  async enqueueAsync(keys: Float32Array, rows: number, ids?: Float64Array): Promise<void> {
    this.#use();
    this.#checkMatrix('keys', keys, rows);
    const numbers = this.#checkIds(ids, rows)?.slice() ?? null;
    const own = keys.slice();
    const done = this.#enqueued.then(() => this.#use().enqueueAsync(own, rows, numbers));
    this.#enqueued = done.catch(() => {});
    await codedAsync(() => done);
  }

  /**
   * InfoNCE: with z the (normalised) queries, p the (normalised) keys, k_j the queued keys and t^a_j their decay,
   * L = mean_i [log(exp(z_i . p_i / tau) + sum_j w_j exp(x_ij)) - z_i . p_i / tau], where x_ij = t^a_j z_i . k_j / tau
   * and w_j = 1 with decayOn 'logit', x_ij = z_i . k_j / tau and w_j = t^a_j with 'weight'. The keys given are
   * constants of the gradient, do not decay, and are not enqueued.
   * Memory O(rows * dim), never rows * capacity.
   *
   * @param queries rows x dim
   * @param keys rows x dim; row i is the positive of query i
   * @throws VsslError ERR_VSSL_INVALID_ARGUMENT on wrong arguments, before any native work. NaN or infinite values,
   * here or enqueued, are not wrong arguments: the loss and the gradient are then NaN.
   */
  infoNce(queries: Float32Array, keys: Float32Array, options: InfoNceOptions): InfoNceResult {
    const native = this.#use();
    const args = this.#checkLoss(queries, keys, options);
    return toResult(
      coded(() => native.infoNce(...args)),
      args[2],
    );
  }

  /**
   * As infoNce(), off the event loop, against the queue as it is at the call, whatever is enqueued meanwhile. The
   * arrays are copied at the call; a `gradient` array is written when the promise resolves. Wrong arguments reject
   * the promise.
   */
  async infoNceAsync(
    queries: Float32Array,
    keys: Float32Array,
    options: InfoNceOptions,
  ): Promise<InfoNceResult> {
    const native = this.#use();
    const args = this.#checkLoss(queries, keys, options);
    return toResult(await codedAsync(() => native.infoNceAsync(...args)), args[2]);
  }

  /** Keys in the queue. */
  get length(): number {
    return this.#use().length();
  }

  /** Ages of the keys, in slot order: a copy. */
  get ages(): Floats {
    const native = this.#use();
    const ages = new Float32Array(native.length());
    native.copyAges(ages);
    return ages;
  }

  /** The keys, length x dim in the slot order of `ages`: a copy. */
  keys(): Floats {
    const native = this.#use();
    const keys = new Float32Array(native.length() * this.dim);
    native.copyKeys(keys);
    return keys;
  }

  /** Numbers of the keys, in the slot order of `ages`, of a queue whose keys have some: a copy. */
  get ids(): Float64Array | undefined {
    const native = this.#use();
    if (!this.#hasIds) return undefined;
    const ids = new Float64Array(native.length());
    native.copyIds(ids);
    return ids;
  }

  /** A copy of everything, for `MomentumQueue.restore`. */
  state(): MomentumQueueState {
    const { capacity, dim, decay, decayOn, ageUnit } = this;
    const next = this.#use().next();
    const { ids } = this;
    const numbers = ids === undefined ? {} : { ids };
    return { capacity, dim, decay, decayOn, ageUnit, keys: this.keys(), ages: this.ages, next, ...numbers };
  }

  /** Gives the memory back, once calls in flight have ended. May be called again. */
  dispose(): void {
    this.#native?.dispose();
    this.#native = null;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #use(): NativeMomentumQueue {
    if (this.#native) return this.#native;
    throw new VsslError('ERR_VSSL_DISPOSED', 'this queue was disposed of: create another');
  }

  #checkMatrix(name: string, values: unknown, rows: number): void {
    checkCount('rows', rows);
    checkFloats(name, values, rows * this.dim, 'rows * dim');
  }

  #checkLoss(queries: Float32Array, keys: Float32Array, options: InfoNceOptions): LossArguments {
    requireOptions(options, LOSS_KEYS);
    const { rows, temperature = 0.07, normalize = true, precision = 'fp32', gradient = true } = options;
    this.#checkMatrix('queries', queries, rows);
    this.#checkMatrix('keys', keys, rows);
    checkPositive('temperature', temperature);
    checkBoolean('normalize', normalize);
    checkOneOf('precision', precision, ['fp32', 'bf16']);
    const target = gradientTarget(gradient, rows * this.dim);
    const ids = options.ids === undefined ? null : this.#checkIds(options.ids, rows);
    const threads = checkThreads(options.threads);
    return [queries, keys, target, rows, temperature, normalize, precision, threads, ids];
  }

  /** Throws unless there are numbers where the queue has some, one a row, and none where it has none. */
  #checkIds(ids: unknown, rows: number): Float64Array | null {
    if (!this.#hasIds && ids === undefined) return null;
    if (!this.#hasIds) throw invalidArgument('ids', 'none: this queue was made without `ids: true`', ids);
    const isNumbers = Object.prototype.toString.call(ids) === '[object Float64Array]';
    if (!isNumbers || (ids as Float64Array).length !== rows)
      throw invalidArgument('ids', `a Float64Array of ${rows} values, one a row`, ids);
    if (!(ids as Float64Array).every((id) => Number.isSafeInteger(id)))
      throw invalidArgument('ids', 'whole numbers', ids);
    return ids as Float64Array;
  }
}

function checkDecay(value: unknown): void {
  if (typeof value !== 'number' || !(value > 0 && value <= 1)) {
    throw invalidArgument('decay', 'a number above 0, at most 1', value);
  }
}

function toResult(loss: number, gradient: Floats | null): InfoNceResult {
  return gradient === null ? { loss } : { loss, gradient };
}
