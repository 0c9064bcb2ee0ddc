// Samplers that are told something: what they promise is measured on the clips' times and boxes.
import test from 'ava';
import { Rng } from '#src/data/rng.js';
import { drawNested } from '#src/data/samplers/nested.js';
import { drawSpaceOverlap, drawTimeOverlap, shiftOf } from '#src/data/samplers/overlap.js';
import { type SCHEDULES, scheduledPart } from '#src/data/samplers/schedule.js';
import { binOf } from '#src/methods/predictions.js';

const RATES = [1, 0.8, 0.6, 0.4, 0.2];

/** Shared part of two spans of time of the same length. */
const shared = (a: number, b: number, length: number) => Math.max(0, 1 - Math.abs(a - b) / length);

test('overlap in time: measured on the clips, it is the rate, to half a frame', (t) => {
  for (const [frames, stride] of [
    [16, 1],
    [16, 2],
    [8, 4],
    [5, 1],
    [20, 1],
  ] as const) {
    const span = { length: 200, frames, stride };
    const seen = new Array(RATES.length).fill(0);
    let later = 0;
    for (let seed = 0; seed < 1000; seed++) {
      const drawn = drawTimeOverlap(span, RATES, new Rng(seed))!;
      const [a, b] = drawn.starts;
      for (const start of [a, b]) t.true(start >= 0 && start + (frames - 1) * stride < 200);
      const rate = RATES[drawn.place]!;
      t.true(Math.abs(shared(a, b, frames * stride) - rate) <= 0.5 / (frames * stride) + 1e-12);
      seen[drawn.place]++;
      if (a < b) later++;
    }
    for (const count of seen) t.true(count > 140 && count < 260, String(seen));
    t.true(later > 320 && later < 480, String(later));
  }
});

test('overlap in time: a short video has the rates that fit into it, and the clips are never out of it', (t) => {
  const span = { length: 20, frames: 16, stride: 1 };
  const places = new Set<number>();
  for (let seed = 0; seed < 200; seed++) {
    const { starts, place } = drawTimeOverlap(span, RATES, new Rng(seed))!;
    places.add(place);
    t.true(Math.max(...starts) <= 4);
  }
  t.deepEqual([...places].sort(), [0, 1]); // shifts of 0 and 3 frames; 6 do not fit
  t.is(drawTimeOverlap({ length: 16, frames: 16, stride: 1 }, RATES, new Rng(1))!.place, 0);
  t.is(drawTimeOverlap({ length: 15, frames: 16, stride: 1 }, RATES, new Rng(1)), null);
  t.is(drawTimeOverlap({ length: 16, frames: 16, stride: 1 }, [0.5], new Rng(1)), null);
  t.is(shiftOf(0.2, { frames: 16, stride: 2 }), 26);
});

test('overlap in space: measured on the boxes, it is the rate', (t) => {
  const area = ([x0, y0, x1, y1]: readonly number[]) => Math.max(0, x1! - x0!) * Math.max(0, y1! - y0!);
  const corners = new Set<string>();
  for (const box of [
    [0.1, 0.2, 0.4, 0.7],
    [0, 0, 1, 1],
    [0, 0, 1, 0.3],
    [0.5, 0.5, 0.52, 0.98],
  ] as const)
    for (const rate of RATES)
      for (let seed = 0; seed < 200; seed++) {
        const [a, b] = drawSpaceOverlap(box, rate, new Rng(seed));
        for (const [x0, y0, x1, y1] of [a, b])
          t.true(x0 >= 0 && y0 >= 0 && x1 <= 1 && y1 <= 1 && x1 > x0 && y1 > y0);
        const both = area([
          Math.max(a[0], b[0]),
          Math.max(a[1], b[1]),
          Math.min(a[2], b[2]),
          Math.min(a[3], b[3]),
        ]);
        t.true(Math.abs(both / area(a) - rate) < 1e-9, `${both / area(a)} for ${rate}`);
        t.true(Math.abs(area(a) - area(b)) < 1e-12);
        const shape = (box[2] - box[0]) / (box[3] - box[1]);
        t.true(Math.abs((a[2] - a[0]) / (a[3] - a[1]) / shape - 1) < 1e-9);
        if (rate < 1) corners.add(`${Math.sign(b[0] - a[0])},${Math.sign(b[1] - a[1])}`);
      }
  t.deepEqual([...corners].sort(), ['-1,-1', '-1,1', '1,-1', '1,1']);
});

test('overlap in space: a box that has room keeps its size, and both lie anywhere', (t) => {
  let least = 1;
  let most = 0;
  for (let seed = 0; seed < 500; seed++) {
    const [a, b] = drawSpaceOverlap([0.3, 0.3, 0.7, 0.6], 0.4, new Rng(seed));
    t.true(Math.abs(a[2] - a[0] - 0.4) < 1e-12 && Math.abs(b[3] - b[1] - 0.3) < 1e-12);
    least = Math.min(least, a[0], b[0]);
    most = Math.max(most, a[2], b[2]);
  }
  t.true(least < 0.02 && most > 0.98);
});

test('nested: the short clip lies within the long one, anywhere in it', (t) => {
  for (const [length, factor] of [
    [200, 4],
    [61, 4],
    [60, 4],
    [40, 4],
    [17, 4],
    [16, 4],
    [9, 3],
  ] as const) {
    const span = { length, frames: 16, stride: 1 };
    const offsets = new Set<number>();
    for (let seed = 0; seed < 400; seed++) {
      const { long, short } = drawNested(span, factor, new Rng(seed));
      t.is(short.stride, 1);
      t.is(long.stride, length < 31 ? 1 : Math.min(factor, Math.floor((length - 1) / 15)));
      const end = ({ start, stride }: { start: number; stride: number }) => start + 15 * stride;
      t.true(short.start >= long.start && end(short) <= end(long));
      if (length >= 16) t.true(long.start >= 0 && end(long) < length);
      offsets.add(short.start - long.start);
    }
    const room = 15 * ((length < 31 ? 1 : Math.min(factor, Math.floor((length - 1) / 15))) - 1);
    t.is(Math.max(...offsets), room);
    t.is(Math.min(...offsets), 0);
  }
});

test('schedules: each goes where it says, whatever the length of the run', (t) => {
  for (const totalSteps of [10, 1000]) {
    const at = (kind: (typeof SCHEDULES)[number], part: number, until = 0.8) =>
      scheduledPart({ kind, until }, { step: part * totalSteps, totalSteps });
    t.deepEqual(
      [0, 0.2, 0.4, 0.8, 0.9].map((part) => at('up', part)),
      [0, 0.25, 0.5, 1, 1],
    );
    t.deepEqual(
      [0, 0.2, 0.4, 0.8, 0.9].map((part) => at('down', part)),
      [1, 0.75, 0.5, 0, 0],
    );
    t.deepEqual(
      [0, 0.3, 0.4, 0.9].map((part) => at('step', part)),
      [0, 0, 1, 1],
    );
    t.deepEqual([at('small', 0.9), at('large', 0)], [0, 1]);
    t.is(at('up', 0.5, 1), 0.5);
  }
});

test('classes of a number are equal parts of its range', (t) => {
  t.deepEqual(
    [-1, -0.76, -0.75, 0, 0.99, 1].map((x) => binOf(x, -1, 1, 8)),
    [0, 0, 1, 4, 7, 7],
  );
});
