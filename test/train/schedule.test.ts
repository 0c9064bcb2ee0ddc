import test from 'ava';
import { type ScheduleOptions, buildSchedule as scheduleOf } from '#src/train/schedule.js';

const buildSchedule = (options: ScheduleOptions) =>
  Float64Array.from({ length: options.totalSteps }, (_, step) => scheduleOf(options)(step));

const close = (a: number, b: number) => Math.abs(a - b) <= 1e-12 * Math.max(1, Math.abs(b));

test('cosine: from the peak to the end value', (t) => {
  const rates = buildSchedule({ name: 'cosine', lr: 0.4, totalSteps: 100, warmupSteps: 0, finalLr: 0.1 });
  t.is(rates.length, 100);
  t.is(rates[0], 0.4);
  t.true(close(rates[50]!, 0.25));
  t.true(close(rates[99]!, 0.1 + (0.3 * (1 + Math.cos(0.99 * Math.PI))) / 2));
});

test('warm-up is linear from 0 to the rate that the decay has there, and the decay runs under it', (t) => {
  // the published setting of CVRL: 1787 of 71488 steps, peak 0.32
  const [S, W, peak] = [71488, 1787, 0.32];
  const rates = buildSchedule({ name: 'cosine', lr: peak, totalSteps: S, warmupSteps: W });
  const cosine = (s: number) => (peak * (1 + Math.cos((Math.PI * s) / S))) / 2;
  t.is(rates[0], 0);
  t.true(close(rates[W - 1]!, (cosine(W) * (W - 1)) / W));
  t.true(close(rates[W]!, cosine(W)));
  t.true(close(rates[40000]!, cosine(40000)));
  t.true(rates.every((rate, s) => s === 0 || s > W || rate > rates[s - 1]!));
});

test('step: multiplied by gamma at each milestone', (t) => {
  const rates = buildSchedule({
    name: 'step',
    lr: 1,
    totalSteps: 10,
    warmupSteps: 2,
    milestones: [4, 8],
    gamma: 0.5,
  });
  t.deepEqual([...rates], [0, 0.5, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]);
});

test('constant', (t) => {
  t.deepEqual([...buildSchedule({ name: 'constant', lr: 2, totalSteps: 3, warmupSteps: 0 })], [2, 2, 2]);
});

test('a run that ends within its warm-up climbs towards the peak', (t) => {
  const rates = buildSchedule({ name: 'cosine', lr: 1, totalSteps: 4, warmupSteps: 8 });
  t.deepEqual([...rates], [0, 0.125, 0.25, 0.375]);
});

test('wrong lengths are refused', (t) => {
  const base = { name: 'constant', lr: 1, totalSteps: 1, warmupSteps: 0 } as const;
  for (const wrong of [
    { totalSteps: 0 },
    { totalSteps: 1.5 },
    { warmupSteps: -1 },
    { warmupSteps: Number.NaN },
  ])
    t.throws(() => scheduleOf({ ...base, ...wrong }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});

test('a schedule takes no memory, whatever its length', (t) => {
  const totalSteps = Number.MAX_SAFE_INTEGER;
  const rate = scheduleOf({ name: 'cosine', lr: 1, totalSteps, warmupSteps: 1000 });
  t.is(rate(500), 0.5);
  t.true(close(rate(totalSteps - 1), 0));
});
