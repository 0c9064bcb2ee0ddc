import test from 'ava';
import { featureMatrix, normalizeRows, selectRows } from '#src/eval/feature-matrix.js';
import { findNeighbours, forEachQuery } from '#src/eval/neighbours.js';

const matrix = (rows: number[][]) => featureMatrix(Float32Array.from(rows.flat()), rows[0]!.length);

test('neighbours come by cosine, not by length', async (t) => {
  const gallery = matrix([
    [100, 0],
    [0.1, 0.1],
    [0, 1],
  ]);
  const found = await findNeighbours(matrix([[1, 1]]), gallery, { k: 3 });
  t.deepEqual([...found.indices], [1, 0, 2]);
  t.true(Math.abs(found.similarities[0]! - 1) < 1e-6);
  t.true(Math.abs(found.similarities[1]! - Math.SQRT1_2) < 1e-6);
});

test('of equal similarities the lower row comes first, at any k', async (t) => {
  const gallery = matrix([
    [1, 0],
    [0, 1],
    [1, 0],
    [1, 0],
    [0, 1],
  ]);
  const query = matrix([[1, 0]]);
  for (let k = 1; k <= 5; k++) {
    const { indices } = await findNeighbours(query, gallery, { k });
    t.deepEqual([...indices], [0, 2, 3, 1, 4].slice(0, k));
  }
});

test('k above the gallery takes all of it; rows of any count agree with a plain search', async (t) => {
  let state = 1;
  const draw = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647 - 0.5;
  };
  for (const queries of [1, 2, 3, 4, 5, 7, 8, 9]) {
    const dim = 5;
    const make = (rows: number) => featureMatrix(Float32Array.from({ length: rows * dim }, draw), dim);
    const query = make(queries);
    const gallery = make(6);
    const found = await findNeighbours(query, gallery, { k: 10 });
    t.is(found.k, 6);
    const q = normalizeRows(query).data;
    const g = normalizeRows(gallery).data;
    for (let row = 0; row < queries; row++) {
      const dots = Array.from({ length: 6 }, (_, j) => {
        let sum = 0;
        for (let d = 0; d < dim; d++) sum += q[row * dim + d]! * g[j * dim + d]!;
        return sum;
      });
      const order = dots.map((_, j) => j).sort((a, b) => dots[b]! - dots[a]!);
      t.deepEqual([...found.indices.subarray(row * 6, row * 6 + 6)], order);
    }
  }
});

test('zero rows stay zero, NaN is farther than everything', async (t) => {
  t.deepEqual([...normalizeRows(matrix([[0, 0]])).data], [0, 0]);
  const gallery = matrix([
    [Number.NaN, 1],
    [-1, 0],
    [1, 0],
  ]);
  const { indices } = await findNeighbours(matrix([[1, 0]]), gallery, { k: 3 });
  t.deepEqual([...indices], [2, 1, 0]);
});

test('rows can be selected, wrong shapes are refused', async (t) => {
  t.deepEqual(
    [
      ...selectRows(
        matrix([
          [1, 2],
          [3, 4],
          [5, 6],
        ]),
        [2, 0],
      ).data,
    ],
    [5, 6, 1, 2],
  );
  const invalid = { code: 'ERR_VSSL_INVALID_ARGUMENT' };
  t.throws(() => featureMatrix(new Float32Array(5), 2), invalid);
  t.throws(() => featureMatrix([1, 2] as unknown as Float32Array, 2), invalid);
  await t.throwsAsync(findNeighbours(matrix([[1]]), matrix([[1, 2]]), { k: 1 }), invalid);
  await t.throwsAsync(findNeighbours(matrix([[1]]), matrix([[1]]), { k: 0 }), invalid);
});

test('a long search leaves the event loop free and stops when asked', async (t) => {
  const dim = 256;
  const many = featureMatrix(new Float32Array(3000 * dim).fill(1), dim);
  const stop = new AbortController();
  const reason = new Error('enough');
  setTimeout(() => stop.abort(reason), 20);
  await t.throwsAsync(
    forEachQuery(many, many, () => {}, stop.signal),
    { is: reason },
  );
});
