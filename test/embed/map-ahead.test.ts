import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { endable } from '#src/embed/endable.js';
import { mapAhead } from '#src/embed/map-ahead.js';

test('results come in order, whatever takes longer', async (t) => {
  const out: number[] = [];
  for await (const value of mapAhead([30, 1, 20, 2], async (ms) => delay(ms, ms), 3)) out.push(value);
  t.deepEqual(out, [30, 1, 20, 2]);
});

test('no more than `ahead` calls are under way, and the source is read no further', async (t) => {
  let taken = 0;
  let running = 0;
  let most = 0;
  async function* source() {
    for (; taken < 100; ) yield taken++;
  }
  const work = async (value: number) => {
    most = Math.max(most, ++running);
    await delay(1);
    running--;
    return value;
  };
  let seen = 0;
  for await (const value of mapAhead(source(), work, 3)) {
    t.is(value, seen++);
    t.true(taken <= seen + 3, `${taken} taken for ${seen} seen`);
    if (seen === 20) break;
  }
  t.is(most, 3);
  t.true(taken <= 23);
});

test('what nobody reads is discarded, and the source is closed', async (t) => {
  const discarded: number[] = [];
  let closed = false;
  function* source() {
    try {
      for (let i = 0; ; i++) yield i;
    } finally {
      closed = true;
    }
  }
  for await (const value of mapAhead(
    source(),
    async (v) => delay(5, v),
    4,
    (v) => discarded.push(v),
  ))
    if (value === 1) break;
  t.deepEqual(discarded, [2, 3, 4]);
  t.true(closed);
});

test('a failure comes in its turn, after the results before it', async (t) => {
  const seen: number[] = [];
  const boom = new Error('boom');
  const discarded: number[] = [];
  await t.throwsAsync(
    async () => {
      const work = async (v: number) => {
        if (v === 2) throw boom;
        await delay(5);
        return v;
      };
      for await (const value of mapAhead([0, 1, 2, 3, 4], work, 3, (v) => discarded.push(v)))
        seen.push(value);
    },
    { is: boom },
  );
  t.deepEqual(seen, [0, 1]);
  t.deepEqual(discarded, [3, 4]);
});

test('a result is given as soon as it is there, though the source waits; the next call begins when its value comes', async (t) => {
  let goOn = () => {};
  const more = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const begun: number[] = [];
  async function* source() {
    yield 0;
    await more;
    yield 1;
  }
  const results = mapAhead(
    source(),
    async (value) => {
      begun.push(value);
      return value;
    },
    3,
  );
  t.is((await results.next()).value, 0);
  goOn();
  await delay(5);
  t.deepEqual(begun, [0, 1], 'while nobody asks for the next result');
  t.is((await results.next()).value, 1);
  t.true((await results.next()).done);
});

test('a source that fails while nobody waits for it fails the next result', async (t) => {
  const boom = new Error('boom');
  async function* source() {
    yield 0;
    await delay(1);
    throw boom;
  }
  const results = mapAhead(source(), async (value) => value, 2);
  t.is((await results.next()).value, 0);
  await delay(10);
  await t.throwsAsync(results.next(), { is: boom });
});

test('endable: a source that waits for ever ends with the signal, and is told to end', async (t) => {
  let closed = false;
  const waiting = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<number>>(() => {}),
      return: async () => {
        closed = true;
        return { done: true as const, value: undefined };
      },
    }),
  };
  const stop = new AbortController();
  const items = endable(waiting, stop.signal);
  setTimeout(() => stop.abort(), 5);
  t.true((await items.next()).done);
  t.true(closed);
  t.true((await items.next()).done);
  const seen: number[] = [];
  for await (const item of endable([1, 2, 3], new AbortController().signal)) seen.push(item);
  t.deepEqual(seen, [1, 2, 3]);
  const boom = new Error('boom');
  const failing = {
    next(): IteratorResult<number> {
      throw boom;
    },
  };
  const broken = endable({ [Symbol.iterator]: () => failing }, new AbortController().signal);
  await t.throwsAsync(broken.next(), { is: boom });
  t.true((await broken.next()).done);
});
