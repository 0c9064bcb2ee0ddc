import test from 'ava';
import { type DotRows, type TopkDotOptions, topkDot, topkDotAsync } from '#src/kernels/index.js';
import { detached, INVALID } from './clip-values.js';

function values(count: number, seed = 1): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin((i + seed) * 12.9898) * 3);
}

/** Small whole numbers: exact in every type, with many equal scores. */
function whole(count: number, seed = 1): Int8Array {
  return Int8Array.from({ length: count }, (_, i) => ((i * 7919 + seed * 31 + ((i * i) % 13)) % 7) - 3);
}

interface Found {
  readonly k: number;
  readonly indices: number[];
  readonly scores: number[];
}

/** By the definition, in doubles. */
function expected(queries: ArrayLike<number>, rows: ArrayLike<number>, dim: number, k: number): Found {
  const count = rows.length / dim;
  const found: Found = { k: Math.min(k, count), indices: [], scores: [] };
  for (let i = 0; i < queries.length / dim; i++) {
    const scored = Array.from({ length: count }, (_, row) => {
      let score = 0;
      for (let d = 0; d < dim; d++) score += queries[i * dim + d]! * rows[row * dim + d]!;
      return { row, score };
    });
    scored.sort((a, b) => b.score - a.score || a.row - b.row);
    for (const { row, score } of scored.slice(0, k)) {
      found.indices.push(row);
      found.scores.push(score);
    }
  }
  return found;
}

const plain = ({ k, indices, scores }: ReturnType<typeof topkDot>): Found => ({
  k,
  indices: [...indices],
  scores: [...scores],
});

/** fp16 of whole numbers up to 3. */
const HALVES = [0, 0x3c00, 0x4000, 0x4200] as const;
const toFp16 = (value: number) => HALVES[Math.abs(value)]! | (value < 0 ? 0x8000 : 0);
const toBf16 = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16;

test('gives the rows of largest dot product, the best first, equal ones in order', (t) => {
  for (const dim of [1, 2, 3, 16, 33, 513])
    for (const count of [1, 2, 17, 300])
      for (const queryCount of [1, 2, 5, 70]) {
        const [queries, rows] = [Float32Array.from(whole(queryCount * dim)), whole(count * dim, 2)];
        const k = 1 + ((count + dim) % 12);
        const exact = expected(queries, rows, dim, k);
        t.deepEqual(plain(topkDot(queries, rows, { dim, k })), exact);
        t.deepEqual(plain(topkDot(queries, Float32Array.from(rows), { dim, k })), exact);
        const fp16 = Uint16Array.from(rows, toFp16);
        t.deepEqual(plain(topkDot(queries, fp16, { dim, k, type: 'fp16' })), exact);
        const bf16 = Uint16Array.from(rows, toBf16);
        t.deepEqual(plain(topkDot(queries, bf16, { dim, k, type: 'bf16' })), exact);
      }
});

test('scales are a factor for each row', (t) => {
  const [dim, count, k] = [20, 50, 9];
  const [queries, rows] = [Float32Array.from(whole(3 * dim)), whole(count * dim, 5)];
  const scales = Float32Array.from({ length: count }, (_, i) => 2 ** (i % 4) * (i % 3 === 0 ? -1 : 1));
  const scaled = Array.from(rows, (value, i) => value * scales[Math.floor(i / dim)]!);
  t.deepEqual(plain(topkDot(queries, rows, { dim, k, scales })), expected(queries, scaled, dim, k));
});

test('of fewer rows than k all are given; no rows and no queries give nothing', (t) => {
  const rows = Float32Array.of(1, 5, 3);
  t.deepEqual(plain(topkDot(Float32Array.of(1, -1), rows, { dim: 1, k: 10 })), {
    ...{ k: 3, indices: [1, 2, 0, 0, 2, 1], scores: [5, 3, 1, -1, -3, -5] },
  });
  const nothing = { indices: [], scores: [] };
  t.deepEqual(plain(topkDot(values(8), new Float32Array(), { dim: 4, k: 10 })), { k: 0, ...nothing });
  t.deepEqual(plain(topkDot(new Float32Array(), values(8), { dim: 4, k: 1 })), { k: 1, ...nothing });
});

test('NaN comes last, after minus infinity', (t) => {
  const rows = Float32Array.of(
    Number.NaN,
    -1e38,
    2,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    -0,
    0,
  );
  const { indices, scores } = topkDot(Float32Array.of(1), rows, { dim: 1, k: 7 });
  t.deepEqual([...indices], [3, 2, 5, 6, 1, 4, 0]);
  t.true(Number.isNaN(scores[6]));
  t.is(topkDot(Float32Array.of(Number.NaN), rows, { dim: 1, k: 2 }).indices[0], 0);
});

test('the same bits for any number of threads, for a query alone, at any address, and over parts', (t) => {
  const [dim, count, queryCount, k] = [65, 5000, 9, 40];
  const [queries, rows] = [values(queryCount * dim), values(count * dim, 7)];
  const one = topkDot(queries, rows, { dim, k, threads: 1 });
  for (const threads of [2, 3, 5]) t.deepEqual(topkDot(queries, rows, { dim, k, threads }), one);
  const moved = new Float32Array(rows.length + 1).subarray(1);
  moved.set(rows);
  t.deepEqual(topkDot(queries, moved, { dim, k }), one);
  for (let i = 0; i < queryCount; i++) {
    const alone = topkDot(queries.subarray(i * dim, (i + 1) * dim), rows, { dim, k });
    t.deepEqual(alone.indices, one.indices.slice(i * k, (i + 1) * k));
    t.deepEqual(alone.scores, one.scores.slice(i * k, (i + 1) * k));
  }
  const query = queries.subarray(0, dim);
  const parts = [0, 1234, 3000].flatMap((begin, p, begins) => {
    const part = rows.subarray(begin * dim, (begins[p + 1] ?? count) * dim);
    const { indices, scores } = topkDot(query, part, { dim, k });
    return Array.from(indices, (row, i) => ({ row: begin + row, score: scores[i]! }));
  });
  const merged = parts.sort((a, b) => b.score - a.score || a.row - b.row).slice(0, k);
  t.deepEqual(
    merged.map(({ row }) => row),
    [...one.indices.subarray(0, k)],
  );
});

test('the asynchronous call gives the same, takes what is not shared at the call, and reads what is', async (t) => {
  const [dim, k] = [48, 12];
  const [queries, rows] = [values(5 * dim), values(3000 * dim, 3)];
  const scales = values(3000, 9);
  const one = topkDot(queries, rows, { dim, k, scales });
  const shared = new Float32Array(new SharedArrayBuffer(rows.byteLength));
  shared.set(rows);
  const sharedScales = new Float32Array(new SharedArrayBuffer(scales.byteLength));
  sharedScales.set(scales);
  t.deepEqual(topkDot(queries, shared, { dim, k, scales: sharedScales }), one);
  const calls = Array.from({ length: 6 }, async (_, i) => {
    const own = { queries: queries.slice(), rows: rows.slice(), scales: scales.slice() };
    const call = topkDotAsync(own.queries, own.rows, { dim, k, scales: own.scales, threads: 1 + (i % 3) });
    for (const array of Object.values(own)) array.fill(Number.NaN);
    structuredClone(own.rows.buffer, { transfer: [own.rows.buffer as ArrayBuffer] });
    t.deepEqual(await call, one);
    t.deepEqual(await topkDotAsync(queries, shared, { dim, k, scales: sharedScales }), one);
  });
  await Promise.all(calls);
  t.deepEqual(
    await topkDotAsync(queries, new Float32Array(), { dim, k }),
    topkDot(queries, new Float32Array(), { dim, k }),
  );
});

test('leaves the event loop free', async (t) => {
  const rows = new Float32Array(new SharedArrayBuffer(4 * 200_000 * 128)).fill(0.25);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await topkDotAsync(values(64 * 128), rows, { dim: 128, k: 10, threads: 1 });
  clearInterval(timer);
  t.true(turns >= 1, 'one that blocks is done before the first turn');
});

const ok = { dim: 4, k: 2 };
const x = values(24);
const wrong: [string, unknown, unknown, unknown][] = [
  ['no options', x, x, undefined],
  ['an unknown key', x, x, { ...ok, topk: 3 }],
  ['no dim', x, x, { k: 2 }],
  ['dim 0', x, x, { ...ok, dim: 0 }],
  ['huge dim', x, x, { ...ok, dim: 2 ** 20 + 1 }],
  ['no k', x, x, { dim: 4 }],
  ['k 0', x, x, { ...ok, k: 0 }],
  ['k 1.5', x, x, { ...ok, k: 1.5 }],
  ['queries of half a row', values(22), x, ok],
  ['rows of half a row', x, values(22), ok],
  ['queries of doubles', new Float64Array(24), x, ok],
  ['rows of doubles', x, new Float64Array(24), ok],
  ['rows of bytes', x, new Uint8Array(24), ok],
  ['a list of rows', x, [1, 2, 3, 4], ok],
  ['null rows', x, null, ok],
  ['16 bits of no type', x, new Uint16Array(24), ok],
  ['an unknown type', x, x, { ...ok, type: 'fp64' }],
  ['a type of another array', x, x, { ...ok, type: 'int8' }],
  ['fp32 in 16 bits', x, new Uint16Array(24), { ...ok, type: 'fp32' }],
  ['shared queries', new Float32Array(new SharedArrayBuffer(96)), x, ok],
  ['detached queries', detached(24), x, ok],
  ['detached rows', x, detached(24), ok],
  ['too few scales', x, x, { ...ok, scales: values(5) }],
  ['too few shared scales', x, x, { ...ok, scales: new Float32Array(new SharedArrayBuffer(20)) }],
  ['scales of doubles', x, x, { ...ok, scales: new Float64Array(6) }],
  ['no threads', x, x, { ...ok, threads: 0 }],
];
for (const [what, queries, rows, options] of wrong)
  test(`wrong argument: ${what}`, async (t) => {
    const args = [queries as Float32Array, rows as DotRows, options as TopkDotOptions] as const;
    t.is(t.throws(() => topkDot(...args), INVALID)?.name, 'VsslError');
    await t.throwsAsync(topkDotAsync(...args), INVALID);
  });

test('messages teach', (t) => {
  const message = (queries: Float32Array, rows: DotRows, options: TopkDotOptions) =>
    t.throws(() => topkDot(queries, rows, options), INVALID)!.message;
  t.regex(message(x, new Uint16Array(24), ok), /expected 'fp16' or 'bf16' .* for type/);
  t.regex(message(x, x, { ...ok, type: 'int8' }), /expected an Int8Array \(type 'int8'\) for rows/);
  t.regex(message(x, values(22), ok), /multiple of 4 values \(dim\) for rows but received '22 values'/);
  const many = new Float32Array(70_000);
  t.regex(
    message(many, many, { dim: 1, k: 70_000 }),
    /from 0 to 4294967295 for queries \* k but received 4900000000/,
  );
});
