import { abortable } from './abortable.js';

/**
 * The items of a source until the signal is aborted: then they end at once, also while the source waits for something
 * that never comes. The source is told to end either way.
 */
export function endable<T>(
  source: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal,
): AsyncIterableIterator<T, void, undefined> {
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let waiting = false;
  let open = true;
  const close = async () => {
    if (!open) return;
    open = false;
    const closed = (async () => iterator.return?.())();
    // a generator ends only when what it waits for has come
    if (waiting) closed.catch(() => {});
    else await closed;
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      if (!open) return { done: true, value: undefined };
      waiting = true;
      const next = (async () => iterator.next())().finally(() => {
        waiting = false;
      });
      try {
        const result = await abortable(next, signal);
        if (!result.done) return { done: false, value: result.value };
        open = false;
      } catch (error) {
        if (!signal.aborted) {
          open = false;
          throw error;
        }
        await close();
      }
      return { done: true, value: undefined };
    },
    async return() {
      await close();
      return { done: true, value: undefined };
    },
  };
}
