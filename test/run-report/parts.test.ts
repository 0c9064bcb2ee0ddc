/** Parts of a report that need no run: lines, axes, places on a map, words. */
import test from 'ava';
import { figure, lineChart, niceTicks } from '#src/report/line-chart.js';
import { clipsOf, inWords } from '#src/run-report/augmentations.js';
import { thin } from '#src/run-report/curves.js';
import { pickQueries } from '#src/run-report/map.js';
import { spread } from '#src/run-report/pick-clips.js';
import { project, toUnitSquare } from '#src/run-report/project.js';
import { shortNames } from '#src/run-report/read-run.js';

test('ticks are round and within the range', (t) => {
  t.deepEqual(niceTicks(0, 10, 5), [0, 2, 4, 6, 8, 10]);
  t.deepEqual(niceTicks(0.13, 0.61, 4), [0.2, 0.4, 0.6]);
  t.deepEqual(niceTicks(7, 7, 4), [7]);
  for (const [first, last] of [
    [1, 240],
    [-3e-7, 8e-7],
    [12_345, 99_999],
  ] as const) {
    const ticks = niceTicks(first, last, 5);
    t.true(ticks.length >= 2 && ticks.length <= 7, `${ticks}`);
    t.true(ticks[0]! >= first && ticks.at(-1)! <= last, `${ticks}`);
  }
});

test('numbers as readers want them', (t) => {
  t.deepEqual(
    [0, 3, 1.23456, 0.00012, 2_500_000, 12_345.678, Number.NaN].map((value) => figure(value)),
    ['0', '3', '1.235', '1.2e-4', '2.5e6', '12345.7', 'NaN'],
  );
  t.is(figure(0.12345, true), '12.3 %');
});

test('a thinned line keeps its ends, its mean, its extremes', (t) => {
  const points = Array.from({ length: 1000 }, (_, i) => ({ x: i + 1, y: Math.sin(i) }));
  const few = thin(points, 50);
  t.true(few.length <= 50 && few.length > 40);
  t.is(Math.min(...few.map(({ low }) => low)), Math.min(...points.map(({ y }) => y)));
  t.is(Math.max(...few.map(({ high }) => high)), Math.max(...points.map(({ y }) => y)));
  t.true(few.every(({ y, low, high }) => low <= y && y <= high));
  t.deepEqual(thin([{ x: 4, y: 2 }]), [{ x: 4, y: 2, low: 2, high: 2 }]);
  t.deepEqual(thin([]), []);
});

test('a chart says in words what it shows, and escapes who it is of', (t) => {
  const point = (x: number, y: number) => ({ x, y, low: y, high: y });
  const lines = [
    { name: '<a>', color: 0, points: [point(1, 5), point(2, Number.NaN), point(10, 2.5)] },
    { name: 'b', color: 1, points: [] },
  ];
  const { text } = lineChart({ id: 'chart', title: 'Loss', x: 'step', lines });
  t.true(text.includes('aria-label="Loss: &lt;a&gt; from 5 at step 1 to 2.5 at step 10"'));
  t.false(text.includes('<a>') || text.includes('NaN'));
  const empty = lineChart({ id: 'chart', title: 'Loss', x: 'step', lines: [] }).text;
  t.true(empty.includes('No values yet.'));
});

test('what is alike lies near on the map, the same places each time', (t) => {
  // three bundles of directions
  const rows = 60;
  const dim = 16;
  const data = new Float32Array(rows * dim);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < dim; i++)
      data[row * dim + i] = (i === row % 3 ? 3 : 0) + 0.2 * Math.sin(row * 7 + i * 13);
  const points = project({ data, rows, dim });
  t.deepEqual(points, project({ data, rows, dim }));
  const distance = (a: number, b: number) =>
    Math.hypot(points[2 * a]! - points[2 * b]!, points[2 * a + 1]! - points[2 * b + 1]!);
  for (let a = 0; a < rows; a++)
    for (let b = 0; b < rows; b++)
      t.is(distance(a, b) < 0.3, a % 3 === b % 3, `${a} and ${b}: ${distance(a, b)}`);
  t.true(points.every((value) => value >= 0 && value <= 1));
  const alike = project({ data: new Float32Array(20).fill(1), rows: 5, dim: 4 });
  t.true(alike.every((value) => value >= 0 && value <= 1));
});

test('odd values press the others nowhere, and keep their order', (t) => {
  const values = [...Array.from({ length: 40 }, (_, i) => i), 1e6, 2e6];
  const placed = toUnitSquare(Float32Array.from(values.flatMap((value) => [value, Number.NaN])));
  const xs = placed.filter((_, i) => i % 2 === 0);
  t.true(xs[39]! - xs[0]! > 0.6);
  t.true(xs[41]! >= xs[40]! && xs[40]! > xs[39]! && xs[41]! <= 1);
  t.true(placed.filter((_, i) => i % 2 === 1).every((y) => y === 0.5));
});

test('queries: wrong ones and right ones', (t) => {
  const clips = Array.from({ length: 20 }, (_, i) => ({ name: `${i}`, label: i % 2, shown: null as never }));
  // of the first ten the nearest is the next, of another label; of the others one of the same
  const near = clips.map((_, i) => [i < 10 ? i + 1 : i === 10 ? 12 : 10 + (i % 2)]);
  const run = { name: 'a', points: new Float32Array(40), near, similarities: near };
  const picked = pickQueries({ clips, runs: [run] }, 8);
  t.is(picked.length, 8);
  t.is(picked.filter((i) => i < 10).length, 4);
  t.is(new Set(picked).size, 8);
  t.is(pickQueries({ clips: clips.slice(0, 3), runs: [run] }, 8).length, 3);
});

test('names of runs differ, rows are spread evenly', (t) => {
  t.deepEqual(shortNames(['/a/run', '/b/run']), ['a/run', 'b/run']);
  t.deepEqual(shortNames(['/a/one', '/b/two']), ['one', 'two']);
  t.deepEqual(shortNames(['/run']), ['run']);
  t.deepEqual(spread([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 4), [0, 2, 5, 7]);
  t.deepEqual(spread([1, 2], 4), [1, 2]);
});

test('views of a plan, and what was done to them', (t) => {
  const augment = {
    crop: [0, 0, 0.5, 0.5],
    flip: true,
    color: [{ op: 'hue', value: 0.1 }],
    gray: true,
    blur: 0.5,
    blurRadius: 1,
    solarize: null,
  };
  const clip = {
    source: { kind: 'file', path: 'a.mp4' },
    modality: 'rgb',
    times: [1, 2],
    augment: [augment],
  };
  const views = [
    { name: 'one', clips: [clip, clip] },
    { name: 'two', clips: [clip], rows: [1] },
    { name: 'label', dtype: 'int64', shape: [], values: [[1], [2]] },
    { name: 'odd', clips: [null, 'x'] },
  ];
  const plan = { version: 2, views } as never;
  t.deepEqual(
    [0, 1, 2].map((sample) => clipsOf(plan, sample).map(({ name }) => name)),
    [['one'], ['one', 'two'], []],
  );
  t.deepEqual(inWords(clip as never), [
    '1.0 to 2.0 s',
    '25 % of the picture',
    'mirrored',
    'hue turned by 36°',
    'grey',
    'blurred, σ 0.5',
  ]);
});
