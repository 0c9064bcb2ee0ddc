import { writeFileSync } from 'node:fs';
import test from 'ava';
import { labelledRows, loadEvaluationData, narrowSplits } from '#src/eval/evaluation-data.js';
import { scratch } from '../embed/make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

test.before(() => {
  const rows = ['walk/a.mp4,walk,g1,x', 'walk/b.mp4,walk,g2,x', 'run/a.mp4,run,g1,y', 'run/b.mp4,,g2,y'];
  writeFileSync(file('all.csv'), ['path,label,group,scene', ...rows].join('\n'));
  writeFileSync(file('other.csv'), 'path,label\nwalk/a.mp4,walk\nnew.mp4,jump\n');
});

const usage = { code: 'ERR_VSSL_USAGE' };

test('one set with folds', async (t) => {
  const data = await loadEvaluationData({ data: file('all.csv'), folds: 'group' });
  t.deepEqual(data.labels, ['run', 'walk']);
  t.deepEqual([...data.classes], [1, 1, 0, -1]);
  t.deepEqual(
    data.splits.map(({ name, train, test }) => [name, train, test]),
    [
      ['g1', [1, 3], [0, 2]],
      ['g2', [0, 2], [1, 3]],
    ],
  );
  t.deepEqual(data.trainRows, [0, 1, 2, 3]);
  const byScene = await loadEvaluationData({ data: file('all.csv'), folds: 'scene' });
  t.deepEqual(
    byScene.splits.map(({ name }) => name),
    ['x', 'y'],
  );
});

test('two sets: classes are shared, videos on both sides are told', async (t) => {
  const data = await loadEvaluationData({ train: file('all.csv'), test: file('other.csv') });
  t.deepEqual(data.labels, ['jump', 'run', 'walk']);
  t.deepEqual(data.splits[0]!.train, [0, 1, 2, 3]);
  t.deepEqual(data.splits[0]!.test, [4, 5]);
  t.true(data.warnings.some((warning) => /1 test videos are training videos too/.test(warning)));
});

test('wrong combinations say what is expected', async (t) => {
  const one = file('all.csv');
  await t.throwsAsync(loadEvaluationData({}), usage);
  await t.throwsAsync(loadEvaluationData({ train: one }), usage);
  await t.throwsAsync(loadEvaluationData({ data: one, test: one }), usage);
  await t.throwsAsync(loadEvaluationData({ train: one, test: one, folds: 'group' }), usage);
  await t.throwsAsync(loadEvaluationData({ data: one, folds: 'grop' }), {
    ...usage,
    message: /no column 'grop'.*there are group, label, scene.*did you mean 'group'\?/,
  });
});

test('labels are needed on both sides of a split', async (t) => {
  writeFileSync(file('bare.csv'), 'path\na.mp4\nb.mp4\n');
  const load = async (train: string, test: string) =>
    labelledRows(await loadEvaluationData({ train: file(train), test: file(test) }));
  t.deepEqual(await load('all.csv', 'other.csv'), [0, 1, 2, 4, 5]);
  await t.throwsAsync(load('bare.csv', 'bare.csv'), { code: 'ERR_VSSL_DATA', message: /no labels/ });
  await t.throwsAsync(load('bare.csv', 'other.csv'), { code: 'ERR_VSSL_DATA', message: /have no labels/ });
  const unsplit = await loadEvaluationData({ data: file('all.csv') });
  t.throws(() => labelledRows(unsplit), usage);
});

test('splits follow the rows that are left', (t) => {
  const splits = [
    { name: 'a', train: [0, 1], test: [2, 3] },
    { name: 'b', train: [2, 3], test: [0, 1] },
  ];
  t.deepEqual(narrowSplits(splits, [1, 2, 3]), [
    { name: 'a', train: [0], test: [1, 2] },
    { name: 'b', train: [1, 2], test: [0] },
  ]);
  t.deepEqual(narrowSplits(splits, [0, 1]), [], 'nothing to train on, or nothing to test');
});
