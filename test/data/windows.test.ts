import test from 'ava';
import { makeClock } from '#src/data/samplers/clock.js';
import { parseGrid, parseSeconds, windowsOf } from '#src/data/windows.js';

/** The clock of a video of steady rate. */
function clockOf(frames: number, fps: number, window = {}) {
  const facts = { path: 'v', codec: '', width: 1, height: 1, warnings: [], end: frames / fps };
  return makeClock({ ...facts, times: Float64Array.from({ length: frames }, (_, i) => i / fps) }, window);
}
const clip = { frames: 4, stride: 2 };
const times = (windows: readonly { start: number; end: number }[]) =>
  windows.map(({ start, end }) => [start, end]);

test('windows begin every so often, and the last one ends with the video', (t) => {
  // a clip is 7 frames: 0.28 s
  t.deepEqual(times(windowsOf(clockOf(75, 25), clip, { every: 1 })), [
    [0, 0.28],
    [1, 1.28],
    [2, 2.28],
    [2.72, 3],
  ]);
  t.deepEqual(times(windowsOf(clockOf(75, 25), clip, { every: 1, span: 2 })), [
    [0, 2],
    [1, 3],
  ]);
  t.deepEqual(
    times(windowsOf(clockOf(50, 25), clip, { every: 10, span: 0.1 })),
    [
      [0, 0.28],
      [1.72, 2],
    ],
    'a window holds a clip at least',
  );
});

test('a video shorter than a window is one; a part of a video has its own', (t) => {
  t.deepEqual(times(windowsOf(clockOf(10, 25), clip, { every: 1, span: 5 })), [[0, 0.4]]);
  t.deepEqual(times(windowsOf(clockOf(3, 25), clip, { every: 1 })), [[0, 0.12]]);
  t.deepEqual(times(windowsOf(clockOf(75, 25, { start: 1, end: 2 }), clip, { every: 0.5, span: 0.5 })), [
    [1, 1.52],
    [1.48, 2],
  ]);
});

test('an odd rate does not add up to a drift; a step below a frame is a frame', (t) => {
  const windows = windowsOf(clockOf(30_000, 30000 / 1001), clip, { every: 1 });
  for (const [i, { start }] of windows.slice(0, -1).entries())
    t.true(Math.abs(start - i) <= 0.018, `${i}: ${start}`);
  t.is(windowsOf(clockOf(10, 25), clip, { every: 0.001 }).length, 4);
  t.throws(() => windowsOf(clockOf(10_000_000, 25), clip, { every: 0.04 }), {
    code: 'ERR_VSSL_VIDEO_WINDOW',
  });
});

test('times of the command line', (t) => {
  t.deepEqual(parseGrid('every:1s'), { every: 1 });
  t.deepEqual(parseGrid('every:500ms', '2s'), { every: 0.5, span: 2 });
  t.deepEqual(parseGrid('every:1.5', '1min'), { every: 1.5, span: 60 });
  for (const wrong of ['1s', 'every:', 'every:0s', 'every:-1s', 'every:1h', 'every:1e3', 'each:1s'])
    t.throws(() => parseGrid(wrong), { code: 'ERR_VSSL_INVALID_ARGUMENT', message: /every:1s/ }, wrong);
  t.throws(() => parseGrid('every:1s', 'long'), { code: 'ERR_VSSL_INVALID_ARGUMENT', message: /span/ });
  t.is(parseSeconds(' .5s '), 0.5);
});
