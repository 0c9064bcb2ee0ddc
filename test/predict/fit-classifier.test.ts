import test from 'ava';
import { featureMatrix, selectRows } from '#src/eval/feature-matrix.js';
import { fitLinearProbe } from '#src/eval/linear.js';
import { loadEngine } from '#src/native/load.js';
import { scoreConfidences } from '#src/predict/calibration.js';
import { fitClassifier } from '#src/predict/fit-classifier.js';
import { fitLinearHead, knnHead, scoreHeldOut, scoreRows } from '#src/predict/heads.js';
import { placeOfLargest, softmax } from '#src/predict/temperature.js';
import { gaussians } from './make-classifier.js';

const matrix = (rows: number[][]) => featureMatrix(Float32Array.from(rows.flat()), rows[0]!.length);

test('the linear head is the linear probe, as one map of vectors as they are', async (t) => {
  const train = gaussians({ seed: 1, rows: 30, classes: 3, dim: 20, apart: 4 });
  // far from the origin, of very different sizes, and one that never varies
  const stretch = ({ data, rows, dim }: typeof train.features) => ({
    data: data.map((value, i) => (i % dim === 7 ? 5 : 100 + value * 10 ** ((i % dim) % 4))),
    rows,
    dim,
  });
  const [a, b] = [
    train.features,
    gaussians({ seed: 2, rows: 50, classes: 3, dim: 20, apart: 4 }).features,
  ].map(stretch);
  const engine = loadEngine();
  const probe = await fitLinearProbe(engine, a!, train.labels, b!, 3, { weightDecay: 0.01 });
  const head = await fitLinearHead(engine, a!, train.labels, 3, 0.01);
  const scores = await scoreRows(head, b!);
  const error = Math.max(...scores.map((score, i) => Math.abs(score - probe.scores[i]!)));
  t.true(error < 1e-3, `${error}`);
  t.is(head.weights[7], 0);
});

test('votes of the nearest, by hand', async (t) => {
  const head = knnHead(
    matrix([
      [1, 0],
      [0, 1],
      [1, 1],
    ]),
    Int32Array.of(0, 1, 1),
    3,
    2,
  );
  const [a, b, c] = await scoreRows(head, matrix([[3, 0]]));
  const second = Math.exp((Math.SQRT1_2 - 1) / 0.07);
  t.true(Math.abs(a! - Math.log(1.1)) < 1e-6);
  t.true(Math.abs(b! - Math.log(0.1 + second)) < 1e-6);
  t.is(c, Math.log(0.1));
});

test('a class that a fold does not train gets no score of its own', async (t) => {
  const { features, labels } = gaussians({ seed: 5, rows: 12, classes: 3, dim: 8, apart: 6 });
  const fold = { train: [0, 1, 3, 4, 6, 7], test: [9, 10] };
  const choice = { kind: 'linear', weightDecay: 0.01 } as const;
  const scores = await scoreHeldOut(loadEngine(), features, labels, 3, fold, choice);
  for (const row of [0, 1]) t.is(scores[3 * row + 2], Math.min(scores[3 * row]!, scores[3 * row + 1]!));
});

for (const kind of ['linear', 'knn'] as const)
  test(`${kind}: confidences of a few labels are near what is true`, async (t) => {
    const shape = { classes: 4, dim: 16, apart: 2.5 };
    const fresh = gaussians({ seed: 100, rows: 2000, ...shape });
    const errors: number[] = [];
    const plain: number[] = [];
    for (let seed = 0; seed < 5; seed++) {
      const { features, labels } = gaussians({ seed, rows: 40, ...shape });
      const groups = [...labels].map(() => undefined);
      const fitted = await fitClassifier(loadEngine(), features, labels, 4, { kind, k: 5, groups });
      const scores = await scoreRows(fitted.head, fresh.features);
      const error = (temperature: number) =>
        scoreConfidences(
          Array.from(fresh.labels, (label, row) => {
            const all = softmax(scores.subarray(4 * row, 4 * row + 4), temperature);
            const guess = placeOfLargest(all);
            return { confidence: all[guess]!, right: guess === label };
          }),
        ).expectedCalibrationError;
      errors.push(error(fitted.temperature));
      plain.push(error(1));
      t.is(fitted.heldOut.clips, 40);
      t.false(fitted.heldOut.byGroup);
    }
    const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
    t.true(mean(errors) < 0.1, `${errors}`);
    t.log(`calibration error ${mean(errors).toFixed(3)}, of scores as they are ${mean(plain).toFixed(3)}`);
  });

test('the same clips give the same classifier, whatever they are called', async (t) => {
  const { features, labels } = gaussians({ seed: 3, rows: 20, classes: 2, dim: 8, apart: 3 });
  const classifierOf = (groups: (string | undefined)[]) =>
    fitClassifier(loadEngine(), features, labels, 2, { kind: 'linear', k: 5, groups });
  const none = [...labels].map(() => undefined);
  t.deepEqual(await classifierOf(none), await classifierOf(none));
  const grouped = await classifierOf([...labels].map((_, row) => `g${row % 5}`));
  t.true(grouped.heldOut.byGroup);
});

test('clips none of which can be held out are refused; an aborted call ends with its reason', async (t) => {
  const { features, labels } = gaussians({ seed: 3, rows: 20, classes: 2, dim: 8, apart: 3 });
  const groups = [...labels].map(() => undefined);
  const two = selectRows(features, [0, 1]);
  const options = { kind: 'linear', k: 5 } as const;
  await t.throwsAsync(
    fitClassifier(loadEngine(), two, Int32Array.of(0, 1), 2, { ...options, groups: [undefined, undefined] }),
    { code: 'ERR_VSSL_DATA', message: /label more clips/ },
  );
  const signal = AbortSignal.abort(new Error('enough'));
  await t.throwsAsync(fitClassifier(loadEngine(), features, labels, 2, { ...options, groups, signal }), {
    message: 'enough',
  });
});
