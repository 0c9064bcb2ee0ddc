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
  let left = false;
  let finished = false;
  /** The next value on its way from the source to its call. */
  let coming: Promise<void> | undefined;
  const pull = async () => {
    const next = await iterator.next();
    coming = undefined;
    if (next.done) open = false;
    if (next.done || left) return;
    const call = map(next.value, index++);
    // a rejection is seen when its turn comes; until then it must not count as unhandled
    call.catch(() => {});
    under.push(call);
  };
  try {
    for (;;) {
      while (open && under.length < ahead) {
        coming ??= pull();
        coming.catch(() => {});
        const head = under[0];
        if (!head) await coming;
        // a source that takes its time holds back no result that is ready
        else if (await Promise.race([coming.then(no), head.then(yes, yes)])) break;
      }
      const first = under.shift();
      if (first === undefined) break;
      yield await first;
    }
    finished = true;
  } finally {
    left = true;
    for (const result of await Promise.allSettled(under))
      if (result.status === 'fulfilled') discard(result.value);
    if (!finished && open) await iterator.return?.();
  }
}

const yes = () => true;
const no = () => false;
