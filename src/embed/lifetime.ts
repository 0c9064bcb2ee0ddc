import { abortReason } from '../checks.js';
import { toVsslError, VsslError } from '../errors.js';
import { abortableStream } from './abortable.js';

/**
 * The life of an object with native memory: calls are refused once it is disposed of, and those under way by then are
 * waited for before its memory is freed.
 */
export class Lifetime {
  readonly #free: () => void;
  readonly #refusal: string;
  readonly #underway = new Set<Promise<unknown>>();
  readonly #ending = new Set<AbortController>();
  #disposed: Promise<void> | null = null;

  /** `refusal`: what calls after the end are told. */
  constructor(free: () => void, refusal: string) {
    this.#free = free;
    this.#refusal = refusal;
  }

  check(): void {
    if (this.#disposed) throw this.#ended();
  }

  /** Runs a call as one of those that dispose() waits for; errors gain a code and the caller's stack. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    this.check();
    const caller = new Error();
    try {
      return await this.track((async () => call())());
    } catch (error) {
      // the reason of an aborted signal is the caller's own and comes through as it is
      throw codedError(error, caller);
    }
  }

  /** Has dispose() wait for work that goes on after its call has failed. */
  track<T>(work: Promise<T>): Promise<T> {
    this.#underway.add(work);
    const leave = () => this.#underway.delete(work);
    work.then(leave, leave);
    return work;
  }

  /**
   * Runs a stream, which may wait for its consumer for any time: dispose() does not wait for it but ends it. The stream is
   * given a signal that is also aborted with the caller's.
   */
  async *stream<T>(
    make: (ending: AbortSignal) => AsyncGenerator<T, void, undefined>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<T, void, undefined> {
    this.check();
    const ending = new AbortController();
    const end = () => ending.abort(signal && abortReason(signal));
    signal?.addEventListener('abort', end, { once: true });
    this.#ending.add(ending);
    try {
      for await (const value of abortableStream(make(ending.signal), ending.signal)) {
        yield value;
        this.check();
      }
    } catch (error) {
      // the consumer may dispose of the object between two values; what was read ahead then fails in its own way
      this.check();
      throw codedError(error);
    } finally {
      signal?.removeEventListener('abort', end);
      this.#ending.delete(ending);
    }
  }

  /** Any number of times. */
  dispose(): Promise<void> {
    for (const ending of this.#ending) ending.abort(this.#ended());
    this.#disposed ??= Promise.allSettled([...this.#underway]).then(this.#free);
    return this.#disposed;
  }

  #ended(): VsslError {
    return new VsslError('ERR_VSSL_DISPOSED', this.#refusal);
  }
}

function codedError(error: unknown, caller?: Error): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  const isNative = !(error instanceof VsslError) && typeof code === 'string' && code.startsWith('ERR_VSSL_');
  return isNative ? toVsslError(error, caller) : error;
}
