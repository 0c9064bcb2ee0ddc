/** `duplicates` by pictures: copies as people make them are told from other clips of the same place. */
import { writeFileSync } from 'node:fs';
import test from 'ava';
import { Rng } from '#src/data/rng.js';
import { loadEngine } from '#src/native/load.js';
import type { DuplicatePair } from '#src/search/duplicates.js';
import { RATE, trackOf } from '#src/search/frame-track.js';
import { layOver } from '#src/search/lay-over.js';
import { correlation, GRID_SIZE, gridOf, resample, SIDE } from '#src/search/resample.js';
import { VideoIndex } from '#src/search/video-index.js';
import { scratch } from '../embed/make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

type Pixels = (x: number, y: number, seconds: number) => number;

/** A wall with a pattern, the same for the same seed: a place. */
function placeOf(seed: number): Pixels {
  const rng = new Rng('place', seed);
  const waves = Array.from({ length: 6 }, () => ({
    ...{ x: rng.uniform(-14, 14), y: rng.uniform(-14, 14), phase: rng.uniform(0, 6) },
  }));
  return (x, y) =>
    110 + waves.reduce((sum, wave) => sum + 12 * Math.sin(wave.x * x + wave.y * y + wave.phase), 0);
}

/** A square that wanders before it and does not come the same way again; another number is another walk at the same place. */
function actionAt(place: Pixels, walk: number): Pixels {
  const rng = new Rng('walk', walk);
  const waves = [0.9, 2.3, 1.1, 1.9].map((rate) => ({
    rate: rate * rng.uniform(0.8, 1.2),
    phase: rng.uniform(0, 6),
  }));
  const wave = (i: number, seconds: number) => Math.sin(waves[i]!.rate * seconds + waves[i]!.phase);
  return (x, y, seconds) => {
    const left = 0.4 + 0.2 * wave(0, seconds) + 0.17 * wave(1, seconds);
    const top = 0.4 + 0.2 * wave(2, seconds) + 0.17 * wave(3, seconds);
    return x >= left && x < left + 0.22 && y >= top && y < top + 0.22 ? 235 : place(x, y, seconds);
  };
}

interface Form {
  readonly from?: number;
  readonly seconds: number;
  readonly fps?: number;
  readonly pace?: number;
  readonly width?: number;
  readonly height?: number;
  readonly codec?: string;
  readonly quality?: number;
  /** What of the picture is shown: left, top, and the size of both sides. */
  readonly crop?: readonly [number, number, number];
}

async function film(name: string, pixels: Pixels, form: Form): Promise<string> {
  const {
    from = 0,
    seconds,
    fps = 25,
    pace = 1,
    width = 80,
    height = 64,
    codec = 'mpeg4',
    quality = 4,
  } = form;
  const [left, top, size] = form.crop ?? [0, 0, 1];
  const frames = Math.round(seconds * fps);
  const rgb = new Uint8Array(frames * height * width * 3);
  for (let t = 0, at = 0; t < frames; t++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++, at += 3) {
        const place = [left + (size * (x + 0.5)) / width, top + (size * (y + 0.5)) / height] as const;
        rgb.fill(pixels(...place, from + (pace * (t + 0.5)) / fps), at, at + 3);
      }
  await loadEngine().writeVideo(file(name), rgb, [frames, height, width], { fps, codec, quality });
  return file(name);
}

const DIM = 8;

interface Film {
  readonly path: string;
  readonly seconds: number;
  /** Seconds of what is shown at `seconds` of the film; absent: vectors say nothing, and the pictures have to tell. */
  readonly shown?: (seconds: number) => number;
}

/** Windows of a second. */
async function indexOf(name: string, films: readonly Film[]): Promise<VideoIndex> {
  const rng = new Rng('vectors', name);
  const index = await VideoIndex.open(file(name), { encoder: { digest: 'none', dim: DIM } });
  const vectorOf = (at: number | undefined) =>
    Float32Array.from({ length: DIM }, (_, i) =>
      at === undefined ? 1 + 0.1 * rng.next() : Math.sin((0.3 + 0.2 * i) * at + i) + 0.1 * rng.next(),
    );
  await index.add(
    films.map(({ path, seconds, shown }) => {
      const count = Math.floor(seconds);
      const end = (i: number) => (i === count - 1 ? seconds : i + 1);
      const windows = Array.from({ length: count }, (_, i) => ({
        ...{ start: i, end: end(i), vector: vectorOf(shown?.(i + 0.5)) },
      }));
      return { path, windows };
    }),
  );
  return index;
}

const named = (path: string) => path.split('/').at(-1)!;
const pairsOf = (pairs: readonly DuplicatePair[]) =>
  pairs.map(({ first, second, kind }) => [named(first.path), named(second.path), kind].join(' ')).sort();

test('copies, crops and pieces are the same footage; other walks at the same place are not', async (t) => {
  const here = placeOf(1);
  const walk = actionAt(here, 1);
  const films = [
    { path: await film('original.mp4', walk, { seconds: 5 }), seconds: 5 },
    {
      path: await film('small.mkv', walk, {
        seconds: 5,
        width: 48,
        height: 48,
        fps: 30,
        codec: 'mpeg2video',
        quality: 14,
      }),
      seconds: 5,
    },
    { path: await film('crop.mp4', walk, { seconds: 5, crop: [0.03, 0.09, 0.9], fps: 24 }), seconds: 5 },
    { path: await film('piece.mp4', walk, { from: 2.3, seconds: 1.5, fps: 30 }), seconds: 1.5 },
    { path: await film('another walk.mp4', actionAt(here, 2), { seconds: 5 }), seconds: 5 },
    { path: await film('elsewhere.mp4', actionAt(placeOf(2), 1), { seconds: 5 }), seconds: 5 },
  ];
  await using index = await indexOf('copies', films);
  const { pairs, clusters, threshold, expectedPrecision, unread } = await index.duplicates();
  t.deepEqual(pairsOf(pairs), [
    'crop.mp4 piece.mp4 contained',
    'original.mp4 crop.mp4 same',
    'original.mp4 piece.mp4 contained',
    'original.mp4 small.mkv same',
    'small.mkv crop.mp4 same',
    'small.mkv piece.mp4 contained',
  ]);
  t.true(pairs.every(({ similarity }) => similarity > 0.7 && similarity <= 1));
  t.deepEqual([threshold, expectedPrecision, unread.length], [0.55, null, 0]);
  t.deepEqual(
    clusters.map((cluster) => cluster.map(named).sort()),
    [['crop.mp4', 'original.mp4', 'piece.mp4', 'small.mkv']],
  );
  const { first, second, pace } = pairs.find(
    (pair) => named(pair.first.path) === 'original.mp4' && named(pair.second.path) === 'piece.mp4',
  )!;
  t.true(Math.abs(first.start - 2.3) < 0.15 && Math.abs(first.end - 3.8) < 0.15, JSON.stringify(first));
  t.true(second.start < 0.1 && second.end > 1.4 && Math.abs(pace - 1) < 0.06, JSON.stringify(second));
});

test('a copy that runs faster, ends that both have, and long films by their windows', async (t) => {
  const [walk, other] = [actionAt(placeOf(3), 3), actionAt(placeOf(4), 4)];
  const films = [
    {
      path: await film('long.mp4', walk, { seconds: 30, width: 32, height: 32 }),
      seconds: 30,
      shown: (at: number) => at,
    },
    {
      path: await film('fast.mp4', walk, { seconds: 12, pace: 1.05, width: 32, height: 32 }),
      seconds: 12,
      shown: (at: number) => 1.05 * at,
    },
    {
      path: await film('late.mp4', walk, { from: 24, seconds: 14, width: 32, height: 32 }),
      seconds: 14,
      shown: (at: number) => at + 24,
    },
    { path: await film('none.mp4', other, { seconds: 12, width: 32, height: 32 }), seconds: 12 },
  ];
  await using index = await indexOf('paces', films);
  const { pairs } = await index.duplicates();
  t.deepEqual(pairsOf(pairs), ['long.mp4 fast.mp4 contained', 'long.mp4 late.mp4 overlap']);
  const fast = pairs.find(({ kind }) => kind === 'contained')!;
  t.true(
    Math.abs(fast.pace - 1 / 1.05) < 0.01 && Math.abs(fast.first.end - 12.6) < 0.3,
    JSON.stringify(fast),
  );
  const late = pairs.find(({ kind }) => kind === 'overlap')!;
  t.true(Math.abs(late.first.start - 24) < 0.3 && Math.abs(late.second.end - 6) < 0.3, JSON.stringify(late));
});

test('videos that are not there are told, and the others compared; none that is there is an error', async (t) => {
  const walk = actionAt(placeOf(5), 5);
  const films = [
    { path: await film('one.mp4', walk, { seconds: 2 }), seconds: 2 },
    { path: await film('two.mp4', walk, { seconds: 2, width: 48 }), seconds: 2 },
    { path: file('gone.mp4'), seconds: 2 },
    { path: file('no video.mp4'), seconds: 2 },
  ];
  writeFileSync(file('no video.mp4'), 'no video');
  await using index = await indexOf('gone', films);
  const progress: string[] = [];
  const result = await index.duplicates({ onProgress: (done, total) => progress.push(`${done}/${total}`) });
  t.deepEqual(pairsOf(result.pairs), ['one.mp4 two.mp4 same']);
  t.deepEqual(result.unread.map(({ path, code }) => [named(path), code]).sort(), [
    ['gone.mp4', 'ERR_VSSL_VIDEO_OPEN'],
    ['no video.mp4', 'ERR_VSSL_VIDEO_OPEN'],
  ]);
  t.deepEqual(progress, ['1/6', '2/6', '3/6', '4/6', '5/6', '6/6']);
  // by vectors alone no file is looked at
  t.deepEqual((await index.duplicates({ compare: 'vectors', threshold: 0.9 })).unread, []);
  await using none = await indexOf('none', films.slice(2));
  await t.throwsAsync(none.duplicates(), { code: 'ERR_VSSL_NO_USABLE_VIDEO' });
  await t.throwsAsync(index.duplicates({ compare: 'names' as 'vectors' }), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
  });
  t.is(await index.duplicates({ signal: AbortSignal.abort() }).catch(({ name }) => name), 'AbortError');
});

/** A track whose picture at second t shows `shown(t)`. */
function drawn(seconds: number, shown: (t: number) => { pixels: Pixels; at: number }) {
  const grey = new Uint8Array(Math.round(seconds * RATE) * SIDE * SIDE);
  for (let i = 0; i < grey.length; i++) {
    const { pixels, at } = shown((Math.floor(i / (SIDE * SIDE)) + 0.5) / RATE);
    const [y, x] = [Math.floor(i / SIDE) % SIDE, i % SIDE];
    grey[i] = pixels((x + 0.5) / SIDE, (y + 0.5) / SIDE, at);
  }
  return trackOf(0, seconds, grey);
}

test('twelve seconds that two films of ten minutes share', (t) => {
  const shared = actionAt(placeOf(8), 8);
  // a scene of six seconds after the other
  const scenes = (film: number) =>
    Array.from({ length: 100 }, (_, i) => actionAt(placeOf(1000 * film + i), 1000 * film + i));
  const filmOf = (film: number, from: number) => {
    const own = scenes(film);
    return drawn(600, (at) =>
      at >= from && at < from + 12
        ? { pixels: shared, at: at - from }
        : { pixels: own[Math.floor(at / 6)]!, at },
    );
  };
  const [a, b] = [filmOf(1, 402), filmOf(2, 57)];
  const laid = layOver(a, b, [80, -345.3, 12], 0.6)!;
  t.true(laid.likeness > 0.5, JSON.stringify(laid));
  t.true(Math.abs(laid.first[0] - 402) < 0.3 && Math.abs(laid.first[1] - 414) < 0.3, JSON.stringify(laid));
  t.true(Math.abs(laid.second[0] - 57) < 0.3 && Math.abs(laid.second[1] - 69) < 0.3, JSON.stringify(laid));
  t.true((layOver(a, b, [80, 12], 0.6)?.likeness ?? 0) < 0.3);
});

test('single pictures are the same or are not', (t) => {
  const still = (place: number) => drawn(1 / RATE, () => ({ pixels: placeOf(place), at: 0 }));
  t.true(layOver(still(1), still(1), null, 0)!.likeness > 0.95);
  t.true((layOver(still(1), still(2), null, 0)?.likeness ?? 0) < 0.3);
  // black ones are like nothing
  const black = trackOf(0, 1, new Uint8Array(RATE * SIDE * SIDE));
  t.is(layOver(black, black, null, 0), null);
});

test('a grid is the mean of what lies in its cells, and correlation is that of doubles', (t) => {
  const rng = new Rng('grid');
  const grey = Uint8Array.from({ length: 2 * SIDE * SIDE }, () => rng.int(256));
  const out = new Float32Array(2 * GRID_SIZE);
  const crops = [
    [0, 0, 1],
    [0.1, 0, 0.9],
    [0.07, 0.13, 0.81],
    [0.2, 0.2, 0.8],
    [0.25, 0.01, 0.75],
  ] as const;
  for (const [x, y, size] of crops) {
    resample(grey, 1, gridOf({ x, y, size }), out, GRID_SIZE);
    for (let row = 0; row < 16; row++)
      for (let cell = 0; cell < 16; cell++) {
        const width = (size * SIDE) / 16;
        const [left, top] = [x * SIDE + cell * width, y * SIDE + row * width];
        let sum = 0;
        for (let v = 0; v < SIDE; v++)
          for (let u = 0; u < SIDE; u++) {
            const across = Math.max(0, Math.min(left + width, u + 1) - Math.max(left, u));
            const down = Math.max(0, Math.min(top + width, v + 1) - Math.max(top, v));
            sum += across * down * grey[SIDE * SIDE + v * SIDE + u]!;
          }
        const got = out[GRID_SIZE + row * 16 + cell]!;
        t.true(Math.abs(got - sum / width ** 2) < 1e-3, `${[x, y, size]} at ${row}, ${cell}: ${got}`);
      }
  }
  const [a, b] = [out.subarray(0, GRID_SIZE).map(() => 255 * rng.next()), out.subarray(GRID_SIZE)];
  const mean = (v: Float32Array) => v.reduce((sum, value) => sum + value / v.length, 0);
  const over = (f: (i: number) => number) =>
    Array.from(a, (_, i) => f(i)).reduce((sum, value) => sum + value, 0) / a.length;
  const [ma, mb] = [mean(a), mean(b)];
  const variance = (v: Float32Array, m: number) => over((i) => (v[i]! - m) ** 2) + 3;
  const want = over((i) => (a[i]! - ma) * (b[i]! - mb)) / Math.sqrt(variance(a, ma) * variance(b, mb));
  t.true(Math.abs(correlation(a, 0, b, 0, GRID_SIZE) - want) < 1e-5);
  // black pictures are like nothing
  t.is(correlation(new Float32Array(GRID_SIZE), 0, b, 0, GRID_SIZE), 0);
  t.true(correlation(b, 0, b, 0, GRID_SIZE) > 0.99);
});
