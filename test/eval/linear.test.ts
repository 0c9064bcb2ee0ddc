import test from 'ava';
import { featureMatrix } from '#src/eval/feature-matrix.js';
import { fitLinearProbe, standardize, weightDecays } from '#src/eval/linear.js';
import { loadEngine } from '#src/native/load.js';

const matrix = (rows: number[][]) => featureMatrix(Float32Array.from(rows.flat()), rows[0]!.length);

test('columns are shifted and scaled by the training rows; one that never varies becomes 0', (t) => {
  const [train, other] = standardize(
    matrix([
      [0, 5, 1e6],
      [2, 5, 1e6],
    ]),
    matrix([[4, 6, 0]]),
  );
  t.deepEqual([...train.data], [-1, 0, 0, 1, 0, 0]);
  t.deepEqual([...other.data], [3, 0, 0]);
});

/** Stands in for the engine: notes what it is given, and is right when the penalty is `best`. */
function pretend(best: number) {
  const calls: { rows: number; test: number; decay: number }[] = [];
  return {
    calls,
    async fitLinear(
      train: Float32Array,
      labels: Int32Array,
      unseen: Float32Array,
      dim: number,
      classes: number,
      options: { weightDecay?: number },
    ) {
      calls.push({ rows: labels.length, test: unseen.length / dim, decay: options.weightDecay! });
      const right = options.weightDecay === best;
      // the sign of the only column is the class
      const scores = Float32Array.from({ length: (unseen.length / dim) * classes }, (_, i) => {
        const truth = unseen[Math.floor(i / classes) * dim]! > 0 ? 1 : 0;
        return i % classes === (right ? truth : 1 - truth) ? 1 : 0;
      });
      return { scores, trainAccuracy: train.length > 0 ? 1 : 0, loss: 0, iterations: 1 };
    },
  };
}

const features = matrix([[-1], [1], [-1], [1], [-1], [1]]);
const labels = Int32Array.of(0, 1, 0, 1, 0, 1);

test('the penalty is chosen by validation inside the training rows', async (t) => {
  const engine = pretend(0.01);
  const result = await fitLinearProbe(engine, features, labels, matrix([[3], [-3]]), 2);
  t.is(result.weightDecay, 0.01);
  t.deepEqual([...result.predictions], [1, 0]);
  t.deepEqual(
    result.validation,
    weightDecays.map((weightDecay) => ({ weightDecay, accuracy: weightDecay === 0.01 ? 1 : 0 })),
  );
  t.deepEqual(engine.calls.at(-1), { rows: 6, test: 2, decay: 0.01 });
  t.true(engine.calls.slice(0, -1).every(({ rows, test }) => rows + test === 6));
});

test('of equal accuracies the stronger penalty wins; a given one is used as it is', async (t) => {
  const never = pretend(-1);
  t.is((await fitLinearProbe(never, features, labels, features, 2)).weightDecay, weightDecays[0]!);
  const fixed = pretend(0.5);
  const result = await fitLinearProbe(fixed, features, labels, features, 2, { weightDecay: 0.5 });
  t.deepEqual(fixed.calls, [{ rows: 6, test: 6, decay: 0.5 }]);
  t.deepEqual(result.validation, []);
});

test('validation keeps groups together', async (t) => {
  const engine = pretend(1);
  await fitLinearProbe(engine, features, labels, features, 2, { groups: ['a', 'a', 'a', 'b', 'b', 'c'] });
  t.deepEqual(
    engine.calls
      .slice(0, 3)
      .map(({ test }) => test)
      .sort(),
    [1, 2, 3],
  );
});

test('the engine separates what can be separated, and only that', async (t) => {
  const engine = loadEngine();
  const rows = Array.from({ length: 60 }, (_, i) => [i % 3 === 0 ? 1 : 0, i % 3 === 1 ? 1 : 0, Math.sin(i)]);
  const classes = Int32Array.from(rows, (_, i) => i % 3);
  const result = await fitLinearProbe(engine, matrix(rows), classes, matrix(rows.slice(0, 9)), 3);
  t.deepEqual([...result.predictions], [0, 1, 2, 0, 1, 2, 0, 1, 2]);
  t.is(result.trainAccuracy, 1);
  t.is(result.scores.length, 27);
  const noise = await fitLinearProbe(engine, matrix(rows.map(() => [1])), classes, matrix([[1]]), 3, {
    weightDecay: 1,
  });
  t.true(Math.abs(noise.trainAccuracy - 1 / 3) < 1e-6);
});

test('wrong arguments are refused', async (t) => {
  const invalid = { code: 'ERR_VSSL_INVALID_ARGUMENT' };
  const engine = pretend(1);
  await t.throwsAsync(fitLinearProbe(engine, features, Int32Array.of(0), features, 2), invalid);
  await t.throwsAsync(fitLinearProbe(engine, features, labels, matrix([[1, 2]]), 2), invalid);
  await t.throwsAsync(fitLinearProbe(engine, features, labels, features, 2, { weightDecay: -1 }), invalid);
});
