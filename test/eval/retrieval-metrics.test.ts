// MAP@R and NMI against their formulas, written down as they stand.
import test from 'ava';
import { featureMatrix } from '#src/eval/feature-matrix.js';
import { expectedPrecisionAtR, precisionAtR } from '#src/eval/map-at-r.js';
import { Contingency, mutualInformation, scoreClusters, sphericalMeans } from '#src/eval/nmi.js';
import { scoreInstanceRetrieval, scoreKnn, scoreLabelRetrieval } from '#src/eval/protocols.js';
import { retrieveByLabel } from '#src/eval/retrieval.js';

/** Numbers from [0, 1), the same each time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

/** MAP@R of one query: sort everything, walk over the R nearest. */
function slowPrecisionAtR(similarities: readonly number[], matches: readonly number[]): number {
  const order = similarities
    .map((_, row) => row)
    .sort((a, b) => similarities[b]! - similarities[a]! || a - b);
  let sum = 0;
  for (let i = 1; i <= matches.length; i++) {
    if (!matches.includes(order[i - 1]!)) continue;
    sum += order.slice(0, i).filter((row) => matches.includes(row)).length / i;
  }
  return matches.length === 0 ? 0 : sum / matches.length;
}

/** NMI from the joint distribution of both. */
function slowNmi(a: readonly number[], b: readonly number[]): number {
  const share = (is: (i: number) => boolean) => a.filter((_, i) => is(i)).length / a.length;
  const plogp = (p: number) => (p === 0 ? 0 : -p * Math.log(p));
  const [ofA, ofB] = [[...new Set(a)], [...new Set(b)]];
  const ha = ofA.reduce((sum, x) => sum + plogp(share((i) => a[i] === x)), 0);
  const hb = ofB.reduce((sum, y) => sum + plogp(share((i) => b[i] === y)), 0);
  let information = 0;
  for (const x of ofA)
    for (const y of ofB) {
      const both = share((i) => a[i] === x && b[i] === y);
      if (both === 0) continue;
      information += both * Math.log(both / (share((i) => a[i] === x) * share((i) => b[i] === y)));
    }
  return (2 * information) / (ha + hb);
}

test('MAP@R, with ties, against sorting everything', (t) => {
  const next = numbers(11);
  for (let round = 0; round < 200; round++) {
    const size = 1 + Math.floor(next() * 30);
    const similarities = Array.from({ length: size }, () => Math.floor(next() * 8) / 8);
    const matches = similarities.flatMap((_, row) => (next() < 0.3 ? [row] : []));
    const found = precisionAtR(Float32Array.from(similarities), matches);
    t.true(Math.abs(found - slowPrecisionAtR(similarities, matches)) < 1e-12);
  }
  t.is(precisionAtR(Float32Array.of(0.9, 0.1, 0.8), [0, 2]), 1);
  t.is(precisionAtR(Float32Array.of(Number.NaN, 0.5), [0]), 0, 'what is not finite is far away');
});

test('what a random order gives is the mean over many of them', (t) => {
  const next = numbers(5);
  const [size, matches] = [12, [0, 1, 2, 3]];
  let sum = 0;
  const rounds = 20_000;
  for (let round = 0; round < rounds; round++)
    sum +=
      precisionAtR(
        Float32Array.from({ length: size }, () => next()),
        matches,
      ) / rounds;
  t.true(Math.abs(sum - expectedPrecisionAtR(size, matches.length)) < 0.005);
  t.is(expectedPrecisionAtR(5, 0), 0);
  t.is(expectedPrecisionAtR(1, 1), 1);
  t.true(Math.abs(expectedPrecisionAtR(6, 6) - 1) < 1e-12);
});

test('NMI against the formula; 0 without anything in common, 1 for the same division', (t) => {
  const next = numbers(2);
  for (let round = 0; round < 30; round++) {
    const a = Array.from({ length: 80 }, () => Math.floor(next() * 5));
    const b = a.map((value) => (next() < 0.5 ? value : Math.floor(next() * 4)));
    t.true(Math.abs(mutualInformation(a, b) - slowNmi(a, b)) < 1e-12);
    const groups = [[3, 40, 41], [0], [79, 1]];
    const left = new Contingency(a, b).scoresWithout(groups);
    for (const [i, without] of groups.entries()) {
      const rest = (of: readonly number[]) => of.filter((_, row) => !without.includes(row));
      t.true(Math.abs(left[i]! - slowNmi(rest(a), rest(b))) < 1e-12);
    }
  }
  t.true(Math.abs(mutualInformation([0, 0, 1, 1], [5, 5, 2, 2]) - 1) < 1e-12);
  t.is(mutualInformation([0, 0, 1, 1], [0, 1, 0, 1]), 0);
});

/** Vectors about `classes` directions; row i is of class i % classes. */
function blobs(rows: number, classes: number, spread: number, seed = 1) {
  const next = numbers(seed);
  const dim = 16;
  const data = Float32Array.from({ length: rows * dim }, (_, i) => {
    const [row, d] = [Math.floor(i / dim), i % dim];
    return (d === row % classes ? 1 : 0) + spread * (next() - 0.5);
  });
  return {
    features: featureMatrix(data, dim),
    labels: Int32Array.from({ length: rows }, (_, i) => i % classes),
  };
}

test('clusters find directions that are apart, the same ones each time', async (t) => {
  const { features, labels } = blobs(120, 6, 0.4);
  const clusters = await sphericalMeans(features, 6);
  t.true(Math.abs(mutualInformation(clusters, labels) - 1) < 1e-9);
  t.deepEqual(await sphericalMeans(features, 6), clusters);
  const groups = Array.from(labels, (_, i) => `g${i % 20}`);
  const score = await scoreClusters(features, labels, groups);
  t.true(score.nmi > 1 - 1e-9);
  t.is(score.clusters, 6);
  t.true(score.chance > 0 && score.chance < 0.25);
  const noisy = blobs(120, 6, 8);
  const lost = await scoreClusters(noisy.features, labels, groups);
  t.true(lost.nmi < 0.4);
  t.true(lost.interval[0] < lost.nmi && lost.nmi < lost.interval[1]);
});

test('clusters of vectors that are one and the same, or not finite, end', async (t) => {
  const same = featureMatrix(new Float32Array(40).fill(1), 4);
  t.is((await sphericalMeans(same, 3)).length, 10);
  const broken = featureMatrix(new Float32Array(40).fill(Number.NaN), 4);
  t.is((await sphericalMeans(broken, 3)).length, 10);
});

const rows = (labels: Int32Array) => ({
  classes: labels,
  labels: ['a', 'b', 'c', 'd', 'e', 'f'],
  groups: Array.from(labels, (_, i) => `g${i % 8}`),
  splits: [
    {
      name: 'test',
      train: Array.from(labels.keys()).filter((i) => i % 4 !== 0),
      test: Array.from(labels.keys()).filter((i) => i % 4 === 0),
    },
  ],
});

test('retrieval by label pools MAP@R, NMI and an interval for each k', async (t) => {
  const { features, labels } = blobs(120, 6, 2);
  const of = rows(labels);
  const score = await scoreLabelRetrieval(features, of, { ranks: [1, 5], standardize: true });
  const { train, test: tested } = of.splits[0]!;
  const pick = (list: readonly number[]) => ({
    matrix: featureMatrix(
      Float32Array.from(list.flatMap((i) => [...features.data.subarray(i * 16, i * 16 + 16)])),
      16,
    ),
    labels: Int32Array.from(list, (i) => labels[i]!),
  });
  const [query, gallery] = [pick(tested), pick(train)];
  const alone = await retrieveByLabel(query.matrix, query.labels, gallery.matrix, gallery.labels);
  const found = alone.precisionAtR.found;
  const mean = found.reduce((a, b) => a + b, 0) / found.length;
  t.true(Math.abs(score.mapAtR!.value - mean) < 1e-12);
  t.true(score.mapAtR!.value > score.mapAtR!.chance);
  for (const k of [1, 5]) {
    const [low, high] = score.intervals[k]!;
    t.true(low <= score.recall[k]! && score.recall[k]! <= high);
  }
  t.is(score.clusters!.videos, tested.length);
  t.truthy(score.standardized!.mapAtR);
  const instance = await scoreInstanceRetrieval(features, features, of.groups, { ranks: [1] });
  t.is(instance.recall[1], 1);
  t.is(instance.mapAtR, undefined);
});

test('columns that drown the others are some of many once features are standardised', async (t) => {
  const { features, labels } = blobs(120, 6, 0.5);
  const next = numbers(9);
  for (let row = 0; row < features.rows; row++)
    for (const column of [14, 15]) features.data[row * 16 + column] = 100 * (next() - 0.5);
  const settings = { k: 5, weighting: 'majority', temperature: 0.07 } as const;
  const score = await scoreKnn(features, rows(labels), { ...settings, standardize: true });
  t.true(score.standardized!.accuracy > 0.9);
  t.true(score.accuracy < 0.6);
  t.is((await scoreKnn(features, rows(labels), settings)).standardized, undefined);
  const found = await scoreLabelRetrieval(features, rows(labels), { ranks: [1], standardize: true });
  t.true(found.standardized!.recall[1]! > found.recall[1]!);
});
