import test from 'ava';
import type { InfoNceOptions, MomentumQueueOptions, MomentumQueueState } from '#src/kernels/index.js';
import { MomentumQueue } from '#src/kernels/index.js';

const INVALID = { code: 'ERR_VSSL_INVALID_ARGUMENT' };
const DISPOSED = { code: 'ERR_VSSL_DISPOSED' };

/** Deterministic values around 0, the same on every machine. */
function values(count: number, seed = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

function unitRows(x: ArrayLike<number>, dim: number): number[][] {
  return Array.from({ length: x.length / dim }, (_, i) => {
    const row = Array.from({ length: dim }, (_, k) => x[i * dim + k]!);
    const norm = Math.max(Math.hypot(...row), 1e-12);
    return row.map((value) => value / norm);
  });
}

const dot = (a: number[], b: number[]) => a.reduce((sum, value, k) => sum + value * b[k]!, 0);

/** The loss from its formula, in double precision. */
function lossOf(q: ArrayLike<number>, p: ArrayLike<number>, queue: MomentumQueue, tau: number): number {
  const { dim, decay, decayOn, ages } = queue;
  const keys = queue.keys();
  const positives = unitRows(p, dim);
  const rows = unitRows(q, dim);
  let loss = 0;
  rows.forEach((z, i) => {
    const positive = dot(z, positives[i]!) / tau;
    let sum = Math.exp(positive);
    ages.forEach((age, j) => {
      const s = dot(z, Array.from(keys.subarray(j * dim, (j + 1) * dim))) / tau;
      sum += decayOn === 'logit' ? Math.exp(decay ** age * s) : decay ** age * Math.exp(s);
    });
    loss += (Math.log(sum) - positive) / rows.length;
  });
  return loss;
}

const decays: Partial<MomentumQueueOptions>[] = [
  {},
  { decay: 0.9 },
  { decay: 0.9, ageUnit: 'key' },
  { decay: 0.9, decayOn: 'weight' },
  { decay: 0.99999, decayOn: 'weight', ageUnit: 'key' },
];

for (const decay of decays) {
  test(`loss and gradient agree with the formula: ${JSON.stringify(decay)}`, (t) => {
    const [rows, dim, temperature] = [3, 6, 0.2];
    const queue = new MomentumQueue({ capacity: 20, dim, ...decay });
    queue.enqueue(values(9 * dim, 5), 9);
    queue.enqueue(values(14 * dim, 6), 14);
    const q = values(rows * dim, 1);
    const p = values(rows * dim, 2);
    const { loss, gradient } = queue.infoNce(q, p, { rows, temperature });
    t.true(Math.abs(loss - lossOf(q, p, queue, temperature)) < 1e-5);
    const step = 1e-4;
    const wide = Float64Array.from(q);
    for (let i = 0; i < q.length; i++) {
      const shifted = (by: number) => lossOf(wide.with(i, wide[i]! + by), p, queue, temperature);
      const slope = (shifted(step) - shifted(-step)) / (2 * step);
      t.true(Math.abs(gradient![i]! - slope) < 1e-4, `entry ${i}`);
    }
  });
}

test('queued keys of the query’s own number are left out; without numbers, nothing changes', (t) => {
  const [rows, dim, temperature] = [3, 6, 0.2];
  const fill = (options: Partial<MomentumQueueOptions>, ids?: Float64Array) => {
    const queue = new MomentumQueue({ capacity: 8, dim, init: 'empty', ...options });
    queue.enqueue(values(6 * dim, 5), 6, ids);
    return queue;
  };
  const [q, p] = [values(rows * dim, 1), values(rows * dim, 2)];
  const numbered = fill({ ids: true }, Float64Array.of(7, 8, 7, -1, 9, 8));
  t.deepEqual(numbered.ids, Float64Array.of(7, 8, 7, -1, 9, 8));
  const plain = fill({});
  t.is(plain.ids, undefined);
  const all = plain.infoNce(q, p, { rows, temperature });
  t.deepEqual(
    numbered.infoNce(q, p, { rows, temperature }),
    all,
    'nothing is left out where nothing is asked',
  );
  t.deepEqual(numbered.infoNce(q, p, { rows, temperature, ids: Float64Array.of(-1, 100, -1) }), all);
  // by hand: of each query the sum without its own
  const own = Float64Array.of(7, 8, -1);
  const [z, positives] = [unitRows(q, dim), unitRows(p, dim)];
  const keys = unitRows(values(6 * dim, 5), dim);
  const ids = [...numbered.ids!];
  let expected = 0;
  z.forEach((row, i) => {
    const positive = dot(row, positives[i]!) / temperature;
    let sum = Math.exp(positive);
    keys.forEach((key, j) => {
      if (own[i]! < 0 || ids[j] !== own[i]) sum += Math.exp(dot(row, key) / temperature);
    });
    expected += (Math.log(sum) - positive) / rows;
  });
  const { loss } = numbered.infoNce(q, p, { rows, temperature, ids: own });
  t.true(Math.abs(loss - expected) < 1e-5, `${loss} ${expected}`);
  const again = MomentumQueue.restore(numbered.state());
  t.is(again.infoNce(q, p, { rows, temperature, ids: own }).loss, loss);
  const alone = new MomentumQueue({ capacity: 8, dim, init: 'empty', ids: true });
  alone.enqueue(values(dim, 5), 1, Float64Array.of(3));
  const nothing = alone.infoNce(q, p, { rows, ids: Float64Array.of(3, 3, 3) });
  t.is(nothing.loss, 0);
  t.true(nothing.gradient!.every((g) => g === 0));
  for (const wrong of [
    () => numbered.enqueue(values(dim, 1), 1),
    () => plain.enqueue(values(dim, 1), 1, Float64Array.of(1)),
    () => plain.infoNce(q, p, { rows, ids: own }),
    () => numbered.infoNce(q, p, { rows, ids: Float64Array.of(1) }),
    () => numbered.enqueue(values(dim, 1), 1, Float64Array.of(0.5)),
    () => numbered.enqueue(values(dim, 1), 1, [1] as unknown as Float64Array),
  ])
    t.throws(wrong, { code: 'ERR_VSSL_INVALID_ARGUMENT', message: /ids/ });
});

test('defaults: temperature 0.07, normalised, fp32, no decay, random keys of seed 0', (t) => {
  const [rows, dim] = [5, 8];
  const queue = new MomentumQueue({ capacity: 30, dim });
  const spelt = new MomentumQueue({
    capacity: 30,
    dim,
    decay: 1,
    decayOn: 'logit',
    ageUnit: 'enqueue',
    init: 'random',
    seed: 0,
  });
  t.deepEqual(queue.keys(), spelt.keys());
  t.notDeepEqual(queue.keys(), new MomentumQueue({ capacity: 30, dim, seed: 1 }).keys());
  const q = values(rows * dim);
  const p = values(rows * dim, 2);
  const options = { rows, temperature: 0.07, normalize: true, precision: 'fp32', gradient: true } as const;
  t.deepEqual(queue.infoNce(q, p, { rows }), spelt.infoNce(q, p, options));
  t.not(queue.infoNce(q, p, { rows, normalize: false }).loss, queue.infoNce(q, p, { rows }).loss);
});

test('random keys are unit rows of age 0; an empty queue has none', (t) => {
  const queue = new MomentumQueue({ capacity: 70, dim: 5 });
  t.is(queue.length, 70);
  t.true(queue.ages.every((age) => age === 0));
  for (const row of unitRows(queue.keys(), 5)) t.true(Math.abs(Math.hypot(...row) - 1) < 1e-6);
  const empty = new MomentumQueue({ capacity: 70, dim: 5, init: 'empty' });
  t.is(empty.length, 0);
  t.is(empty.keys().length, 0);
  const { loss, gradient } = empty.infoNce(values(10), values(10, 2), { rows: 2 });
  t.is(loss, 0);
  t.true(gradient!.every((value) => value === 0));
});

test('ages count enqueues, or keys', (t) => {
  const byEnqueue = new MomentumQueue({ capacity: 5, dim: 2 });
  byEnqueue.enqueue(values(4), 2);
  t.deepEqual([...byEnqueue.ages], [1, 1, 1, 1, 1].fill(1));
  byEnqueue.enqueue(values(4), 2);
  t.deepEqual([...byEnqueue.ages], [2, 2, 1, 1, 2]);
  byEnqueue.enqueue(values(4), 2);
  t.deepEqual([...byEnqueue.ages], [1, 3, 2, 2, 1]);
  const byKey = new MomentumQueue({ capacity: 5, dim: 2, ageUnit: 'key', init: 'empty' });
  byKey.enqueue(values(6), 3);
  t.deepEqual([...byKey.ages], [3, 2, 1]);
  byKey.enqueue(values(6), 3);
  t.deepEqual([...byKey.ages], [1, 5, 4, 3, 2]);
});

test('keys are normalised, in slot order, and the last ones stay', (t) => {
  const queue = new MomentumQueue({ capacity: 3, dim: 2, init: 'empty' });
  queue.enqueue(Float32Array.of(3, 4, 0, 0), 2);
  t.deepEqual([...queue.keys()], [...Float32Array.of(0.6, 0.8, 0, 0)]);
  t.is(queue.length, 2);
  queue.enqueue(Float32Array.of(1, 0, 2, 0, 0, 3, 0, -4, -5, 0), 5);
  t.deepEqual(
    [...queue.keys()].map((value) => value + 0),
    [-1, 0, 0, 1, 0, -1],
  );
  t.is(queue.length, 3);
});

test('gradient: true allocates, an array is written to, false leaves it out', (t) => {
  const queue = new MomentumQueue({ capacity: 40, dim: 5 });
  const q = values(30);
  const p = values(30, 2);
  const own = queue.infoNce(q, p, { rows: 6 });
  const target = new Float32Array(new ArrayBuffer(4 * 31), 4, 30).fill(Number.NaN);
  const given = queue.infoNce(q, p, { rows: 6, gradient: target });
  t.is(given.gradient, target);
  t.deepEqual(target, own.gradient);
  const none = queue.infoNce(q, p, { rows: 6, gradient: false });
  t.deepEqual(Object.keys(none), ['loss']);
  t.is(none.loss, own.loss);
});

test('NaN and infinity give a NaN loss while they are there', async (t) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const queue = new MomentumQueue({ capacity: 10, dim: 4 });
    const good = values(8);
    const wrong = values(8).fill(bad, 5, 6);
    t.true(Number.isNaN(queue.infoNce(wrong, good, { rows: 2 }).loss));
    t.true(Number.isNaN((await queue.infoNceAsync(good, wrong, { rows: 2 })).loss));
    queue.enqueue(wrong, 2);
    const { loss, gradient } = queue.infoNce(good, good, { rows: 2 });
    t.true(Number.isNaN(loss) && gradient!.every(Number.isNaN));
    queue.enqueue(values(40), 10);
    t.false(Number.isNaN(queue.infoNce(good, good, { rows: 2 }).loss));
  }
});

test('bf16 is near fp32', (t) => {
  const queue = new MomentumQueue({ capacity: 1000, dim: 64, decay: 0.999 });
  const q = values(130 * 64);
  const p = values(130 * 64, 2);
  const fp32 = queue.infoNce(q, p, { rows: 130 });
  const bf16 = queue.infoNce(q, p, { rows: 130, precision: 'bf16' });
  t.true(Math.abs(bf16.loss - fp32.loss) < 1e-2 * fp32.loss);
  const off = Math.hypot(...bf16.gradient!.map((value, i) => value - fp32.gradient![i]!));
  t.true(off < 2e-2 * Math.hypot(...fp32.gradient!));
});

test('threads do not change a bit', (t) => {
  const queue = new MomentumQueue({ capacity: 3000, dim: 65, decay: 0.999 });
  const q = values(150 * 65);
  const p = values(150 * 65, 2);
  const one = queue.infoNce(q, p, { rows: 150, threads: 1 });
  for (let threads = 2; threads <= 8; threads++) {
    t.deepEqual(queue.infoNce(q, p, { rows: 150, threads }), one);
  }
});

test('a restored queue goes on bit for bit', (t) => {
  for (const decay of decays) {
    for (const init of ['random', 'empty'] as const) {
      const queue = new MomentumQueue({ capacity: 70, dim: 33, init, ...decay });
      for (let step = 0; step < 5; step++) {
        queue.enqueue(values(19 * 33, step), 19);
        const other = MomentumQueue.restore(structuredClone(queue.state()));
        t.deepEqual(other.state(), queue.state());
        const more = values(8 * 33, 77);
        for (const one of [queue, other]) one.enqueue(more, 8);
        t.deepEqual(other.state(), queue.state());
        const x = values(4 * 33, 88);
        t.deepEqual(other.infoNce(x, x, { rows: 4 }), queue.infoNce(x, x, { rows: 4 }));
      }
    }
  }
});

test('everything after dispose() fails, dispose() itself does not', async (t) => {
  const queue = new MomentumQueue({ capacity: 10, dim: 4 });
  const x = values(4);
  queue.dispose();
  queue.dispose();
  queue[Symbol.dispose]();
  t.throws(() => queue.enqueue(x, 1), DISPOSED);
  t.throws(() => queue.infoNce(x, x, { rows: 1 }), DISPOSED);
  t.throws(() => queue.length, DISPOSED);
  t.throws(() => queue.ages, DISPOSED);
  t.throws(() => queue.keys(), DISPOSED);
  t.throws(() => queue.state(), DISPOSED);
  await t.throwsAsync(queue.enqueueAsync(x, 1), DISPOSED);
  await t.throwsAsync(queue.infoNceAsync(x, x, { rows: 1 }), DISPOSED);
});

test('dispose() gives the memory back, and so does garbage collection, which V8 knows to be due', async (t) => {
  const megabytes = () => process.memoryUsage().rss / 2 ** 20;
  const make = () => new MomentumQueue({ capacity: 32768, dim: 128, init: 'empty' });
  const keys = values(32768 * 128);
  const before = megabytes();
  for (let i = 0; i < 40; i++) {
    const queue = make();
    queue.enqueue(keys, 32768);
    queue.dispose();
  }
  t.true(megabytes() - before < 300, 'disposed');
  let most = 0;
  for (let i = 0; i < 40; i++) {
    make().enqueue(keys, 32768);
    most = Math.max(most, megabytes() - before);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.true(most < 400, `forgotten: ${most} of 640 MB`);
});

const q = values(24);
const wrongOptions: [string, unknown][] = [
  ['no options', undefined],
  ['an unknown key', { capacity: 4, dim: 4, size: 3 }],
  ['no capacity', { dim: 4 }],
  ['capacity 0', { capacity: 0, dim: 4 }],
  ['capacity 1.5', { capacity: 1.5, dim: 4 }],
  ['capacity beyond 2^24', { capacity: 2 ** 24 + 1, dim: 4 }],
  ['no dim', { capacity: 4 }],
  ['dim 0', { capacity: 4, dim: 0 }],
  ['decay 0', { capacity: 4, dim: 4, decay: 0 }],
  ['decay above 1', { capacity: 4, dim: 4, decay: 1.1 }],
  ['NaN decay', { capacity: 4, dim: 4, decay: Number.NaN }],
  ['unknown decayOn', { capacity: 4, dim: 4, decayOn: 'both' }],
  ['unknown ageUnit', { capacity: 4, dim: 4, ageUnit: 'step' }],
  ['unknown init', { capacity: 4, dim: 4, init: 'zeros' }],
  ['negative seed', { capacity: 4, dim: 4, seed: -1 }],
];
for (const [what, options] of wrongOptions) {
  test(`wrong queue: ${what}`, (t) => {
    t.is(t.throws(() => new MomentumQueue(options as MomentumQueueOptions), INVALID)?.name, 'VsslError');
  });
}

const good = { rows: 6 };
const wrongLosses: [string, unknown, unknown, unknown][] = [
  ['no options', q, q, undefined],
  ['an unknown key', q, q, { ...good, temprature: 0.1 }],
  ['no rows', values(0), values(0), { rows: 0 }],
  ['fractional rows', q, q, { rows: 5.5 }],
  ['huge rows', q, q, { rows: 2 ** 53 - 1 }],
  ['too few queries', values(23), q, good],
  ['too few keys', q, values(23), good],
  ['doubles', new Float64Array(24), q, good],
  ['null keys', q, null, good],
  ['shared memory', q, new Float32Array(new SharedArrayBuffer(96)), good],
  ['temperature 0', q, q, { ...good, temperature: 0 }],
  ['NaN temperature', q, q, { ...good, temperature: Number.NaN }],
  ['infinite temperature', q, q, { ...good, temperature: Number.POSITIVE_INFINITY }],
  ['normalize as a number', q, q, { ...good, normalize: 1 }],
  ['unknown precision', q, q, { ...good, precision: 'fp16' }],
  ['gradient of wrong length', q, q, { ...good, gradient: new Float32Array(23) }],
  ['gradient as text', q, q, { ...good, gradient: 'yes' }],
  ['no threads', q, q, { ...good, threads: 0 }],
];
for (const [what, queries, keys, options] of wrongLosses) {
  test(`wrong argument: ${what}`, async (t) => {
    const queue = new MomentumQueue({ capacity: 8, dim: 4 });
    const args = [queries as Float32Array, keys as Float32Array, options as InfoNceOptions] as const;
    t.is(t.throws(() => queue.infoNce(...args), INVALID)?.name, 'VsslError');
    await t.throwsAsync(queue.infoNceAsync(...args), INVALID);
  });
}

test('wrong arguments of enqueue leave the queue as it was', async (t) => {
  const queue = new MomentumQueue({ capacity: 8, dim: 4 });
  const before = queue.state();
  const wrong: [unknown, unknown][] = [
    [values(24), 5],
    [values(24), 0],
    [values(24), -6],
    [values(24), undefined],
    [new Float64Array(24), 6],
    [null, 6],
  ];
  for (const [keys, rows] of wrong) {
    t.throws(() => queue.enqueue(keys as Float32Array, rows as number), INVALID);
    await t.throwsAsync(queue.enqueueAsync(keys as Float32Array, rows as number), INVALID);
  }
  t.deepEqual(queue.state(), before);
});

test('a wrong state is refused', (t) => {
  const state = new MomentumQueue({ capacity: 4, dim: 2 }).state();
  const wrong: Record<string, unknown>[] = [
    { ages: new Float32Array(5) },
    { ages: [0, 0, 0, 0] },
    { ages: Float32Array.of(0, 1, 0, 0) },
    { ages: Float32Array.of(0.5, 0, 0, 0) },
    { keys: new Float32Array(7) },
    { keys: new Float32Array(8).fill(1) },
    { next: 4 },
    { next: undefined },
    { capacity: 3 },
    { capacity: 5 },
    { init: 'empty' },
  ];
  for (const change of wrong) {
    const changed = { ...state, ...change } as unknown as MomentumQueueState;
    t.throws(() => MomentumQueue.restore(changed), INVALID, JSON.stringify(change));
  }
});
