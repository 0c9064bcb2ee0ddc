import test from 'ava';
import { Rng } from '#src/data/rng.js';
import { bisectGap, drawGap, type GapLaw, gapCdf } from '#src/data/samplers/gap.js';
import {
  countStarts,
  drawPairStarts,
  drawShiftedStarts,
  drawStartsWithin,
  drawUniformStarts,
  placesFor,
  spreadStarts,
} from '#src/data/samplers/starts.js';

const LAWS: readonly GapLaw[] = [
  { kind: 'decreasing', power: 1 },
  { kind: 'decreasing', power: 0.5 },
  { kind: 'decreasing', power: 2 },
  { kind: 'decreasing', power: 10 },
  { kind: 'uniform', power: 1 },
  { kind: 'increasing', power: 1 },
  { kind: 'increasing', power: 0.5 },
  { kind: 'increasing', power: 2 },
];

test('the CDF of every law rises from 0 to 1, and its density falls, stays or rises as named', (t) => {
  for (const law of LAWS) {
    t.is(gapCdf(law, 0, 100), 0);
    t.true(Math.abs(gapCdf(law, 100, 100) - 1) < 1e-12);
    const density = (x: number) => gapCdf(law, x + 1, 100) - gapCdf(law, x, 100);
    for (let x = 0; x < 98; x++) {
      t.true(density(x) >= 0);
      const slope = density(x + 1) - density(x);
      if (law.kind === 'decreasing') t.true(slope < 1e-15);
      if (law.kind === 'uniform') t.true(Math.abs(slope) < 1e-12);
      if (law.kind === 'increasing') t.true(slope > 0);
    }
    if (law.kind === 'decreasing') t.true(density(99) < 0.5 * density(0), 'P(tMax) = 0');
  }
});

test('bisection equals the closed form of the linear law', (t) => {
  for (const tMax of [1, 2, 3, 7, 64, 220, 1000]) {
    for (let i = 0; i < 500; i++) {
      const u = (i + 0.5) / 500;
      const exact = tMax * (1 - Math.sqrt(1 - u));
      const found = bisectGap({ kind: 'decreasing', power: 1 }, tMax, u);
      t.true(Number.isInteger(found) && found >= 0 && found < tMax);
      t.is(found, Math.floor(exact));
    }
  }
});

test('bisection inverts F for any power', (t) => {
  for (const power of [0.3, 0.5, 1, 2, 3.7, 10]) {
    const law: GapLaw = { kind: 'decreasing', power };
    for (let i = 0; i < 300; i++) {
      const u = (i + 0.5) / 300;
      const gap = bisectGap(law, 220, u);
      t.true(gapCdf(law, gap, 220) <= u);
      t.true(gapCdf(law, gap + 1, 220) > u);
    }
  }
});

test('drawn gaps follow their CDF', (t) => {
  const tMax = 220;
  const n = 20000;
  for (const law of LAWS) {
    const rng = new Rng('gap', law.kind, law.power);
    const counts = new Array<number>(tMax).fill(0);
    for (let i = 0; i < n; i++) counts[drawGap(law, tMax, rng)]!++;
    let below = 0;
    let worst = 0;
    for (let x = 0; x < tMax; x++) {
      below += counts[x]!;
      // Gaps are rounded down, so P(gap <= x) = F(x + 1).
      worst = Math.max(worst, Math.abs(below / n - gapCdf(law, x + 1, tMax)));
    }
    // Kolmogorov-Smirnov at 0.9999: 2.23 / sqrt(n).
    t.true(worst < 2.23 / Math.sqrt(n), `${law.kind} ${law.power}: ${worst}`);
  }
});

test('mean gaps: (p + 1) / (2 (p + 2)) of tMax for the decreasing law', (t) => {
  for (const power of [0.5, 1, 2]) {
    const rng = new Rng('mean', power);
    let sum = 0;
    for (let i = 0; i < 20000; i++) sum += drawGap({ kind: 'decreasing', power }, 1000, rng) + 0.5;
    t.true(Math.abs(sum / 20000 / 1000 - (power + 1) / (2 * (power + 2))) < 0.008);
  }
});

test('same draws 0, every law makes one draw, and nonsense is refused', (t) => {
  const rng = new Rng(1);
  t.is(drawGap({ kind: 'same', power: 1 }, 50, rng), 0);
  const position = LAWS.map((law) => {
    const own = new Rng(2);
    drawGap(law, 50, own);
    return own.next();
  });
  t.is(new Set(position).size, 1);
  const law: GapLaw = { kind: 'uniform', power: 1 };
  t.is(drawGap(law, 1, rng), 0);
  t.throws(() => drawGap(law, 0, rng), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  t.throws(() => drawGap(law, 2.5, rng), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  t.throws(() => drawGap({ kind: 'uniform', power: 0 }, 5, rng), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});

test('pair starts stay within the video; either view may be the earlier one', (t) => {
  const law: GapLaw = { kind: 'decreasing', power: 1 };
  for (const length of [16, 31, 32, 40, 250]) {
    const span = { length, frames: 16, stride: 2 };
    const starts = placesFor(span).places;
    let first = 0;
    for (let i = 0; i < 400; i++) {
      const [a, b] = drawPairStarts(span, law, new Rng(length, i));
      for (const start of [a, b]) {
        t.true(Number.isInteger(start) && start >= 0 && start < starts);
      }
      if (a < b) first++;
      if (a === b) first += 0.5;
    }
    t.true(Math.abs(first / 400 - 0.5) < 0.1, `${length}: ${first}`);
  }
});

test('a video shorter than a clip has two starts anywhere, which differ', (t) => {
  const span = { length: 10, frames: 16, stride: 2 };
  t.is(countStarts(span), 0);
  const seen = new Set<string>();
  for (let i = 0; i < 3000; i++)
    seen.add(drawPairStarts(span, { kind: 'decreasing', power: 1 }, new Rng(i)).join());
  t.is(seen.size, 90);
  const [a, b] = drawPairStarts(span, { kind: 'same', power: 1 }, new Rng(3));
  t.is(a, b);
});

test('the boundary of the short case: a clip that just fits has one start, and the video is looped for two', (t) => {
  const fits = { length: 31, frames: 16, stride: 2 };
  t.is(countStarts(fits), 1);
  t.is(countStarts({ ...fits, length: 30 }), 0);
  t.deepEqual(placesFor(fits), { places: 31, isLooped: true });
  t.deepEqual(placesFor({ ...fits, length: 32 }), { places: 2, isLooped: false });
  t.deepEqual(drawPairStarts(fits, { kind: 'same', power: 1 }, new Rng(0)), [0, 0]);
  t.deepEqual(drawUniformStarts(fits, 2, true, new Rng(0)), [0, 0]);
});

test('no sampler shows the same frames twice in a video without room for two starts', (t) => {
  for (const length of [2, 3, 10, 30, 31])
    for (let seed = 0; seed < 300; seed++) {
      const span = { length, frames: 16, stride: 2 };
      for (const [a, b] of [
        drawPairStarts(span, { kind: 'decreasing', power: 1 }, new Rng(seed)),
        drawPairStarts(span, { kind: 'increasing', power: 1 }, new Rng(seed)),
        drawUniformStarts(span, 2, false, new Rng(seed)),
        drawShiftedStarts(span, { least: 5, most: 9 }, new Rng(seed)),
      ])
        t.true(a !== b && a! < length && b! < length, `${length}: ${a} ${b}`);
    }
  // of one frame there is no other
  t.deepEqual(drawUniformStarts({ length: 1, frames: 16, stride: 2 }, 2, false, new Rng(1)), [0, 0]);
});

test('a video too short for the least shift has one from the upper half of those that fit', (t) => {
  // 36 frames leave 8 starts to a clip of 29: shifts of 7 at most, where 9 are asked for
  const span = { length: 36, frames: 8, stride: 4 };
  const counts = new Map<number, number>();
  for (let seed = 0; seed < 2000; seed++) {
    const [a, b] = drawShiftedStarts(span, { least: 9, most: 180 }, new Rng(seed));
    t.true(a >= 0 && b >= 0 && a < 8 && b < 8);
    const shift = Math.abs(a - b);
    counts.set(shift, (counts.get(shift) ?? 0) + 1);
  }
  t.deepEqual([...counts.keys()].sort(), [4, 5, 6, 7]);
  for (const [shift, count] of counts) t.true(Math.abs(count - 500) < 90, `${shift}: ${count}`);
  const exact = drawShiftedStarts(span, { least: 7, most: 180 }, new Rng(1));
  t.is(Math.abs(exact[0] - exact[1]), 7);
});

test('changing the law moves neither the coin nor anything but the gap', (t) => {
  const span = { length: 250, frames: 16, stride: 2 };
  for (let i = 0; i < 200; i++) {
    const [a, b] = drawPairStarts(span, { kind: 'decreasing', power: 1 }, new Rng(i));
    const [c, d] = drawPairStarts(span, { kind: 'uniform', power: 1 }, new Rng(i));
    t.is(Math.sign(b - a), Math.sign(d - c));
  }
});

test('uniform starts', (t) => {
  const span = { length: 50, frames: 8, stride: 2 };
  const counts = new Array<number>(36).fill(0);
  for (let i = 0; i < 36000; i++) {
    const [a, b] = drawUniformStarts(span, 2, false, new Rng('u', i));
    counts[a!]!++;
    t.true(b! >= 0 && b! < 36);
  }
  const chi = counts.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
  t.true(chi < 80, String(chi));
  const [a, b, c] = drawUniformStarts(span, 3, true, new Rng(1));
  t.true(a === b && b === c);
  t.true(drawUniformStarts({ length: 5, frames: 8, stride: 2 }, 2, false, new Rng(1)).every((s) => s < 5));
});

test('evaluation windows are spread evenly, a single one is in the middle', (t) => {
  const span = { length: 50, frames: 8, stride: 2 };
  t.deepEqual(spreadStarts(span, 1), [17]);
  t.deepEqual(spreadStarts(span, 2), [0, 35]);
  t.deepEqual(spreadStarts(span, 3), [0, 18, 35]);
  t.deepEqual(spreadStarts({ length: 5, frames: 8, stride: 2 }, 3), [0, 0, 0]);
  t.deepEqual(spreadStarts({ length: 15, frames: 8, stride: 2 }, 3), [0, 0, 0]);
});

test('starts within a distance: every pair is as likely as every other, without walking through the distances', (t) => {
  for (const [a, b, most] of [
    [1, 1, 0],
    [5, 5, 2],
    [7, 3, 1],
    [3, 7, 100],
    [4, 9, 4],
    [9, 4, 6],
  ] as const) {
    const pairs: [number, number][] = [];
    for (let gap = -most; gap <= most; gap++)
      for (let first = 0; first < a; first++)
        if (first + gap >= 0 && first + gap < b) pairs.push([first, first + gap]);
    // The k-th of n equal parts of [0, 1) names the k-th pair.
    pairs.forEach((pair, k) => {
      const rng = { next: () => (k + 0.5) / pairs.length } as unknown as Rng;
      t.deepEqual(drawStartsWithin([a, b], most, rng), pair, `${a} ${b} ${most}: pair ${k}`);
    });
  }
});
