import { PassThrough } from 'node:stream';
import type { WriteStream } from 'node:tty';
import test from 'ava';
import { createProgress, formatDuration } from '#src/cli/progress.js';
import type { StartEvent, StepEvent } from '#src/train/events.js';

const start = {
  type: 'start',
  out: 'run',
  step: 0,
  lastStep: 3,
  totalSteps: 3,
  stepsPerEpoch: 1,
  videos: 9,
  batch: 4,
  device: 'cpu',
  threads: 2,
  workers: 2,
} satisfies StartEvent;
const step = (n: number): StepEvent => ({
  type: 'step',
  step: n,
  epoch: 0,
  losses: { loss: 1.5 },
  lr: 0.1,
  gradNorm: 1,
  clips: 8,
  dataSeconds: 0.1,
  stepSeconds: 0.9,
  exchangeSeconds: 0,
  clipsPerSecond: 8,
  rssBytes: 0,
  deviceBytes: 0,
});

function stream(isTTY: boolean, columns = 200) {
  const through = new PassThrough() as unknown as WriteStream & { text: () => string };
  let text = '';
  through.on('data', (chunk) => {
    text += chunk;
  });
  return Object.assign(through, { isTTY, columns, text: () => text });
}

test('plain lines where there is no terminal, or CI is set', (t) => {
  for (const [out, env] of [
    [stream(false), {}],
    [stream(true), { CI: '1' }],
  ] as const) {
    const progress = createProgress(out, env);
    for (const event of [start, step(1), step(2), step(3)]) progress.onEvent(event);
    progress.close();
    t.false(out.text().includes('\x1b['));
    t.regex(out.text(), /9 videos, batch 4/);
    t.regex(out.text(), /step 3\/3 {2}loss 1\.5000 {2}lr 0\.100 .* clips\/s {2}data wait 10 % {2}ETA 0:00/);
    t.is(out.text().split('\n').length, 4); // start, first step, last step, end
  }
});

test('one status line on a terminal, cut to its width', (t) => {
  const out = stream(true, 40);
  const progress = createProgress(out, {});
  progress.onEvent(start);
  progress.onEvent(step(3));
  progress.onEvent({ type: 'warning', message: 'careful' });
  progress.close();
  const last = out.text().split('\n').at(-2)!;
  t.regex(last, /^\[#{20}\] step 3\/3/);
  t.true(last.length < 40);
  t.regex(out.text(), /careful/);
});

test('durations', (t) => {
  t.deepEqual([0, 59.6, 61, 3725].map(formatDuration), ['0:00', '1:00', '1:01', '1:02:05']);
});
