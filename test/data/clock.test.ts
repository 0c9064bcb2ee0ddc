import test from 'ava';
import type { VideoFacts } from '#src/data/plan.js';
import { clipTimes, makeClock, makePairs } from '#src/data/samplers/clock.js';

function facts(times: readonly number[], end: number): VideoFacts {
  return {
    path: 'a.mp4',
    codec: 'h264',
    width: 320,
    height: 240,
    times: Float64Array.from(times),
    end,
    warnings: [],
  };
}

/** Index of the picture on show at a time. */
function shown(video: VideoFacts, time: number): number {
  return video.times.findLastIndex((start) => start <= time);
}

test('a steady video: frame i is picture i, at the middle of its time on show', (t) => {
  for (const [fps, offset] of [
    [25, 0],
    [25, 0.1],
    [29.97, 100],
    [60, 0],
  ] as const) {
    const video = facts(
      Array.from({ length: 90 }, (_, i) => offset + i / fps),
      offset + 90 / fps,
    );
    const clock = makeClock(video);
    t.is(clock.frames, 90);
    t.true(Math.abs(clock.period - 1 / fps) < 1e-9);
    for (let i = 0; i < 90; i++) t.is(shown(video, clock.timeOf(i)), i);
    t.true(Math.abs(clock.timeOf(89) - (offset + 89.5 / fps)) < 1e-9);
  }
});

test('time stamps rounded to milliseconds are still a steady video', (t) => {
  const video = facts(
    Array.from({ length: 3000 }, (_, i) => Math.round((i * 1000) / 30) / 1000),
    100,
  );
  const clock = makeClock(video);
  t.is(clock.frames, 3000);
  for (let i = 0; i < 3000; i++) t.is(shown(video, clock.timeOf(i)), i);
});

test('variable rate: a regular grid at the median duration', (t) => {
  // 10 pictures at 10 a second, then one that stays for 2 s, then 10 more.
  const times = [
    ...Array.from({ length: 10 }, (_, i) => i / 10),
    ...Array.from({ length: 10 }, (_, i) => 3 + i / 10),
  ];
  const video = facts(times, 4);
  const clock = makeClock(video);
  t.true(Math.abs(clock.period - 0.1) < 1e-9);
  t.is(clock.frames, 40);
  t.deepEqual(
    [0, 9, 10, 29, 30, 39].map((i) => shown(video, clock.timeOf(i))),
    [0, 9, 9, 9, 10, 19],
  );
  for (let i = 0; i < 40; i++) t.true(Math.abs(clock.timeOf(i) - (i + 0.48) / 10) < 1e-9);
});

test('a rate that is asked for: the same span of time in every video', (t) => {
  for (const fps of [10, 20, 30, 120]) {
    for (const own of [15, 29.97, 60]) {
      const video = facts(
        Array.from({ length: Math.round(4 * own) }, (_, i) => 1 + i / own),
        1 + Math.round(4 * own) / own,
      );
      const clock = makeClock(video, { fps });
      t.is(clock.period, 1 / fps);
      t.is(clock.frames, Math.round((video.end - 1) * fps));
      for (let i = 0; i < clock.frames; i++) {
        t.is(shown(video, clock.timeOf(i)), Math.floor(((i + 0.48) / fps) * own));
      }
    }
  }
  // a window of the file is cut by the same grid
  const video = facts(
    Array.from({ length: 100 }, (_, i) => i / 25),
    4,
  );
  t.is(makeClock(video, { start: 1, end: 2, fps: 10 }).frames, 10);
});

test('a slow tail does not change the pace of the rest', (t) => {
  const times = [...Array.from({ length: 50 }, (_, i) => i / 25), 2, 3, 4, 5];
  const clock = makeClock(facts(times, 6));
  t.true(Math.abs(clock.period - 0.04) < 1e-9);
  t.is(clock.frames, 150);
  t.true(clock.timeOf(149) < 6);
});

test('odd videos: one picture, equal stamps, an end before the last picture, no picture', (t) => {
  t.is(makeClock(facts([0], 0)).frames, 1);
  t.is(makeClock(facts([0], 0.5)).period, 0.5);
  t.is(makeClock(facts([0, 0, 0], 0)).frames, 3);
  const wrong = makeClock(facts([0, 0.04, 0.08], 0.01));
  t.is(wrong.frames, 3);
  t.true(wrong.timeOf(2) >= 0.08);
  const twice = makeClock(facts([0, 0.04, 0.04, 0.12, 0.16], 0.2));
  t.true(twice.frames >= 1 && twice.timeOf(twice.frames - 1) <= 0.2);
  t.throws(() => makeClock(facts([], 0)), { code: 'ERR_VSSL_VIDEO_EMPTY' });
});

test('a window keeps the frames whose middle lies within it', (t) => {
  const video = facts(
    Array.from({ length: 100 }, (_, i) => i / 10),
    10,
  );
  const clock = makeClock(video, { start: 2, end: 4 });
  t.is(clock.frames, 20);
  t.is(shown(video, clock.timeOf(0)), 20);
  t.is(shown(video, clock.timeOf(19)), 39);
  t.is(makeClock(video, { start: 9.5 }).frames, 5);
  t.is(makeClock(video, { end: 0.5 }).frames, 5);
  t.is(makeClock(video, { end: 99 }).frames, 100);
  const error = t.throws(() => makeClock(video, { start: 20, end: 30 }), { code: 'ERR_VSSL_VIDEO_WINDOW' });
  t.regex(error!.message, /between 20 s and 30 s.*0 s to 10 s/);
});

test('a short video is looped', (t) => {
  const video = facts([0, 0.1, 0.2], 0.3);
  const clock = makeClock(video);
  const times = clipTimes(clock, 1, 5, 2);
  t.deepEqual(
    times.map((time) => shown(video, time)),
    [1, 0, 2, 1, 0],
  );
  t.is(clock.timeOf(-1), clock.timeOf(2));
  t.is(shown(video, clipTimes(clock, 0, 9, 1)[8]!), 2);
});

test('a pair is the picture on show and its successor; at the end the pair towards the last one', (t) => {
  const pair = (video: VideoFacts, time: number, window = {}) => {
    const { time: first, next } = makePairs(video, window)(time);
    return [shown(video, first), shown(video, next)];
  };
  // Variable rate: the video's pictures count, not the grid.
  const varying = facts([0, 0.1, 0.2, 2.2, 2.3], 2.4);
  t.deepEqual(
    [0.05, 0.1, 0.25, 2, 2.25, 2.39].map((time) => pair(varying, time)),
    [
      [0, 1],
      [1, 2],
      [2, 3],
      [2, 3],
      [3, 4],
      [3, 4],
    ],
  );
  // The last picture of a window, and a grid's time in a picture whose middle is beyond it.
  const steady = facts([0, 1, 2, 3, 4], 5);
  t.deepEqual(pair(steady, 2.4, { start: 1, end: 2.9 }), [1, 2]);
  t.deepEqual(pair(steady, 3.1, { start: 1, end: 3.2 }), [2, 3]);
  t.deepEqual(pair(steady, 0.9, { start: 0.8, end: 3.2 }), [0, 1]);
  t.deepEqual(pair(steady, 2.7, { start: 2.6, end: 2.9 }), [2, 2]);
  // One picture, equal stamps, a start of its own.
  t.deepEqual(pair(facts([0], 0), 0), [0, 0]);
  t.deepEqual(pair(facts([0, 0, 0], 0), 0), [2, 2]);
  t.deepEqual(pair(facts([0, 0.04, 0.04, 0.08], 0.12), 0.02), [0, 2]);
  t.deepEqual(pair(facts([100, 100.1, 100.2], 100.3), 100.15), [1, 2]);
});

test('the frames of a grid cost nothing, however many a file or a rate makes of them', (t) => {
  const year = 365 * 86400;
  const jumps = facts([...Array.from({ length: 40 }, (_, i) => i / 25), year, year + 0.04], year + 0.08);
  const before = process.memoryUsage().arrayBuffers;
  const own = makeClock(jumps);
  const fast = makeClock(jumps, { fps: 1000, start: year - 1, end: year });
  t.is(own.frames, 25 * year + 2);
  t.is(fast.frames, 1000);
  t.is(shown(jumps, own.timeOf(own.frames - 1)), 41);
  t.is(shown(jumps, fast.timeOf(999)), 39);
  t.true(process.memoryUsage().arrayBuffers - before < 2 ** 20);
});
