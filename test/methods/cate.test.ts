import test from 'ava';
import type { ClipPlan, FrameAugment, VideoFacts } from '#src/data/plan.js';
import { Rng } from '#src/data/rng.js';
import type { VideoRow } from '#src/data/rows.js';
import { drawStartsWithin } from '#src/data/samplers/starts.js';
import {
  ENCODINGS,
  type EncodingName,
  type EncodingOptions,
  readEncodings,
  readRelation,
  tokensOf,
} from '#src/methods/cate-encodings.js';
import { loadConfig, resolveConfig, type TrainConfig } from '#src/methods/config.js';
import { getMethod } from '#src/methods/registry.js';
import { planClips, planSample } from '../helpers/view-context.js';

const FACTS: VideoFacts = {
  path: 'a.mp4',
  codec: 'h264',
  width: 320,
  height: 240,
  times: Float64Array.from({ length: 120 }, (_, i) => i / 25),
  end: 120 / 25,
  warnings: [],
};
const ROW: VideoRow = {
  id: 'a.mp4',
  path: 'a.mp4',
  label: undefined,
  group: undefined,
  start: undefined,
  end: undefined,
  extra: {},
  source: { kind: 'file', path: 'a.mp4' },
};
const OPTIONS: EncodingOptions = { timeForm: 'both', timeScale: 4, cropFrame: 'view' };

function views(cate: TrainConfig['cate'], seed: number, facts = FACTS): ClipPlan[] {
  const config = resolveConfig({ method: 'cate', cate, data: { clip: { frames: 8, stride: 2, size: 64 } } });
  return planClips(config, { row: ROW, facts, rng: new Rng(seed) }).map(({ clip }) => clip);
}

/** A clip with some of its augmentation set. */
function clip(augment: Partial<FrameAugment>, times: readonly number[] = [0, 1]): ClipPlan {
  const [plain] = views({}, 0);
  const nothing = { crop: [0, 0, 1, 1] as const, flip: false, color: [], gray: false };
  return { ...plain!, times, augment: [{ ...plain!.augment[0]!, ...nothing, ...augment }] };
}

const relation = (name: EncodingName, own: ClipPlan, other: ClipPlan, options = {}) =>
  readRelation([name], own, other, { ...OPTIONS, ...options });
const near = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((value, i) => Math.abs(value - b[i]!) < 1e-9);
const negated = (numbers: readonly number[]) => numbers.map((value) => -value);
/** Differences of box corners as a mirror shows them. */
const mirrored = ([x0, y0, x1, y1]: readonly number[]) => [-x1!, y0!, -x0!, y1!];

test('a clip and itself: nothing changes', (t) => {
  for (let seed = 0; seed < 20; seed++)
    for (const own of views({ speeds: [1, 2] }, seed))
      for (const cropFrame of ['view', 'picture'] as const)
        t.true(readRelation(ENCODINGS, own, own, { ...OPTIONS, cropFrame }).every((value) => value === 0));
});

test('the way back is the way there with the sign changed; a flip and a loss of colour have no direction', (t) => {
  let flips = 0;
  for (let seed = 0; seed < 200; seed++) {
    const [a, b] = views({ speeds: [0.5, 1, 2] }, seed) as [ClipPlan, ClipPlan];
    for (const timeForm of ['sign', 'both'] as const)
      t.deepEqual(
        relation('time', a, b, { timeForm }),
        negated(relation('time', b, a, { timeForm })).map((v) => v + 0),
      );
    t.deepEqual(
      relation('time', a, b, { timeForm: 'magnitude' }),
      relation('time', b, a, { timeForm: 'magnitude' }),
    );
    t.true(near(relation('speed', a, b), negated(relation('speed', b, a))));
    t.deepEqual(relation('flip', a, b), relation('flip', b, a));
    const [there, back] = [relation('colour', a, b), relation('colour', b, a)];
    t.true(near(there.slice(0, 4), negated(back.slice(0, 4))));
    t.is(there[4], back[4]);
    const inPicture = { cropFrame: 'picture' };
    t.true(near(relation('crop', a, b, inPicture), negated(relation('crop', b, a, inPicture))));
    // Seen from the clips themselves, the way back is mirrored too when one of them alone is flipped.
    const [flip] = relation('flip', a, b);
    const reverse = negated(relation('crop', b, a));
    t.true(near(relation('crop', a, b), flip ? mirrored(reverse) : reverse));
    flips += flip!;
  }
  t.true(flips > 60 && flips < 140);
});

test('time: seconds between the first frames, in units of the scale, at most 1', (t) => {
  const at = (time: number) => clip({}, [time, time + 1]);
  t.deepEqual(relation('time', at(1), at(3)), [0.5]);
  t.deepEqual(relation('time', at(3), at(1)), [-0.5]);
  t.deepEqual(relation('time', at(0), at(30)), [1]);
  t.deepEqual(relation('time', at(3), at(1), { timeForm: 'sign' }), [-1]);
  t.deepEqual(relation('time', at(3), at(1), { timeForm: 'magnitude' }), [0.5]);
});

test('crop: a flipped clip sees the boxes mirrored', (t) => {
  const left = { crop: [0, 0.1, 0.5, 0.6] as const };
  const right = { crop: [0.4, 0.3, 1, 0.9] as const };
  const toTheRight = [0.4, 0.2, 0.5, 0.3];
  t.true(near(relation('crop', clip(left), clip(right)), toTheRight));
  // The other clip's flip is not this one's matter.
  t.true(near(relation('crop', clip(left), clip({ ...right, flip: true })), toTheRight));
  const flipped = clip({ ...left, flip: true });
  t.true(near(relation('crop', flipped, clip(right)), [-0.5, 0.2, -0.4, 0.3]));
  t.true(near(relation('crop', flipped, clip(right), { cropFrame: 'picture' }), toTheRight));
  // Mirroring the video, and so both boxes and both flips, changes nothing of what the clips show or are told.
  const mirror = (
    { crop: [x0, y0, x1, y1] }: { crop: readonly [number, number, number, number] },
    flip: boolean,
  ) => clip({ crop: [1 - x1, y0, 1 - x0, y1], flip: !flip });
  for (const [f, g] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ] as const)
    t.true(
      near(
        relation('crop', clip({ ...left, flip: f }), clip({ ...right, flip: g })),
        relation('crop', mirror(left, f), mirror(right, g)),
      ),
    );
});

test('speed: read off the times, whatever was asked for, and where a short video starts again it is left out', (t) => {
  const pace = (step: number) => clip({}, [0, step, 2 * step, 3 * step]);
  t.true(near(relation('speed', pace(0.04), pace(0.16)), [2]));
  t.true(near(relation('speed', pace(0.16), pace(0.08)), [-1]));
  t.true(near(relation('speed', pace(0.04), clip({}, [0.5, 0.58, 0.02, 0.1])), [1]));
  t.deepEqual(relation('speed', clip({}, [1, 1]), clip({}, [1, 1])), [0]);
});

test('colour: an operation that was not drawn is the one that changes nothing', (t) => {
  const own = clip({
    color: [
      { op: 'hue', value: 0.1 },
      { op: 'contrast', value: 1.5 },
    ],
    gray: true,
  });
  const other = clip({ color: [{ op: 'brightness', value: 0.75 }] });
  t.true(near(relation('colour', own, other), [-0.25, -0.5, 0, -0.1, 1]));
});

test('the head is told what leads from the first clip to the second and back, side by side in the order asked', (t) => {
  const names = ['crop', 'flip', 'time'] as const;
  t.deepEqual(tokensOf(names), [
    { name: 'crop', size: 4, table: false },
    { name: 'flip', size: 2, table: true },
    { name: 'time', size: 1, table: false },
  ]);
  for (const seed of [0, 1, 2]) {
    const [a, b] = views({}, seed) as [ClipPlan, ClipPlan];
    const { values, ...array } = readEncodings(names, [a, b], OPTIONS);
    t.deepEqual(array, { name: 'encodings', dtype: 'float32', shape: [2, 6] });
    t.deepEqual(values.slice(0, 6), readRelation(names, a, b, OPTIONS));
    t.deepEqual(values.slice(6), readRelation(names, b, a, OPTIONS));
  }
});

test('encodings are a side array of the sample, of the clips that it has; nothing where the head is told nothing', (t) => {
  const told = (set: string[]) => {
    const config = loadConfig({ preset: 'cate', set });
    const plan = planSample(config, { row: ROW, facts: FACTS, rng: new Rng(3) });
    const clips = plan.views.map(({ clip }) => clip) as [ClipPlan, ClipPlan];
    return { side: plan.side, clips };
  };
  const plain = told([]);
  t.deepEqual(plain.side, [readEncodings(['time', 'crop'], plain.clips, { ...OPTIONS, timeScale: 10 })]);
  const near = told(['cate.maxShift=2', 'cate.encode=[time]']);
  t.deepEqual(near.side, [readEncodings(['time'], near.clips, { ...OPTIONS, timeScale: 2 })]);
  for (const set of ['cate.constant=true', 'cate.head=mlp', 'cate.encode=[]'])
    t.is(told([set]).side, undefined);
});

test('starts within a bound: every pair is as likely as every other', (t) => {
  for (const [a, b, most] of [
    [5, 5, 2],
    [7, 3, 1],
    [2, 6, 9],
    [4, 4, 0],
    [1, 1, 3],
  ] as const) {
    const allowed = new Map<string, number>();
    for (let i = 0; i < a; i++)
      for (let j = 0; j < b; j++) if (Math.abs(i - j) <= most) allowed.set(`${i},${j}`, 0);
    const draws = 400 * allowed.size;
    const rng = new Rng('starts', a, b, most);
    for (let i = 0; i < draws; i++) {
      const key = drawStartsWithin([a, b], most, rng).join(',');
      t.true(allowed.has(key), key);
      allowed.set(key, allowed.get(key)! + 1);
    }
    // 400 expected; 20 is a deviation
    for (const [key, count] of allowed) t.true(Math.abs(count - 400) < 90, `${key}: ${count}`);
  }
});

test('clips lie at most maxShift apart, and anywhere without it', (t) => {
  const shifts = (cate: TrainConfig['cate']) =>
    Array.from({ length: 300 }, (_, seed) => {
      const [a, b] = views(cate, seed);
      return b!.times[0]! - a!.times[0]!;
    });
  const near = shifts({ maxShift: 0.5 });
  t.true(near.every((shift) => Math.abs(shift) < 0.5 + 1e-6));
  t.true(Math.max(...near) > 0.45 && Math.min(...near) < -0.45);
  t.true(shifts({ maxShift: 0 }).every((shift) => shift === 0));
  // 106 starts: the mean distance of two of them is a third.
  const anywhere = shifts({}).map(Math.abs);
  t.true(Math.abs(anywhere.reduce((a, b) => a + b, 0) / 300 - 106 / 3 / 25) < 0.12);
});

test('each clip draws its speed; a clip that is too long for a video runs round its end', (t) => {
  const strides = new Set<string>();
  for (let seed = 0; seed < 60; seed++) {
    const pair = views({ speeds: [0.5, 1, 2], maxShift: 1 }, seed);
    const frames = pair.map(({ times }) => Math.round((times[1]! - times[0]!) * 25));
    strides.add(frames.join());
    t.true(pair.every(({ times }) => times.every((time) => time < 120 / 25)));
  }
  t.is(strides.size, 9);
  const short = { ...FACTS, times: FACTS.times.slice(0, 10), end: 0.4 };
  for (const { times } of views({ speeds: [1, 2], maxShift: 0.1 }, 1, short)) t.is(times.length, 8);
});

test('the engine is told which tokens to make', (t) => {
  const options = (set: string[]) => {
    const config = loadConfig({ preset: 'cate', set });
    return getMethod('cate').nativeOptions(config);
  };
  const shape = { layers: 2, heads: 4, width: 128, mlpRatio: 4 };
  const mlp = { headLayers: 2, headHidden: 0, headNorm: true };
  const tokens = [
    { name: 'time', size: 1, table: false },
    { name: 'crop', size: 4, table: false },
  ];
  const rest = { constant: false, reading: 'A', guard: true, anchors: 16, ...shape, ...mlp };
  const dims = ['cate.transformer.dim=64', 'cate.mlp.dim=32'];
  t.deepEqual(options(dims), { temperature: 0.1, head: 'transformer', tokens, headDim: 64, ...rest });
  t.is(options(['cate.anchors=null']).anchors, 0);
  t.deepEqual(options(['cate.constant=true']).tokens, tokens, 'the arm to compare with has the same network');
  t.deepEqual(options([...dims, 'cate.head=mlp', 'cate.encode=[]']), {
    ...{ temperature: 0.1, head: 'mlp', tokens: [], headDim: 32, ...rest },
  });
  const perFrame = 'data.augment.perFrame=true';
  const error = t.throws(() => options([perFrame]), { code: 'ERR_VSSL_CONFIG' });
  t.regex(error!.message, /'crop' cannot be told/);
  t.notThrows(() => options([perFrame, 'cate.encode=[time, speed]']));
  for (const set of ['cate.encode=[time, time]', 'cate.transformer={heads: 3}', 'cate.speeds=[]'])
    t.throws(() => loadConfig({ preset: 'cate', set: [set] }), { code: 'ERR_VSSL_CONFIG' });
});
