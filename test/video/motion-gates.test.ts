// What makes the motion set a test of motion: no single frame and no mean of frames tells the class (of a mirrored
// pair), and what moves where does. All of it on rendered clips, with probes that learn, and with one that only looks.
import test from 'ava';
import { loadManifest } from '#src/data/manifest.js';
import type { VideoRow } from '#src/data/rows.js';
import { SYNTHETIC_MOTIONS, SYNTHETIC_PAIRS, type SyntheticMotion } from '#src/data/synthetic.js';
import type { FeatureMatrix } from '#src/eval/feature-matrix.js';
import { classifyKnn } from '#src/eval/knn.js';
import { fitLinearProbe } from '#src/eval/linear.js';
import { loadEngine } from '#src/native/load.js';
import { nameMotion } from '../helpers/motion-oracle.js';

const engine = loadEngine();
const SIDE = 48;
const GRID = 12;

async function rowsOf(split: string, count: number, more = ''): Promise<readonly VideoRow[]> {
  return (await loadManifest(`synthetic:motion?split=${split}&count=${count}&seed=4&pixels=${SIDE}${more}`))
    .rows;
}

/** Mean colours of GRID x GRID cells. */
function pool(frame: Float32Array, out: Float32Array): void {
  const cell = SIDE / GRID;
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++)
      for (let c = 0; c < 3; c++)
        out[(Math.floor(y / cell) * GRID + Math.floor(x / cell)) * 3 + c]! +=
          frame[(y * SIDE + x) * 3 + c]! / (255 * cell * cell);
}

/** Lags of the autocorrelation, pixels. */
const LAGS = Array.from({ length: 9 }, (_, i) => 2 * i - 8);

/** How alike the picture is to itself when it is shifted: tells a smear along one axis, wherever it lies. */
function autocorrelate(frame: Float32Array, out: Float32Array): void {
  const luma = new Float32Array(SIDE * SIDE);
  for (let p = 0; p < luma.length; p++) for (let c = 0; c < 3; c++) luma[p]! += frame[3 * p + c]! / 3;
  const mean = luma.reduce((a, v) => a + v / luma.length, 0);
  const energy = luma.reduce((a, v) => a + (v - mean) ** 2, 0) || 1;
  let at = 0;
  for (const dy of LAGS)
    for (const dx of LAGS) {
      let sum = 0;
      for (let y = 0; y < SIDE; y++) {
        const other = ((y + dy + SIDE) % SIDE) * SIDE;
        for (let x = 0; x < SIDE; x++)
          sum += (luma[y * SIDE + x]! - mean) * (luma[other + ((x + dx + SIDE) % SIDE)]! - mean);
      }
      out[at++] = sum / energy;
    }
}

/** What the mean of the pictures at `times` shows: its cells, and its autocorrelation. */
async function meanPictures(rows: readonly VideoRow[], times: readonly number[]): Promise<FeatureMatrix> {
  const cells = GRID * GRID * 3;
  const dim = cells + LAGS.length ** 2;
  const data = new Float32Array(rows.length * dim);
  const size = SIDE * SIDE * 3;
  for (const [i, row] of rows.entries()) {
    const frames = await engine.renderSynthetic(row.source, times, SIDE, SIDE);
    const mean = new Float32Array(size);
    for (let k = 0; k < frames.length; k++) mean[k % size]! += frames[k]! / times.length;
    pool(mean, data.subarray(i * dim, i * dim + cells));
    autocorrelate(mean, data.subarray(i * dim + cells, (i + 1) * dim));
  }
  return { data, rows: rows.length, dim };
}

const classOf = (row: VideoRow) => SYNTHETIC_MOTIONS.indexOf(row.label as SyntheticMotion);
const SPAN = Array.from({ length: 16 }, (_, i) => i * 0.1);

/** The better of a linear classifier and of the nearest neighbours. */
async function probe(
  train: FeatureMatrix,
  a: Int32Array,
  test: FeatureMatrix,
  b: Int32Array,
  classes: number,
) {
  const { predictions } = await fitLinearProbe(engine, train, a, test, classes, { weightDecay: 0.1 });
  const knn = await classifyKnn(train, a, test, { k: 5, weighting: 'majority' });
  const accuracy = (of: Int32Array) => of.filter((p, i) => p === b[i]).length / b.length;
  return Math.max(accuracy(predictions), accuracy(knn.predictions));
}

/** Farther than so many standard errors above chance is no accident. */
const SIGMAS = 3.5;
const aboveChance = (chance: number, count: number) =>
  chance + SIGMAS * Math.sqrt((chance * (1 - chance)) / count);

test('a single frame is at chance', async (t) => {
  const [train, test_] = [await rowsOf('train', 800), await rowsOf('test', 800)];
  for (const time of [0, 0.7]) {
    const accuracy = await probe(
      await meanPictures(train, [time]),
      Int32Array.from(train, classOf),
      await meanPictures(test_, [time]),
      Int32Array.from(test_, classOf),
      16,
    );
    t.log(`frame at ${time} s: ${(100 * accuracy).toFixed(1)} %, chance 6.3 %`);
    t.true(accuracy < aboveChance(1 / 16, 800));
  }
});

test('the mean of the frames is at chance inside each mirrored pair, and tells the swapped axes apart', async (t) => {
  const classes = new Set<string>();
  for (const pair of SYNTHETIC_PAIRS) {
    const filter = `&label=${pair.join(',')}`;
    const [train, test_] = [await rowsOf('train', 2400, filter), await rowsOf('test', 2400, filter)];
    const number = (row: VideoRow) => pair.indexOf(row.label as SyntheticMotion);
    const accuracy = await probe(
      await meanPictures(train, SPAN),
      Int32Array.from(train, number),
      await meanPictures(test_, SPAN),
      Int32Array.from(test_, number),
      2,
    );
    t.log(`${pair.join(' / ')}: ${(100 * accuracy).toFixed(1)} % of ${test_.length}`);
    const mirrored = !pair.includes('oscillate-vertical');
    t.is(accuracy < aboveChance(0.5, test_.length), mirrored, pair.join());
    for (const name of pair) classes.add(name);
  }
  t.is(classes.size, 16);
});

test('block matching names the class', async (t) => {
  const rows = await rowsOf('test', 480);
  // twice the size: a block has to be small beside the sprite
  const side = 2 * SIDE;
  const times = Array.from({ length: 50 }, (_, i) => i / 25);
  const wrong: string[] = [];
  for (const row of rows) {
    const frames = await engine.renderSynthetic(row.source, times, side, side);
    const named = nameMotion(frames, times.length, side);
    if (named !== row.label) wrong.push(`${row.label} as ${named}`);
  }
  const accuracy = 1 - wrong.length / rows.length;
  t.log(`${(100 * accuracy).toFixed(1)} %; wrong: ${wrong.sort().join(', ')}`);
  t.true(accuracy >= 0.95);
});
