import test from 'ava';
import { Rng } from '#src/data/rng.js';
import { type FeatureMatrix, featureMatrix, normalizeRows, selectRows } from '#src/eval/feature-matrix.js';
import { standardize } from '#src/eval/linear.js';
import { suggestRows } from '#src/predict/suggest.js';
import { gaussians } from './make-classifier.js';

const empty = (dim: number): FeatureMatrix => ({ data: new Float32Array(0), rows: 0, dim });

/** The slow twin: what each set of clips covers, written down as it is defined. */
function slowSuggest(features: FeatureMatrix, doubts: number[], labelled: FeatureMatrix, count: number) {
  const [all, known] = standardize(features, labelled).map(normalizeRows);
  const row = (of: FeatureMatrix, i: number) => of.data.subarray(i * of.dim, (i + 1) * of.dim);
  const like = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, d) => sum + value * b[d]!, 0);
  const worth = (set: number[]) => {
    let sum = 0;
    for (let i = 0; i < all!.rows; i++) {
      const near = [
        0,
        ...set.map((j) => like(row(all!, i), row(all!, j))),
        ...Array.from({ length: known!.rows }, (_, j) => like(row(all!, i), row(known!, j))),
      ];
      sum += doubts[i]! * Math.max(...near);
    }
    return sum;
  };
  const chosen: number[] = [];
  while (chosen.length < count) {
    const rest = doubts.map((_, i) => i).filter((i) => !chosen.includes(i));
    const values = rest.map((i) => worth([...chosen, i]));
    chosen.push(rest[values.indexOf(Math.max(...values))]!);
  }
  return chosen;
}

test('the clips are those of the slow twin', async (t) => {
  for (const seed of [1, 2, 3]) {
    const { features } = gaussians({ seed, rows: 40, classes: 5, dim: 12, apart: 5 });
    const labelled = gaussians({ seed: seed + 10, rows: 4, classes: 2, dim: 12, apart: 5 }).features;
    const rng = new Rng(seed);
    const doubts = Array.from({ length: 40 }, () => rng.next());
    t.deepEqual(await suggestRows(features, doubts, labelled, 6), slowSuggest(features, doubts, labelled, 6));
  }
});

test('one of each part that is in doubt, and none of what is labelled', async (t) => {
  const { features, labels } = gaussians({ seed: 4, rows: 60, classes: 6, dim: 24, apart: 12 });
  const doubts = new Float64Array(60).fill(0.5);
  // a clip of class 0 is labelled
  const chosen = await suggestRows(features, doubts, selectRows(features, [0]), 5);
  t.deepEqual([...chosen.map((row) => labels[row]!)].sort(), [1, 2, 3, 4, 5]);
  const sure = Float64Array.from(labels, (label) => (label === 3 ? 0.6 : 0.01));
  t.is(labels[(await suggestRows(features, sure, empty(24), 1))[0]!], 3);
});

test('more than there are, none at all, and an aborted call', async (t) => {
  const features = featureMatrix(Float32Array.of(1, 0, 0, 1, 1, 1), 2);
  t.deepEqual((await suggestRows(features, [0.1, 0.2, 0.3], empty(2), 9)).sort(), [0, 1, 2]);
  t.deepEqual(await suggestRows(features, [0, 0, 0], empty(2), 2), [0, 1]);
  t.deepEqual(await suggestRows(empty(2), [], empty(2), 2), []);
  const signal = AbortSignal.abort(new Error('enough'));
  await t.throwsAsync(suggestRows(features, [1, 1, 1], empty(2), 2, signal), { message: 'enough' });
});
