/**
 * NMI: how much clusters of the features, made without labels, tell of the labels.
 *
 *   NMI = 2 I(clusters; labels) / (H(clusters) + H(labels))
 *
 * Clusters are those of spherical k-means with as many as there are classes: each video belongs to the centre that is
 * nearest by cosine, each centre is the direction of its videos' mean. Of 3 beginnings (k-means++, seeded) the tightest
 * result counts.
 */
import { throwIfAborted } from '../checks.js';
import { type FeatureMatrix, normalizeRows, selectRows } from './feature-matrix.js';
import { spread } from './folds.js';
import { forEachQuery } from './neighbours.js';
import { type Clusters, drawnTogether, type Interval, jackknife, xorshift } from './resampling.js';

/** Videos that are clustered at most, evenly chosen: the time grows with videos x classes. */
const MOST_VIDEOS = 4000;
const BEGINNINGS = 3;
const MOST_ROUNDS = 25;
/** Random deals of the clusters that `chance` is the mean of. */
const DEALS = 20;

export interface ClusterScore {
  readonly nmi: number;
  /** By leaving out each group in turn; the clusters stay. */
  readonly interval: Interval;
  /** Clusters of these sizes dealt out at random: not 0, the more classes and the fewer videos the more. */
  readonly chance: number;
  readonly clusters: number;
  readonly videos: number;
}

/** Clusters `features`, of which row i is of class `labels[i]`. */
export async function scoreClusters(
  features: FeatureMatrix,
  labels: ArrayLike<number>,
  groups: Clusters,
  signal?: AbortSignal,
): Promise<ClusterScore> {
  const rows = spread(
    Array.from({ length: features.rows }, (_, row) => row),
    MOST_VIDEOS,
  );
  const truth = rows.map((row) => labels[row]!);
  const count = Math.min(new Set(truth).size, rows.length);
  const clusters = await sphericalMeans(selectRows(features, rows), count, signal);
  const next = xorshift(1);
  let chance = 0;
  for (let deal = 0; deal < DEALS; deal++)
    chance += mutualInformation(shuffled(clusters, next), truth) / DEALS;
  const table = new Contingency(clusters, truth);
  const units = drawnTogether(
    rows.length,
    rows.map((row) => groups[row]),
  );
  return {
    nmi: table.score(),
    interval: jackknife(table.score(), table.scoresWithout(units)),
    chance,
    clusters: count,
    videos: rows.length,
  };
}

/** NMI of two divisions of the same rows; 1 where each is one single part. */
export function mutualInformation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return new Contingency(a, b).score();
}

/**
 * How often each part of one division meets each of another. With s(n) = sum of n log n over counts, the entropy of a
 * division of N rows is log N - s / N, so leaving out a few rows changes a few terms.
 */
export class Contingency {
  readonly #rows: readonly (readonly [joint: number, a: number, b: number])[];
  readonly #counts: readonly [joint: Int32Array, a: Int32Array, b: Int32Array];

  constructor(a: ArrayLike<number>, b: ArrayLike<number>) {
    const number = (values: ArrayLike<number>) => {
      const places = new Map<number, number>();
      const of = Array.from(values, (value) => {
        if (!places.has(value)) places.set(value, places.size);
        return places.get(value)!;
      });
      return { of, size: places.size };
    };
    const [x, y] = [number(a), number(b)];
    this.#rows = x.of.map((i, row) => [i * y.size + y.of[row]!, i, y.of[row]!]);
    this.#counts = [new Int32Array(x.size * y.size), new Int32Array(x.size), new Int32Array(y.size)];
    for (const row of this.#rows) for (const [k, place] of row.entries()) this.#counts[k]![place]!++;
  }

  /** NMI of all rows. */
  score(): number {
    return nmiOf(this.#sums(), this.#rows.length);
  }

  /** NMI of all rows but each of these groups of them in turn. */
  scoresWithout(groups: readonly (readonly number[])[]): number[] {
    const all = this.#sums();
    return groups.map((rows) => {
      const sums = [...all] as [number, number, number];
      for (const row of rows) this.#count(sums, row, -1);
      const score = nmiOf(sums, this.#rows.length - rows.length);
      for (const row of rows) this.#count(sums, row, 1);
      return score;
    });
  }

  /** Adds a row to the counts, or takes it away, and what that makes of the sums. */
  #count(sums: [number, number, number], row: number, by: 1 | -1): void {
    for (const [k, place] of this.#rows[row]!.entries()) {
      const counts = this.#counts[k]!;
      sums[k]! -= nLogN(counts[place]!);
      counts[place]! += by;
      sums[k]! += nLogN(counts[place]!);
    }
  }

  #sums(): [number, number, number] {
    const sum = (counts: Int32Array) => counts.reduce((total, n) => total + nLogN(n), 0);
    return [sum(this.#counts[0]), sum(this.#counts[1]), sum(this.#counts[2])];
  }
}

function nLogN(n: number): number {
  return n === 0 ? 0 : n * Math.log(n);
}

function nmiOf([joint, a, b]: readonly [number, number, number], rows: number): number {
  const entropy = (sum: number) => Math.log(rows) - sum / rows;
  const both = entropy(a) + entropy(b);
  if (rows === 0 || both < 1e-12) return 1;
  return Math.min(1, Math.max(0, (2 * (both - entropy(joint))) / both));
}

/** Cluster of each row, of `count` clusters at most. */
export async function sphericalMeans(
  features: FeatureMatrix,
  count: number,
  signal?: AbortSignal,
): Promise<Int32Array> {
  const unit = normalizeRows(features);
  let best: { clusters: Int32Array; sum: number } | null = null;
  for (let beginning = 0; beginning < BEGINNINGS; beginning++) {
    let centres = await chooseCentres(unit, count, xorshift(beginning + 1), signal);
    let last = Number.NEGATIVE_INFINITY;
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const found = await assign(unit, centres, signal);
      if (!best || found.sum > best.sum) best = found;
      if (!(found.sum - last > 1e-5 * Math.abs(found.sum))) break;
      last = found.sum;
      centres = meansOf(unit, found.clusters, centres);
    }
  }
  return best?.clusters ?? new Int32Array(0);
}

/** k-means++: each centre is a row, drawn by its distance 1 - cosine to the nearest one that is chosen already. */
async function chooseCentres(
  unit: FeatureMatrix,
  count: number,
  next: () => number,
  signal?: AbortSignal,
): Promise<FeatureMatrix> {
  const chosen = [Math.floor(next() * unit.rows)];
  const far = new Float64Array(unit.rows).fill(Number.POSITIVE_INFINITY);
  while (chosen.length < count) {
    await forEachQuery(
      selectRows(unit, [chosen.at(-1)!]),
      unit,
      (_, similarities) => {
        for (let row = 0; row < far.length; row++) {
          const distance = 1 - similarities[row]!;
          far[row] = Math.min(far[row]!, Math.max(0, distance || 0));
        }
      },
      signal,
    );
    let place = next() * far.reduce((a, b) => a + b, 0);
    let row = 0;
    for (; row < far.length - 1; row++) {
      place -= far[row]!;
      if (place <= 0) break;
    }
    chosen.push(row);
    throwIfAborted(signal);
  }
  return selectRows(unit, chosen);
}

/** The nearest centre of each row, and the sum of what they have in common. */
async function assign(unit: FeatureMatrix, centres: FeatureMatrix, signal?: AbortSignal) {
  const clusters = new Int32Array(unit.rows);
  let sum = 0;
  await forEachQuery(
    unit,
    centres,
    (row, similarities) => {
      let best = 0;
      for (let c = 1; c < similarities.length; c++) if (similarities[c]! > similarities[best]!) best = c;
      clusters[row] = best;
      if (Number.isFinite(similarities[best])) sum += similarities[best]!;
    },
    signal,
  );
  return { clusters, sum };
}

/** Sums of the rows of each cluster; one without rows keeps its centre. */
function meansOf(unit: FeatureMatrix, clusters: Int32Array, before: FeatureMatrix): FeatureMatrix {
  const { dim } = unit;
  const data = new Float32Array(before.data.length);
  const sizes = new Int32Array(before.rows);
  for (let row = 0; row < unit.rows; row++) {
    const at = clusters[row]! * dim;
    sizes[clusters[row]!]!++;
    for (let i = 0; i < dim; i++) data[at + i]! += unit.data[row * dim + i]!;
  }
  sizes.forEach((size, c) => {
    if (size === 0) data.set(before.data.subarray(c * dim, (c + 1) * dim), c * dim);
  });
  return { data, rows: before.rows, dim };
}

function shuffled(values: Int32Array, next: () => number): Int32Array {
  const out = values.slice();
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}
