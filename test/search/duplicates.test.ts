import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Rng } from '#src/data/rng.js';
import { bestOverlap } from '#src/search/overlap.js';
import { chanceBetween, chanceOfDrawn, expectedByChance, thresholdFor } from '#src/search/threshold.js';
import { VideoIndex } from '#src/search/video-index.js';

const DIM = 48;
const folder = mkdtempSync(join(tmpdir(), 'vssl-duplicates-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

function seededRandom(seed: number): () => number {
  const rng = new Rng(seed);
  return () => rng.next();
}

/** What a film shows at any time: a point that wanders, the same for the same seed. */
class Film {
  readonly #waves: { direction: Float32Array; rate: number; phase: number }[];
  constructor(seed: number) {
    const next = seededRandom(seed);
    this.#waves = Array.from({ length: 12 }, () => ({
      direction: Float32Array.from({ length: DIM }, () => normal(next)),
      rate: 0.3 + 2 * next(),
      phase: 2 * Math.PI * next(),
    }));
  }
  at(seconds: number): Float32Array {
    const sum = new Float32Array(DIM);
    for (const { direction, rate, phase } of this.#waves) {
      const weight = Math.sin(rate * seconds + phase);
      for (let i = 0; i < DIM; i++) sum[i]! += weight * direction[i]!;
    }
    return sum;
  }
}

function normal(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** Windows of a second each of a film from `from` on; `noise` against a deviation of 1. */
function windowsOf(film: Film, from: number, count: number, { pace = 1, noise = 0, seed = 1 } = {}) {
  const next = seededRandom(seed);
  return Array.from({ length: count }, (_, i) => ({
    start: i,
    end: i + 1,
    vector: film.at(from + i / pace).map((value) => value + 2.4 * noise * normal(next)),
  }));
}

type Windows = ReturnType<typeof windowsOf>;
const timelineOf = (windows: Windows) => ({
  starts: windows.map(({ start }) => start),
  ends: windows.map(({ end }) => end),
});

function cosines(a: Windows, b: Windows): Float32Array {
  const length = (v: Float32Array) => Math.hypot(...v);
  const dot = (v: Float32Array, w: Float32Array) => v.reduce((sum, x, i) => sum + x * w[i]!, 0);
  return Float32Array.from(
    a.flatMap(({ vector: v }) => b.map(({ vector: w }) => dot(v, w) / length(v) / length(w))),
  );
}

const overlap = (a: Windows, b: Windows) => bestOverlap(timelineOf(a), timelineOf(b), cosines(a, b), 0.5);

test('a piece of a film is found where it was cut out', (t) => {
  const film = new Film(1);
  const whole = windowsOf(film, 0, 30);
  const found = overlap(whole, windowsOf(film, 12, 9, { noise: 0.1 }));
  t.deepEqual([found.first, found.second, found.windows, found.pace], [[12, 21], [0, 9], 9, 1]);
  t.true(found.similarity > 0.95);
});

test('ends that lie over one another, either way round', (t) => {
  const film = new Film(2);
  const [early, late] = [windowsOf(film, 0, 20), windowsOf(film, 14, 20)];
  t.deepEqual(
    [overlap(early, late).first, overlap(early, late).second],
    [
      [14, 20],
      [0, 6],
    ],
  );
  t.deepEqual(
    [overlap(late, early).first, overlap(late, early).second],
    [
      [0, 6],
      [14, 20],
    ],
  );
});

test('a film that runs faster is the same film', (t) => {
  const film = new Film(3);
  const found = overlap(windowsOf(film, 0, 50), windowsOf(film, 0, 46, { pace: 0.92 }));
  t.is(found.pace, 0.92);
  t.true(found.similarity > 0.8 && found.windows > 45, `${found.similarity} over ${found.windows} windows`);
});

test('single windows and films that have nothing in common have a best place too', (t) => {
  const [a, b] = [windowsOf(new Film(4), 0, 1), windowsOf(new Film(5), 0, 1)];
  t.is(overlap(a, b).windows, 1);
  t.true(overlap(windowsOf(new Film(4), 0, 20), windowsOf(new Film(5), 0, 20)).similarity < 0.9);
});

test('chance is learned from pairs that are no duplicates', (t) => {
  const next = seededRandom(6);
  const draw = () => Math.tanh(0.2 - 0.1 * Math.log(1 - next()));
  const chance = chanceOfDrawn(Array.from({ length: 2000 }, draw), 100_000);
  const drawn = Array.from({ length: 100_000 }, draw);
  for (const similarity of [0.5, 0.6, 0.7]) {
    const truth = drawn.filter((x) => x >= similarity).length;
    const expected = expectedByChance(chance, similarity);
    t.true(expected > truth / 3 && expected < 3 * truth, `${similarity}: ${expected}, in truth ${truth}`);
  }
  const found = [...drawn.filter((x) => x > 0.5), ...Array.from({ length: 300 }, (_, i) => 0.9 + i / 4000)];
  const chosen = thresholdFor(chance, found, 0.95)!;
  t.true(chosen.threshold > 0.7 && chosen.threshold <= 0.9, String(chosen.threshold));
  t.true(chosen.expectedPrecision >= 0.95);
  t.is(thresholdFor(chance, [0.5, 0.4], 0.95), null);
  t.is(thresholdFor(chance, found, 0.95, 0.95)!.threshold >= 0.95, true);
});

test('of pairs that are drawn, one in fifty may be duplicates', (t) => {
  const next = seededRandom(7);
  const others = Array.from({ length: 1960 }, () => Math.tanh(0.05 - 0.05 * Math.log(1 - next())));
  const plain = chanceOfDrawn(others, 1e5);
  const mixed = chanceOfDrawn([...others, ...Array.from({ length: 40 }, () => 0.7 + 0.3 * next())], 1e5);
  t.true(mixed.scale < 1.5 * plain.scale, `${plain.scale} without, ${mixed.scale} with them`);
  t.true(expectedByChance(mixed, 0.7) < 1);
});

test('chance is learned beside duplicates from what is less alike than they are', (t) => {
  const next = seededRandom(8);
  const others = Array.from({ length: 3000 }, () => Math.tanh(-0.12 * Math.log(1 - next())));
  const copies = Array.from({ length: 2000 }, () => 0.6 + 0.4 * next());
  const within = { low: 0.15, high: 0.45, least: 20 };
  const chance = chanceBetween([...others, ...copies], within)!;
  t.true(Math.abs(chance.scale - 0.12) < 0.015, `${chance.scale}`);
  for (const similarity of [0.3, 0.4, 0.5]) {
    const truth = others.filter((x) => x >= similarity).length;
    const expected = expectedByChance(chance, similarity);
    t.true(expected > truth / 2 && expected < 2 * truth, `${similarity}: ${expected}, in truth ${truth}`);
  }
  t.is(chanceBetween([0.2, 0.3, ...copies], within), null);
});

test('an index tells copies, pieces and shared ends, and what belongs together', async (t) => {
  const db = join(folder, 'db');
  await using index = await VideoIndex.open(db, { encoder: { digest: 'films', dim: DIM } });
  const films = Array.from({ length: 40 }, (_, i) => new Film(100 + i));
  await index.add(films.map((film, i) => ({ path: `film${i}`, windows: windowsOf(film, 0, 24) })));
  await index.add([
    { path: 'copy of 3', windows: windowsOf(films[3]!, 0, 24, { noise: 0.15 }) },
    { path: 'piece of 3', windows: windowsOf(films[3]!, 8, 8, { noise: 0.1, seed: 2 }) },
    { path: 'end of 7', windows: windowsOf(films[7]!, 16, 24, { seed: 3 }) },
    { path: 'fast 9', windows: windowsOf(films[9]!, 0, 23, { pace: 0.96, noise: 0.1, seed: 4 }) },
  ]);
  const { pairs, clusters, threshold, expectedPrecision } = await index.duplicates({ compare: 'vectors' });
  t.deepEqual(pairs.map(({ first, second, kind }) => [first.path, second.path, kind].join(', ')).sort(), [
    'copy of 3, piece of 3, contained',
    'film3, copy of 3, same',
    'film3, piece of 3, contained',
    'film7, end of 7, overlap',
    'film9, fast 9, same',
  ]);
  const piece = pairs.find(({ first, second }) => first.path === 'film3' && second.path === 'piece of 3')!;
  t.deepEqual([piece.first.start, piece.first.end, piece.second.start, piece.second.end], [8, 16, 0, 8]);
  // which of the two is in the other
  t.deepEqual([piece.first.share, piece.second.share], [1 / 3, 1]);
  t.deepEqual(clusters.map((cluster) => [...cluster].sort()).sort(), [
    ['copy of 3', 'film3', 'piece of 3'],
    ['fast 9', 'film9'],
  ]);
  t.true(threshold > 0.5 && threshold < 1 && expectedPrecision! >= 0.95);

  const strict = await index.duplicates({ compare: 'vectors', threshold: 0.9 });
  t.true(strict.pairs.length > 0 && strict.pairs.every(({ similarity }) => similarity >= 0.9));
  await t.throwsAsync(index.duplicates({ threshold: 2 }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  const stopped = await index.duplicates({ signal: AbortSignal.abort() }).catch(({ name }) => name);
  t.is(stopped, 'AbortError');
});

test('a long stretch says more than a short one; few videos are compared as they are', async (t) => {
  const films = Array.from({ length: 40 }, (_, i) => new Film(200 + i));
  const copies = [
    { path: 'long', windows: windowsOf(films[0]!, 4, 12) },
    { path: 'short', windows: windowsOf(films[1]!, 4, 1) },
  ];
  await using index = await VideoIndex.open(join(folder, 'long'), { encoder: { digest: 'films', dim: DIM } });
  await index.add(films.map((film, i) => ({ path: `film${i}`, windows: windowsOf(film, 0, 24) })));
  await index.add(copies);
  const { pairs } = await index.duplicates({ compare: 'vectors', threshold: 0.4 });
  const alike = (path: string) => pairs.find(({ second }) => second.path === path)!.similarity;
  t.true(Math.abs(alike('long') - 12 / 13) < 0.01, `${alike('long')}`);
  t.true(Math.abs(alike('short') - 1 / 2) < 0.01, `${alike('short')}`);

  await using few = await VideoIndex.open(join(folder, 'few'), { encoder: { digest: 'films', dim: DIM } });
  await few.add([{ path: 'film1', windows: windowsOf(films[1]!, 0, 24) }, copies[1]!]);
  const { threshold, expectedPrecision, pairs: found } = await few.duplicates({ compare: 'vectors' });
  t.deepEqual([threshold, expectedPrecision, found.length], [0.95, null, 1]);
  t.true(found[0]!.similarity > 0.999 && found[0]!.kind === 'contained');
});
