import { abortReason } from '../checks.js';

/**
 * The promise, or a rejection with the signal's reason as soon as it is aborted. The work behind the promise goes on;
 * its result is then dropped.
 */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(abortReason(signal));
    if (signal.aborted) {
      promise.catch(() => {});
      stop();
      return;
    }
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/**
 * The values of a stream, until the signal is aborted: then its reason is thrown at once, even while the stream waits for
 * something that never comes. The stream is told to end, and does so by itself.
 */
export async function* abortableStream<T>(
  stream: AsyncGenerator<T, void, undefined>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  try {
    for (;;) {
      const next = await abortable(stream.next(), signal);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    const ended = stream.return();
    if (signal?.aborted) ended.catch(() => {});
    else await ended;
  }
}
