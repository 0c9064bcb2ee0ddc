import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { baseConfigSchema } from '#src/config/schema.js';
import { plainAugment } from '#src/data/augment/draw-augment.js';
import { CLIP_LIMITS, checkClipPlan } from '#src/data/clip-limits.js';
import type { ClipPlan } from '#src/data/plan.js';
import { chooseShrink } from '#src/data/shrink.js';
import { loadEngine, packageRoot } from '#src/native/load.js';

const plan: ClipPlan = {
  source: { kind: 'packed', path: '/nowhere.rgb8', offset: 0, frames: 9, height: 16, width: 16, fps: 25 },
  modality: 'rgb',
  times: [0, 0.1],
  height: 8,
  width: 8,
  shrink: 1,
  augment: [plainAugment([0, 0, 1, 1])],
  input: 'rgb',
  mean: [0, 0, 0],
  std: [1, 1, 1],
};
const packed = (change: object): Partial<ClipPlan> => ({ source: { ...plan.source, ...change } as never });
const cropped = (...crop: [number, number, number, number]) => ({ augment: [plainAugment(crop)] });
const blurred = (blurRadius: number) => ({
  augment: [{ ...plainAugment([0, 0, 1, 1]), blur: 1, blurRadius }],
});
const flow = (change: object): Partial<ClipPlan> => ({
  modality: 'flow',
  next: [0.04, 0.14],
  flow: { path: '/nowhere.flow16', offset: 0, frames: 8, height: 16, width: 16, fps: 25, ...change },
});

/** What depends on the video, at the edge of what the loader takes and beyond it. */
const changes: Readonly<Record<string, Partial<ClipPlan>>> = {
  plain: {},
  'shrink 64': { shrink: 64 },
  'shrink 65': { shrink: 65 },
  'shrink 0': { shrink: 0 },
  'shrink 1.5': { shrink: 1.5 },
  '4096 frames': { times: Array(4096).fill(0) },
  '4097 frames': { times: Array(4097).fill(0) },
  'no frame': { times: [] },
  'a time that is no number': { times: [0, Number.NaN] },
  'an endless time': { times: [Number.POSITIVE_INFINITY, 0] },
  'a size that is too large': { height: 8193, width: 8 },
  'crop by rounding': cropped(-1e-12, 0, 1 + 1e-12, 1),
  'crop outside': cropped(-0.1, 0, 0.5, 1),
  'crop without width': cropped(0.5, 0, 0.5, 1),
  'crop that is no number': cropped(0, 0, Number.NaN, 1),
  'blur radius 512': blurred(512),
  'blur radius 513': blurred(513),
  'packed 8192 wide': packed({ width: 8192 }),
  'packed 8193 wide': packed({ width: 8193 }),
  'packed without frames': packed({ frames: 0 }),
  'packed of many frames': packed({ frames: 2 ** 31 }),
  'packed of too many frames': packed({ frames: 2 ** 31 + 1 }),
  'packed without a rate': packed({ fps: 0 }),
  'packed at an endless rate': packed({ fps: Number.POSITIVE_INFINITY }),
  'packed from half a byte': packed({ offset: 0.5 }),
  'no pictures': { source: { kind: 'images', files: [], fps: 25 } },
  'pictures without a rate': { source: { kind: 'images', files: ['/nowhere/0.png'], fps: Number.NaN } },
  flow: flow({}),
  'flow 8193 high': flow({ height: 8193 }),
  'flow without fields': flow({ frames: 0 }),
};

test('a clip plan is refused by itself exactly when the loader refuses the batch that holds it', async (t) => {
  const loader = loadEngine().createLoader({ threads: 1, cacheBytes: 0 });
  t.teardown(() => loader.dispose());
  for (const [name, change] of Object.entries(changes)) {
    const clip = { ...plan, ...change };
    const view = { name: 'clip', clips: [clip] };
    const refused = await loader.load({ version: 1, views: [view] }).then(
      ({ batch }) => {
        batch.dispose();
        return null;
      },
      (error: Error & { code: string }) => error.code,
    );
    const found = (() => {
      try {
        checkClipPlan(clip);
        return null;
      } catch (error) {
        t.true((error as Error).message.includes('nowhere') || name === 'no pictures', name);
        return (error as { code: string }).code;
      }
    })();
    t.is(refused, found === null ? null : 'ERR_VSSL_INVALID_ARGUMENT', name);
    t.true(found === null || found === 'ERR_VSSL_VIDEO_PLAN', name);
  }
});

test('the limits are those of the loader and of the configuration', (t) => {
  const source = readFileSync(join(packageRoot, 'native/video/plan.cpp'), 'utf8');
  const limit = (name: string) => Number(new RegExp(`${name} = (\\d+)`).exec(source)?.[1]);
  t.deepEqual(CLIP_LIMITS, {
    frames: limit('kMaxFrames'),
    side: limit('kMaxSide'),
    shrink: limit('kMaxShrink'),
    blurRadius: limit('kMaxRadius'),
  });
  const accepts = (data: object) => baseConfigSchema.shape.data.safeParse(data).success;
  const { frames, side, shrink } = CLIP_LIMITS;
  t.true(accepts({ shrink, clip: { frames, size: side } }));
  for (const data of [{ shrink: shrink + 1 }, { clip: { frames: frames + 1 } }, { clip: { size: side + 1 } }])
    t.false(accepts(data), JSON.stringify(data));
});

test('the automatic shrink of a picture of any size is one that the loader takes', (t) => {
  t.is(chooseShrink('auto', 7680, 7680, 64), 64);
  for (const side of [1, 100, 7168, 7680, 11585, 2 ** 27])
    for (const size of [8, 16, 112]) {
      const shrink = chooseShrink('auto', side, 2 * side, size);
      t.notThrows(() => checkClipPlan({ ...plan, shrink }));
    }
});
