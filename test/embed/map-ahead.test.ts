import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
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
