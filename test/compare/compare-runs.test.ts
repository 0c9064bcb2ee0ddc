import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { compareRuns } from '#src/compare/compare-runs.js';
import { scratch } from '../embed/make-videos.js';
import { knnResult, makeRun, writeResult } from './make-runs.js';

const { file, remove } = scratch();
test.after.always(remove);

/** `count` of `of` are right, from `first` on. */
const right = (count: number, of: number, first = 0) =>
  Array.from({ length: of }, (_, i) => i >= first && i < first + count);

test('only keys that differ, whatever the folder and the time', async (t) => {
  makeRun(file('a'), { lr: 0.05, environment: { threads: 1, versions: { node: '20' } } });
  makeRun(file('b'), { lr: 0.1, batch: 8, seed: 1, environment: { threads: 2, versions: { node: '20' } } });
  const { arms, config, environment, notPaired, evaluations } = await compareRuns({
    runs: [file('a'), file('b')],
  });
  t.deepEqual(
    arms.map(({ name, step, totalSteps }) => [name, step, totalSteps]),
    [
      ['a', 4, 4],
      ['b', 4, 4],
    ],
  );
  t.deepEqual(config, [
    { key: 'train.batch', values: [4, 8] },
    { key: 'train.optimizer.lr', values: [0.05, 0.1] },
    { key: 'train.seed', values: [0, 1] },
  ]);
  t.deepEqual(environment, [{ key: 'threads', values: [1, 2] }]);
  t.deepEqual([notPaired, evaluations], [[], []]);
});

test('curves at equal steps, up to the last that all have reached; throughput', async (t) => {
  makeRun(file('long'), { losses: [8, 6, 4, 2, 1, 1, 1, 1], clipsPerSecond: 50 });
  makeRun(file('short'), { losses: [7, 5, 3, 1], clipsPerSecond: 200 });
  // half a line, as a process that is writing leaves it
  appendFileSync(join(file('short'), 'metrics.jsonl'), '{"step": 5, "lo');
  const { arms, curves } = await compareRuns({ runs: [file('long'), file('short')], points: 2 });
  t.deepEqual(
    curves.map(({ metric, steps, values }) => ({ metric, steps, values })),
    [
      {
        metric: 'loss',
        steps: [2, 4],
        values: [
          [7, 3],
          [6, 2],
        ],
      },
    ],
  );
  t.is(curves[0]!.lastStep, 8);
  t.deepEqual(curves[0]!.shapes[1], [7, 5, 3, 1, null, null, null, null]);
  t.deepEqual(
    arms.map(({ clipsPerSecond, dataWait, loss }) => [clipsPerSecond, dataWait, loss]),
    [
      [50, 0.25, 1],
      [200, 0.25, 1],
    ],
  );
  const own = await compareRuns({ runs: [file('long'), file('short')], metrics: ['lr'], points: 1 });
  t.deepEqual(
    own.curves.map(({ metric, values }) => [metric, values]),
    [['lr', [[0.05], [0.05]]]],
  );
  await t.throwsAsync(compareRuns({ runs: [file('long'), file('short')], metrics: ['los'] }), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
    message: /did you mean 'loss'/,
  });
});

test('evaluations during training are curves of their own', async (t) => {
  makeRun(file('hook-a'));
  makeRun(file('hook-b'));
  for (const [name, accuracy] of [
    ['hook-a', 0.5],
    ['hook-b', 0.75],
  ] as const)
    appendFileSync(
      join(file(name), 'metrics.jsonl'),
      `${JSON.stringify({ step: 4, epoch: 0, evaluation: 'knn', accuracy })}\n`,
    );
  const { curves } = await compareRuns({ runs: [file('hook-a'), file('hook-b')], points: 1 });
  t.deepEqual(
    curves.map(({ metric, values }) => [metric, values]),
    [
      ['loss', [[1.75], [1.75]]],
      ['knn/accuracy', [[0.5], [0.75]]],
    ],
  );
});

test('the same videos are compared one by one: what two runs share takes no part', async (t) => {
  for (const name of ['pair-a', 'pair-b']) makeRun(file(name));
  // both 100 of 200 right and 10 more; b is right where a is, and on ten others
  writeResult(join(file('pair-a'), 'eval-knn-1.json'), knnResult(right(100, 200)));
  writeResult(join(file('pair-b'), 'eval-knn-2.json'), knnResult(right(110, 200)));
  const { evaluations, notPaired } = await compareRuns({ runs: [file('pair-a'), file('pair-b')] });
  t.is(evaluations.length, 1);
  const [{ measure, scores, paired }] = evaluations as [(typeof evaluations)[0]];
  t.is(measure, 'accuracy');
  t.deepEqual(
    scores.map(({ arm, value, count }) => [arm, value, count]),
    [
      ['pair-a', 0.5, 200],
      ['pair-b', 0.55, 200],
    ],
  );
  t.is(paired.length, 1);
  const [pair] = paired;
  t.like(pair, { arm: 'pair-b', against: 'pair-a', by: 'video', pairs: 200, verdict: 'better' });
  t.true(Math.abs(pair!.difference - 0.05) < 1e-12);
  t.true(pair!.interval[0] > 0.015 && pair!.interval[1] < 0.095);
  // apart, their intervals overlap: pairing is what tells
  t.true(scores[0]!.interval![1] > scores[1]!.interval![0]);
  t.deepEqual(notPaired, []);
});

test('whole groups are drawn; videos that one could not use are left out of the pairs', async (t) => {
  const ids = Array.from({ length: 60 }, (_, i) => `v${i}`);
  const groups = ids.map((_, i) => `person-${i % 6}`);
  for (const name of ['group-a', 'group-b']) makeRun(file(name));
  writeResult(join(file('group-a'), 'eval-knn-1.json'), knnResult(right(30, 60), { ids, groups }));
  writeResult(
    join(file('group-b'), 'eval-knn-1.json'),
    knnResult(right(40, 59), { ids: ids.slice(1), groups: groups.slice(1) }),
  );
  const { evaluations } = await compareRuns({ runs: [file('group-a'), file('group-b')] });
  t.like(evaluations[0]!.paired[0], { by: 'group', pairs: 59 });
});

test('several seeds of an arm: a mean with an interval, paired by seed and by video', async (t) => {
  for (const [arm, gain] of [
    ['arm-a', 0],
    ['arm-b', 12],
  ] as const)
    for (let seed = 0; seed < 3; seed++) {
      makeRun(join(file(arm), `seed-${seed}`), { seed, lr: arm === 'arm-a' ? 0.1 : 0.2, losses: [2 + seed] });
      const count = 40 + 5 * seed + gain;
      writeResult(
        join(file(arm), `seed-${seed}`, 'eval-knn-1.json'),
        knnResult(right(count, 100), { step: 1 }),
      );
    }
  const { arms, config, evaluations } = await compareRuns({ runs: [file('arm-a'), file('arm-b')] });
  t.deepEqual(
    arms.map(({ seeds, loss }) => [seeds, loss]),
    [
      [[0, 1, 2], 3],
      [[0, 1, 2], 3],
    ],
  );
  t.deepEqual(config, [{ key: 'train.optimizer.lr', values: [0.1, 0.2] }], 'the seed is no difference');
  const [{ scores, paired }] = evaluations as [(typeof evaluations)[0]];
  t.deepEqual(scores[1]!.values, [0.52, 0.57, 0.62]);
  t.true(Math.abs(scores[1]!.value - 0.57) < 1e-12);
  t.true(Math.abs(scores[1]!.interval![1] - (0.57 + (4.3027 * 0.05) / Math.sqrt(3))) < 1e-9);
  t.deepEqual(
    paired.map(({ by, pairs, verdict }) => [by, pairs, verdict]),
    [
      ['video', 100, 'better'],
      ['seed', 3, 'better'],
    ],
  );
  for (const { difference } of paired) t.true(Math.abs(difference - 0.12) < 1e-12);
});

test('what was asked another question is not paired, and it is said why', async (t) => {
  for (const name of ['base', 'k', 'videos', 'folds', 'old', 'labels']) makeRun(file(name));
  const write = (name: string, result: object) => writeResult(join(file(name), 'eval-knn-1.json'), result);
  write('base', knnResult(right(5, 10)));
  write('k', knnResult(right(5, 10), { question: 'k', settings: { k: 1 } }));
  const ids = Array.from({ length: 12 }, (_, i) => (i < 4 ? `video-${i}` : `other-${i}`));
  write('videos', knnResult(right(5, 12), { question: 'videos', ids }));
  write('folds', knnResult(right(5, 10), { question: 'folds', folds: 'group' }));
  const { question: _q, tested: _t, ...old } = knnResult(right(5, 10));
  write('old', old);
  const { data, ...labels } = knnResult(right(5, 10), { question: 'labels' });
  write('labels', { ...labels, data: { ...data, labels: ['left', 'up'] } });
  const names = ['base', 'k', 'videos', 'folds', 'old', 'labels'];
  const { notPaired, evaluations } = await compareRuns({ runs: names.map(file) });
  t.deepEqual(
    evaluations.flatMap(({ paired }) => paired),
    [],
  );
  const why = Object.fromEntries(notPaired.map((one) => [one.arm, one.why]));
  t.regex(why.k!, /other settings: k 5 and 1/);
  t.regex(why.videos!, /other videos are tested: 10 and 12, 4 of them the same/);
  t.regex(why.folds!, /other splits: a test set and folds group/);
  t.regex(why.old!, /earlier version.*evaluate it again/);
  t.regex(why.labels!, /5 videos have another label/);
});

test('of two results of one question the later weights count, and earlier ones are told of', async (t) => {
  for (const name of ['once', 'twice']) makeRun(file(name));
  writeResult(join(file('once'), 'eval-knn-1.json'), knnResult(right(5, 10), { step: 2 }));
  writeResult(join(file('twice'), 'eval-knn-1.json'), knnResult(right(5, 10), { step: 2 }));
  writeResult(join(file('twice'), 'eval-knn-2.json'), knnResult(right(7, 10), { step: 4 }));
  writeFileSync(join(file('twice'), 'eval-knn-3.json'), '{"protocol": "knn", "trai');
  const { evaluations, warnings } = await compareRuns({ runs: [file('once'), file('twice')] });
  t.deepEqual(
    evaluations[0]!.scores.map(({ value }) => value),
    [0.5, 0.7],
  );
  t.is(warnings.length, 2);
  t.regex(warnings[0]!, /once: knn was evaluated after step 2, the run is at step 4/);
  t.regex(warnings[1]!, /eval-knn-3\.json holds no evaluation/);
});

test('evaluation files alone, and the cells of a sweep', async (t) => {
  writeResult(file('one.json'), knnResult(right(5, 10)));
  writeResult(file('two.json'), knnResult(right(6, 10)));
  const files = await compareRuns({ runs: [file('one.json'), file('two.json')] });
  t.deepEqual(
    files.arms.map(({ name, step }) => [name, step]),
    [
      ['one.json', null],
      ['two.json', null],
    ],
  );
  t.is(files.evaluations[0]!.paired.length, 1);
  t.deepEqual([files.config, files.curves], [[], []]);
  mkdirSync(file('swept'));
  writeFileSync(file('swept/sweep.json'), '{}');
  for (const lr of [0.1, 0.2]) makeRun(file(`swept/train.optimizer.lr=${lr}/seed-0`), { lr });
  const { arms } = await compareRuns({ runs: [file('swept')] });
  t.deepEqual(
    arms.map(({ name }) => name),
    ['train.optimizer.lr=0.1', 'train.optimizer.lr=0.2'],
  );
});

test('what cannot be compared is told', async (t) => {
  makeRun(file('alone'));
  makeRun(file('x/run'));
  makeRun(file('y/run'));
  const cases: [readonly string[], string, RegExp][] = [
    [[file('alone')], 'ERR_VSSL_USAGE', /at least two runs/],
    [[file('alone'), file('alone')], 'ERR_VSSL_USAGE', /named twice/],
    [[file('alone'), file('nowhere')], 'ERR_VSSL_FILE', /no run folder or evaluation file .*nowhere/],
    [[file('alone'), file('')], 'ERR_VSSL_USAGE', /holds no run/],
    [[file('alone'), file('alone/metrics.jsonl')], 'ERR_VSSL_USAGE', /holds no evaluation/],
    [[], 'ERR_VSSL_USAGE', /at least two runs .* none/],
  ];
  for (const [runs, code, message] of cases) await t.throwsAsync(compareRuns({ runs }), { code, message });
  await t.throwsAsync(compareRuns({ runs: 'a' as never }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  makeRun(file('mixed/seed-0'), { seed: 0, batch: 4 });
  makeRun(file('mixed/seed-1'), { seed: 1, batch: 8 });
  await t.throwsAsync(compareRuns({ runs: [file('mixed'), file('alone')] }), {
    code: 'ERR_VSSL_USAGE',
    message: /differ in train\.batch, not in their seed alone/,
  });
  const { arms } = await compareRuns({ runs: [file('x/run'), file('y/run')] });
  t.deepEqual(
    arms.map(({ name }) => name),
    ['x/run', 'y/run'],
    'as much of the path as tells them apart',
  );
  rmSync(file('mixed'), { recursive: true });
});
