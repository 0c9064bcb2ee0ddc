import test from 'ava';
import { philox4x32 } from '#src/data/philox.js';
import { Rng } from '#src/data/rng.js';

/** The known answers of Random123, kat_vectors. */
const KNOWN: readonly (readonly [counter: number[], key: number[], out: number[]])[] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
];

test('philox gives the known answers of its authors', (t) => {
  for (const [counter, key, expected] of KNOWN) {
    const out = new Uint32Array(4);
    philox4x32(out, Uint32Array.from(counter), Uint32Array.from(key));
    t.deepEqual([...out], expected);
  }
});

test('golden values: the numbers of a key list never change', (t) => {
  const rng = new Rng(0, 'order', 3);
  t.deepEqual(
    [rng.bits(), rng.bits(), rng.bits(), rng.bits(), rng.bits()],
    [185748974, 1339591608, 1255932836, 894895977, 3489607299],
  );
  const other = new Rng('a', 1, -2.5);
  t.is(other.next(), 0.8806942992050962);
  t.is(other.int(1000), 41);
  t.is(other.normal(), 0.3611553452007061);
  t.deepEqual(new Rng(7).shuffle([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), [2, 3, 7, 0, 1, 6, 5, 4, 8, 9]);
});

test('same keys, same numbers; another key, other numbers', (t) => {
  const draw = (...keys: (number | string)[]) => {
    const rng = new Rng(...keys);
    return Array.from({ length: 8 }, () => rng.bits()).join();
  };
  t.is(draw(1, 'x', 2), draw(1, 'x', 2));
  const lists: (number | string)[][] = [
    [],
    [0],
    [1],
    [0, 0],
    [12],
    [1, 2],
    [2, 1],
    ['1', 2],
    ['12'],
    ['1', '2'],
    ['', ''],
    [''],
    [0.1],
    [2 ** 32],
    [2 ** 40],
    [-1],
    ['a', 'b'],
    ['ab'],
  ];
  t.is(new Set(lists.map((keys) => draw(...keys))).size, lists.length);
  t.is(draw(-0), draw(0));
  t.throws(() => new Rng(Number.NaN), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});

test('fork does not depend on what was drawn, and differs by key', (t) => {
  const a = new Rng(5);
  const b = new Rng(5);
  b.next();
  b.normal();
  t.is(a.fork('time').next(), b.fork('time').next());
  t.not(a.fork('time').next(), a.fork('augment').next());
  t.not(a.fork().next(), a.next());
});

/** Chi-square statistic of counts against a uniform distribution. */
function chiSquare(counts: readonly number[]): number {
  const total = counts.reduce((sum, n) => sum + n, 0);
  const expected = total / counts.length;
  return counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
}

test('next is uniform along a stream and across neighbouring keys', (t) => {
  const bins = 64;
  const along = new Array<number>(bins).fill(0);
  const across = new Array<number>(bins).fill(0);
  const pairs = new Array<number>(bins).fill(0);
  const rng = new Rng('uniform');
  for (let i = 0; i < 64000; i++) {
    const x = rng.next();
    t.true(x >= 0 && x < 1);
    along[Math.floor(x * bins)]!++;
    // The first number of neighbouring keys: how plans are keyed.
    const first = new Rng(0, 'sample', i >> 8, i & 255, 0).next();
    across[Math.floor(first * bins)]!++;
    const next = new Rng(0, 'sample', i >> 8, (i & 255) + 1, 0).next();
    pairs[Math.floor(first * 8) * 8 + Math.floor(next * 8)]!++;
  }
  // 63 degrees of freedom: 0.9999 of all are below 117.
  for (const counts of [along, across, pairs]) t.true(chiSquare(counts) < 117, String(chiSquare(counts)));
});

test('int, uniform, bool and shuffle have their distributions', (t) => {
  const rng = new Rng('int');
  const counts = [0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < 70000; i++) counts[rng.int(7)]!++;
  t.true(chiSquare(counts) < 27.9, String(chiSquare(counts)));
  t.is(rng.int(1), 0);
  t.true(rng.int(2 ** 32) >= 0);
  for (const n of [0, -1, 1.5, 2 ** 33, Number.NaN])
    t.throws(() => rng.int(n), { code: 'ERR_VSSL_INVALID_ARGUMENT' });

  let heads = 0;
  for (let i = 0; i < 20000; i++) {
    if (rng.bool(0.3)) heads++;
    const u = rng.uniform(-2, 5);
    t.true(u >= -2 && u < 5);
  }
  t.true(Math.abs(heads / 20000 - 0.3) < 0.013);
  t.false(rng.bool(0));
  t.true(rng.bool(1));

  const orders = new Map<string, number>();
  for (let i = 0; i < 24000; i++) {
    const order = rng.shuffle([0, 1, 2, 3]).join('');
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  t.is(orders.size, 24);
  t.true(chiSquare([...orders.values()]) < 55, String(chiSquare([...orders.values()])));
});

test('normal has the moments and the tails of a standard normal', (t) => {
  const rng = new Rng('normal');
  const n = 40000;
  let sum = 0;
  let squares = 0;
  let cubes = 0;
  let fourths = 0;
  let beyond2 = 0;
  for (let i = 0; i < n; i++) {
    const x = rng.normal();
    sum += x;
    squares += x * x;
    cubes += x ** 3;
    fourths += x ** 4;
    if (Math.abs(x) > 2) beyond2++;
  }
  t.true(Math.abs(sum / n) < 0.02);
  t.true(Math.abs(squares / n - 1) < 0.03);
  t.true(Math.abs(cubes / n) < 0.07);
  t.true(Math.abs(fourths / n - 3) < 0.2);
  t.true(Math.abs(beyond2 / n - 0.0455) < 0.005);
});
