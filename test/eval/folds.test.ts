import test from 'ava';
import { parseFoldSpec, planFolds } from '#src/eval/folds.js';

const groups = ['b', 'a', 'b', 'c', 'a', undefined, 'b'];

test('each group is held out once, and never stands on both sides', (t) => {
  const folds = planFolds(groups, null);
  t.deepEqual(
    folds.map(({ name, test }) => [name, test]),
    [
      ['a', [1, 4]],
      ['b', [0, 2, 6]],
      ['c', [3]],
      ['row 5', [5]],
    ],
  );
  for (const { train, test } of folds) {
    t.deepEqual([...train, ...test].sort(), [0, 1, 2, 3, 4, 5, 6]);
    t.false(train.some((row) => test.includes(row)));
  }
});

test('K folds hold whole groups, of about equal size, whatever the order of the rows', (t) => {
  const folds = planFolds(groups, 2);
  t.deepEqual(folds.map(({ test }) => test.length).sort(), [3, 4]);
  for (const { train } of folds)
    for (const name of ['a', 'b', 'c']) {
      const rows = groups.flatMap((group, row) => (group === name ? [row] : []));
      const inside = rows.filter((row) => train.includes(row)).length;
      t.true(inside === 0 || inside === rows.length);
    }
  t.is(planFolds(groups, 50).length, 4, 'no more folds than groups');
  const names = planFolds([...groups].reverse(), 2).map(({ name }) => name.replace(/row \d/, 'row'));
  t.deepEqual(
    names,
    folds.map(({ name }) => name.replace(/row \d/, 'row')),
  );
});

test('a single group cannot be held out; specifications are checked', (t) => {
  t.throws(() => planFolds(['a', 'a'], null), { code: 'ERR_VSSL_DATA', message: /group/ });
  t.deepEqual(parseFoldSpec('group'), { column: 'group', count: null });
  t.deepEqual(parseFoldSpec('subject:5'), { column: 'subject', count: 5 });
  for (const wrong of ['', 'group:', 'group:1', 'group:x', ':3']) {
    t.throws(() => parseFoldSpec(wrong), { code: 'ERR_VSSL_USAGE' }, wrong);
  }
});
