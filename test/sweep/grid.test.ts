import test from 'ava';
import { parseChoices } from '#src/config/read-file.js';
import { cellsOf } from '#src/sweep/grid.js';
import { planSweep } from '#src/sweep/plan-sweep.js';

const base = { method: 'cvrl', train: { batch: 4, steps: 8 } } as const;
const plan = (grid: Parameters<typeof cellsOf>[0], config: object = base) =>
  planSweep({ config: config as Record<string, unknown> }, grid, 'synthetic:motion', '/out');

test('every combination, by name; the order of keys and the way numbers are written make no difference', (t) => {
  const grid = { 'train.optimizer.lr': [1e-3, 3e-3], 'model.width': [0.5, 1] };
  const names = cellsOf(grid).map(({ name }) => name);
  t.deepEqual(names, [
    'model.width=0.5,train.optimizer.lr=0.001',
    'model.width=0.5,train.optimizer.lr=0.003',
    'model.width=1,train.optimizer.lr=0.001',
    'model.width=1,train.optimizer.lr=0.003',
  ]);
  const turned = Object.fromEntries(Object.entries(grid).reverse());
  t.deepEqual(
    cellsOf(turned).map(({ name }) => name),
    names,
  );
  t.deepEqual(
    cellsOf({}).map(({ name }) => name),
    ['base'],
  );
});

test('a name is a folder, whatever the value', (t) => {
  const nameOf = (value: unknown) => cellsOf({ key: [value] })[0]!.name;
  t.is(nameOf('/data/a b'), 'key=%2Fdata%2Fa%20b');
  t.is(nameOf([0.9, 0.999]), 'key=[0.9%2C0.999]');
  t.is(nameOf('é*?'), 'key=%C3%A9%2A%3F');
  t.is(nameOf(null), 'key=null');
  t.is(nameOf(true), 'key=true');
  const [a, b] = ['a', 'b'].map((end) => nameOf('x'.repeat(400) + end));
  t.true(a!.length <= 180 && b!.length <= 180);
  t.not(a, b);
});

test('values are read as YAML has them', (t) => {
  t.deepEqual(parseChoices('train.optimizer.lr=1e-3,3e-3'), ['train.optimizer.lr', [1e-3, 3e-3]]);
  t.deepEqual(parseChoices('a.b=[1, 2],null,true,word'), ['a.b', [[1, 2], null, true, 'word']]);
  for (const text of ['lr', '=1', 'lr=', 'lr=[1', ''])
    t.throws(() => parseChoices(text), { code: 'ERR_VSSL_CONFIG' }, text);
});

test('a wrong key, a wrong value, and what the sweep sets itself', (t) => {
  const cases: [object, RegExp][] = [
    [
      { 'train.optimzer.lr': [1] },
      /'train\.optimzer' \(--grid train\.optimzer\.lr\).*did you mean 'train\.optimizer'/,
    ],
    [{ 'train.optimizer.lrr': [1] }, /did you mean 'train\.optimizer\.lr'/],
    [{ lr: [1] }, /did you mean 'train\.optimizer\.lr'/],
    [
      { 'train.batch': [4, -1] },
      /'train\.batch' \(--grid train\.batch\): expected a whole number >= 1 but got -1/,
    ],
    [
      { 'train.optimizer.nesterov': [true], 'train.optimizer.momentum': [0.9, 0] },
      /nesterov.*needs a momentum/,
    ],
    [{ 'train.seed': [1, 2] }, /--seeds N/],
    [{ out: ['x'] }, /a folder of its own/],
    [{ 'train.batch': [4, 4] }, /the value 4 twice/],
    [{ 'train.steps': [8], 'moco.queue': [64] }, /options of another method/],
    [{ method: ['cvrl', 'mocco'] }, /did you mean 'moco'/],
    [{ preset: ['cvrl-tni'] }, /did you mean 'cvrl-tiny'/],
  ];
  for (const [grid, message] of cases)
    t.throws(() => plan(grid as never), { code: 'ERR_VSSL_CONFIG', message }, JSON.stringify(grid));
  for (const grid of [{ 'train.batch': [] }, { 'train.batch': 4 }, null, [1]])
    t.throws(() => plan(grid as never), { code: 'ERR_VSSL_INVALID_ARGUMENT' }, JSON.stringify(grid));
});

test('values that come to the same run are refused', (t) => {
  t.throws(() => plan({ 'data.workers': ['auto'], 'train.optimizer.lr': [0.1, 0.1] }), {
    code: 'ERR_VSSL_CONFIG',
  });
  t.throws(() => plan({ 'model.checkpoint': ['none'], 'data.input': ['rgb', 'rgb'] }), {
    code: 'ERR_VSSL_CONFIG',
  });
});

test('a unit that is varied unsets the other one', (t) => {
  const { cells } = plan({ 'train.epochs': [2, 3] });
  t.deepEqual(
    cells.map(({ config }) => [config.train.epochs, config.train.steps]),
    [
      [2, null],
      [3, null],
    ],
  );
});

test('methods and presets side by side, each with options of its own', (t) => {
  const { cells, bases } = plan(
    { preset: ['cvrl-tiny', 'moco-tiny'], 'train.steps': [9] },
    { train: { batch: 6 } },
  );
  t.deepEqual(
    cells.map(({ name, config }) => [name, config.method, config.train.steps, config.train.batch]),
    [
      ['preset=cvrl-tiny,train.steps=9', 'cvrl', 9, 6],
      ['preset=moco-tiny,train.steps=9', 'moco', 9, 6],
    ],
  );
  t.deepEqual(Object.keys(bases), ['preset=cvrl-tiny', 'preset=moco-tiny']);
  t.throws(() => plan({ preset: ['cvrl-tiny'] }, { extends: 'moco-tiny' }), { code: 'ERR_VSSL_CONFIG' });
});
