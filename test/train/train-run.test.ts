import test from 'ava';
import type { TrainEvent, TrainResult } from '#src/train/events.js';
import { TrainRun } from '#src/train/train-run.js';

const result = { step: 2 } as TrainResult;
const warning = (message: string): TrainEvent => ({ type: 'warning', message });
const tick = () => new Promise((resolve) => setImmediate(resolve));

test('events come in order, then iteration ends', async (t) => {
  const run = new TrainRun(async (emit) => {
    emit(warning('a'));
    await tick();
    emit(warning('b'));
    return result;
  });
  const seen: string[] = [];
  for await (const event of run) seen.push((event as { message: string }).message);
  t.deepEqual(seen, ['a', 'b']);
  t.is(await run.result, result);
});

test('a run can be awaited without anyone listening', async (t) => {
  const run = new TrainRun(async (emit) => {
    for (let i = 0; i < 20_000; i++) emit(warning(String(i)));
    return result;
  });
  t.is(await run, result);
});

test('iteration throws what the run throws, after the events before it', async (t) => {
  const run = new TrainRun(async (emit) => {
    emit(warning('a'));
    await tick();
    throw new Error('broken');
  });
  const seen: TrainEvent[] = [];
  await t.throwsAsync(
    async () => {
      for await (const event of run) seen.push(event);
    },
    { message: 'broken' },
  );
  t.is(seen.length, 1);
  await t.throwsAsync(run.result, { message: 'broken' });
});
