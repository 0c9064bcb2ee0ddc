import test from 'ava';
import { planEvaluationClips } from '#src/data/clip-plan.js';
import type { VideoFacts } from '#src/data/plan.js';
import { chooseShrink } from '#src/data/shrink.js';

const FACTS: VideoFacts = {
  path: 'a.mp4',
  codec: 'h264',
  width: 320,
  height: 240,
  times: Float64Array.from({ length: 50 }, (_, i) => i / 25),
  end: 2,
  warnings: [],
};

test('shrink: the short side keeps 1.75 clip sizes', (t) => {
  t.is(chooseShrink('auto', 320, 240, 64), 2);
  t.is(chooseShrink('auto', 1920, 1080, 112), 5);
  t.is(chooseShrink('auto', 224, 224, 64), 2);
  t.is(chooseShrink('auto', 223, 500, 64), 1);
  t.is(chooseShrink('auto', 32, 32, 64), 1);
  t.is(chooseShrink(3, 32, 32, 64), 3);
});

test('evaluation clips: windows spread evenly, centre square, nothing random', (t) => {
  const format = {
    clip: { frames: 8, stride: 2, size: 64, fps: null },
    input: 'temporal-mean-removed',
    shrink: 'auto',
    mean: [0, 0, 0],
    std: [1, 1, 1],
  } as const;
  const options = { source: { kind: 'file', path: 'a.mp4' }, facts: FACTS, format, windows: 3 } as const;
  const clips = planEvaluationClips(options);
  t.is(clips.length, 3);
  t.deepEqual(
    clips[0]!.times.map((time) => Math.floor(time * 25)),
    [0, 2, 4, 6, 8, 10, 12, 14],
  );
  t.deepEqual(
    clips[2]!.times.map((time) => Math.floor(time * 25)),
    [35, 37, 39, 41, 43, 45, 47, 49],
  );
  const { times: _, ...rest } = clips[1]!;
  t.deepEqual(rest, {
    source: { kind: 'file', path: 'a.mp4' },
    modality: 'rgb',
    height: 64,
    width: 64,
    shrink: 2,
    augment: [
      {
        crop: [0.125, 0, 0.875, 1],
        flip: false,
        color: [],
        gray: false,
        blur: 0,
        blurRadius: 0,
        solarize: null,
      },
    ],
    input: 'temporal-mean-removed',
    mean: [0, 0, 0],
    std: [1, 1, 1],
  });
  const crops = planEvaluationClips({ ...options, windows: 2, crops: 3 });
  t.deepEqual(
    crops.map((clip) => [Math.floor(clip.times[0]! * 25), clip.augment[0]!.crop[0]]),
    [
      [0, 0],
      [0, 0.125],
      [0, 0.25],
      [35, 0],
      [35, 0.125],
      [35, 0.25],
    ],
  );
  const part = planEvaluationClips({ ...options, windows: 1, start: 1, end: 1.2 });
  t.deepEqual(
    part[0]!.times.map((time) => Math.floor(time * 25)),
    [25, 27, 29, 26, 28, 25, 27, 29],
  );
});
