import type { TrainEvent, TrainResult } from './events.js';

/** Events kept for a consumer that comes late; a run that nobody listens to does not grow without bound. */
const MOST_WAITING = 4096;

/**
 * A run under way. Iterate over it for its events (each iterator gets those that no other has taken; iteration throws
 * what the run throws), and await `result`, or the run itself, for how it ended. Either is enough to have seen a failure;
 * that of a run which nobody iterates over or awaits is an unhandled rejection, as that of any promise.
 */
export class TrainRun implements AsyncIterable<TrainEvent>, PromiseLike<TrainResult> {
  readonly result: Promise<TrainResult>;
  readonly #waiting: TrainEvent[] = [];
  #wake: (() => void)[] = [];
  #ended = false;
  /** Iterations that are not over: each will throw what the run throws. */
  #listeners = 0;

  /** `work` starts at once; what it emits can be had here. */
  constructor(work: (emit: (event: TrainEvent) => void) => Promise<TrainResult>) {
    this.result = work((event) => {
      this.#waiting.push(event);
      if (this.#waiting.length > MOST_WAITING) this.#waiting.shift();
      this.#notify();
    }).finally(() => {
      this.#ended = true;
      // whoever iterates sees the failure there, and need not look at `result` as well
      if (this.#listeners > 0) this.result.catch(() => {});
      this.#notify();
    });
  }

  // biome-ignore lint/suspicious/noThenProperty: a run can be awaited like the promise of its result
  then<A = TrainResult, B = never>(
    onFulfilled?: ((value: TrainResult) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.result.then(onFulfilled, onRejected);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TrainEvent, void, undefined> {
    this.#listeners++;
    try {
      for (;;) {
        const event = this.#waiting.shift();
        if (event) yield event;
        else if (this.#ended) break;
        else await new Promise<void>((resolve) => this.#wake.push(resolve));
      }
      await this.result;
    } finally {
      this.#listeners--;
    }
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
