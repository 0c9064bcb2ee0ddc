/**
 * Maps a stream in order with up to `ahead` calls of `map` under way: the consumer's pace limits how much is made
 * (back-pressure). When the consumer stops early or a call fails, the results nobody will read go to `discard` before
 * the error is thrown on.
 */
export async function* mapAhead<T, U>(
  source: Iterable<T> | AsyncIterable<T>,
  map: (value: T, index: number) => Promise<U>,
  ahead: number,
  discard: (result: U) => void = () => {},
): AsyncGenerator<U, void, undefined> {
  const iterator =
    Symbol.asyncIterator in source
      ? source[Symbol.asyncIterator]()
      : (source as Iterable<T>)[Symbol.iterator]();
  const under: Promise<U>[] = [];
  let index = 0;
  let open = true;
  let finished = false;
  try {
    for (;;) {
      while (open && under.length < ahead) {
        const next = await iterator.next();
        if (next.done) {
          open = false;
          break;
        }
        const call = map(next.value, index++);
        // a rejection is seen when its turn comes; until then it must not count as unhandled
        call.catch(() => {});
        under.push(call);
      }
      const first = under.shift();
      if (first === undefined) break;
      yield await first;
    }
    finished = true;
  } finally {
    for (const result of await Promise.allSettled(under))
      if (result.status === 'fulfilled') discard(result.value);
    if (!finished && open) await iterator.return?.();
  }
}
