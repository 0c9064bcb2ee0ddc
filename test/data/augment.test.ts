import test from 'ava';
import { blurRadiusOf, drawAugment } from '#src/data/augment/draw-augment.js';
import type { AugmentOptions } from '#src/data/augment/options.js';
import { drawCrop } from '#src/data/augment/random-crop.js';
import { centerSquare, squareCrops } from '#src/data/augment/square-crops.js';
import type { VideoFacts } from '#src/data/plan.js';
import { Rng } from '#src/data/rng.js';
import { bareRow } from '#src/data/rows.js';
import { loadConfig } from '#src/methods/config.js';
import { planClips } from '../helpers/view-context.js';

/** CVRL's recipe. */
const CVRL: AugmentOptions = {
  crop: { area: [0.3, 1], aspect: [0.5, 2], attempts: 100, minCovered: 0.1 },
  flip: 0.5,
  jitter: { p: 0.8, brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.2 },
  gray: 0.2,
  blur: { p: 0.5, sigma: [0.1, 2], radius: 'auto' },
  solarize: { p: 0, threshold: 0.5 },
  asymmetric: false,
  perFrame: false,
  background: 'own',
  fame: { share: 0.5, mask: 'refined', views: 'first' },
};
const TARGET = { width: 340, height: 256, size: 224, frames: 16, view: 0 };

function draws(options: AugmentOptions, n: number, view = 0) {
  return Array.from(
    { length: n },
    (_, i) => drawAugment(options, { ...TARGET, view }, new Rng('draw', i))[0]!,
  );
}

const BLENDED = bareRow('a', '/a.mp4', { kind: 'file', path: '/a.mp4' });
const FACTS: VideoFacts = {
  ...{ path: '/a.mp4', codec: 'h264', width: 320, height: 240, end: 4, warnings: [] },
  times: Float64Array.from({ length: 100 }, (_, i) => i / 25),
};

test('crops are whole pixels within the picture, with area and aspect in range', (t) => {
  for (const [width, height] of [
    [340, 256],
    [256, 340],
    [1920, 1080],
    [64, 64],
    [30, 200],
  ] as const) {
    let area = 0;
    for (let i = 0; i < 2000; i++) {
      const [x0, y0, x1, y1] = drawCrop(width, height, CVRL.crop!, new Rng(width, height, i));
      t.true(x0 >= 0 && y0 >= 0 && x1 <= 1 && y1 <= 1 && x1 > x0 && y1 > y0);
      const w = (x1 - x0) * width;
      const h = (y1 - y0) * height;
      t.true(Math.abs(w - Math.round(w)) < 1e-9 && Math.abs(h - Math.round(h)) < 1e-9);
      const fraction = (w * h) / (width * height);
      t.true(fraction >= 0.3 - 1e-9);
      area += fraction;
      const whole = w === width && h === height;
      // Half a pixel of rounding on the width.
      if (!whole) t.true(w >= 0.5 * h - 0.51 && w <= 2 * h + 0.51, `${w} x ${h}`);
    }
    t.true(area / 2000 > 0.4 && area / 2000 < 0.75, `${width} x ${height}: ${area / 2000}`);
  }
});

test('on a square, heights are uniform between those of the smallest and largest area', (t) => {
  const side = 400;
  const n = 20000;
  const heights: number[] = [];
  for (let i = 0; i < n; i++) {
    const [, y0, , y1] = drawCrop(
      side,
      side,
      { area: [0.25, 0.64], aspect: [1, 1], attempts: 100, minCovered: 0.1 },
      new Rng('h', i),
    );
    heights.push(Math.round((y1 - y0) * side));
  }
  t.is(Math.min(...heights), 200);
  t.is(Math.max(...heights), 320);
  const counts = new Array<number>(121).fill(0);
  for (const h of heights) counts[h - 200]!++;
  const chi = counts.reduce((sum, c) => sum + (c - n / 121) ** 2 / (n / 121), 0);
  t.true(chi < 190, String(chi));
});

test('a crop that cannot be had falls back to the whole picture', (t) => {
  const impossible = { area: [0.9, 1] as const, aspect: [4, 4] as const, attempts: 100, minCovered: 0.1 };
  t.deepEqual(drawCrop(100, 100, impossible, new Rng(0)), [0, 0, 1, 1]);
  t.deepEqual(drawCrop(1, 1, CVRL.crop!, new Rng(0)), [0, 0, 1, 1]);
  const uncovered = { area: [0.01, 0.05] as const, aspect: [1, 1] as const, attempts: 10, minCovered: 0.1 };
  t.deepEqual(drawCrop(100, 100, uncovered, new Rng(0)), [0, 0, 1, 1]);
});

test('probabilities and ranges are CVRL’s', (t) => {
  const n = 8000;
  const all = draws(CVRL, n);
  const share = (count: number) => count / n;
  const near = (x: number, p: number) => t.true(Math.abs(x - p) < 0.02, `${x} is not about ${p}`);
  near(share(all.filter((a) => a.flip).length), 0.5);
  near(share(all.filter((a) => a.gray).length), 0.2);
  near(share(all.filter((a) => a.color.length > 0).length), 0.8);
  near(share(all.filter((a) => a.blur > 0).length), 0.5);
  t.true(all.every((a) => a.solarize === null));

  const limits = {
    brightness: [0.2, 1.8],
    contrast: [0.2, 1.8],
    saturation: [0.2, 1.8],
    hue: [-0.2, 0.2],
  } as const;
  const orders = new Set<string>();
  for (const op of ['brightness', 'contrast', 'saturation', 'hue'] as const) {
    const values = all.flatMap((a) => a.color.filter((c) => c.op === op).map((c) => c.value));
    const [low, high] = limits[op];
    t.true(values.every((v) => v >= low && v <= high));
    t.true(
      Math.min(...values) < low + 0.01 * (high - low) && Math.max(...values) > high - 0.01 * (high - low),
    );
    near(values.reduce((s, v) => s + v, 0) / values.length / (high - low), (low + high) / 2 / (high - low));
  }
  for (const a of all) if (a.color.length > 0) orders.add(a.color.map((c) => c.op).join());
  t.is(orders.size, 24);
  t.true(all.every((a) => a.color.length === 0 || a.color.length === 4));

  const sigmas = all.filter((a) => a.blur > 0).map((a) => a.blur);
  t.true(sigmas.every((s) => s >= 0.1 && s <= 2));
  t.true(Math.min(...sigmas) < 0.12 && Math.max(...sigmas) > 1.98);
  t.true(all.every((a) => a.blurRadius === (a.blur > 0 ? 11 : 0)));
});

test('the final release: view 1 always blurs, the others seldom and then solarise', (t) => {
  const options = { ...CVRL, asymmetric: true };
  const first = draws(options, 4000, 0);
  const second = draws(options, 4000, 1);
  t.true(first.every((a) => a.blur > 0 && a.solarize === null));
  t.true(Math.abs(second.filter((a) => a.blur > 0).length / 4000 - 0.1) < 0.02);
  t.true(Math.abs(second.filter((a) => a.solarize === 0.5).length / 4000 - 0.2) < 0.025);
});

test('one entry a clip; per frame, as many as frames and all different', (t) => {
  t.is(drawAugment(CVRL, TARGET, new Rng(1)).length, 1);
  const perFrame = drawAugment({ ...CVRL, perFrame: true }, TARGET, new Rng(1));
  t.is(perFrame.length, 16);
  t.is(new Set(perFrame.map((a) => JSON.stringify(a.crop))).size, 16);
  const sameCrop = drawAugment({ ...CVRL, perFrame: 'same-crop' }, TARGET, new Rng(1));
  const [clip] = drawAugment(CVRL, TARGET, new Rng(1));
  t.deepEqual(
    sameCrop,
    perFrame.map((frame) => ({ ...frame, crop: clip!.crop })),
  );
});

test('changing one range moves no other draw', (t) => {
  for (let i = 0; i < 50; i++) {
    const [a] = drawAugment(CVRL, TARGET, new Rng(i));
    const [b] = drawAugment({ ...CVRL, crop: null, blur: { ...CVRL.blur, p: 0 } }, TARGET, new Rng(i));
    t.is(a!.flip, b!.flip);
    t.is(a!.gray, b!.gray);
    t.deepEqual(a!.color, b!.color);
    t.deepEqual(b!.crop, centerSquare(TARGET.width, TARGET.height));
    t.is(b!.blur, 0);
  }
});

test('strengths above 1 do not make negative factors, strength 0 leaves the operation out', (t) => {
  const strong = draws({ ...CVRL, jitter: { p: 1, brightness: 2, contrast: 0, saturation: 0, hue: 0 } }, 500);
  t.true(strong.every((a) => a.color.length === 1 && a.color[0]!.op === 'brightness'));
  t.true(strong.every((a) => a.color[0]!.value >= 0 && a.color[0]!.value <= 3));
});

test('golden draw: plans of a seed never change', (t) => {
  t.deepEqual(drawAugment(CVRL, TARGET, new Rng(2, 'golden')), [
    {
      crop: [0.19117647058823528, 0, 0.9205882352941176, 0.9765625],
      flip: true,
      color: [
        { op: 'brightness', value: 1.6473419218796648 },
        { op: 'saturation', value: 1.139736913704847 },
        { op: 'hue', value: -0.09208307595672403 },
        { op: 'contrast', value: 0.33762538452618746 },
      ],
      gray: false,
      blur: 0,
      blurRadius: 0,
      solarize: null,
    },
  ]);
});

test('blur radius: 23 taps at 224, at least 3', (t) => {
  t.deepEqual([224, 112, 64, 32, 8].map(blurRadiusOf), [11, 5, 3, 1, 1]);
});

test('evaluation crops', (t) => {
  t.deepEqual(centerSquare(400, 200), [0.25, 0, 0.75, 1]);
  t.deepEqual(centerSquare(200, 400), [0, 0.25, 1, 0.75]);
  t.deepEqual(squareCrops(400, 200, 3), [
    [0, 0, 0.5, 1],
    [0.25, 0, 0.75, 1],
    [0.5, 0, 1, 1],
  ]);
  t.deepEqual(squareCrops(50, 50, 1), [[0, 0, 1, 1]]);
  t.throws(() => squareCrops(50, 50, 2), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});

test('a still frame and a part of the mean: drawn for each clip, and nothing else changes', (t) => {
  const plan = (set: string[], seed: number) => {
    const config = loadConfig({ preset: 'simclr-tiny', set: ['data.input=rgb', ...set] });
    return planClips(config, { row: BLENDED, facts: FACTS, rng: new Rng(seed) }).map(({ clip }) => clip);
  };
  const both = ['data.augment.still={p: 0.5, weight: [0.1, 0.4]}', 'data.augment.meanRemoval.p=1'];
  let stills = 0;
  const frames = new Set<number>();
  for (let seed = 0; seed < 200; seed++) {
    const plain = plan([], seed);
    t.true(plain.every(({ blend }) => blend === undefined));
    const blended = plan(both, seed);
    blended.forEach(({ blend, ...rest }, view) => {
      t.deepEqual(rest, plain[view]);
      t.true(blend!.mean > 0 && blend!.mean < 1);
      t.true(blend!.still === 0 || (blend!.still >= 0.1 && blend!.still <= 0.4));
      if (blend!.still > 0) stills++;
      frames.add(blend!.frame);
    });
    t.notDeepEqual(blended[0]!.blend, blended[1]!.blend);
  }
  t.true(Math.abs(stills - 200) < 45, String(stills));
  t.deepEqual([...frames].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
  t.throws(() => loadConfig({ preset: 'simclr-tiny', set: ['data.augment.still.p=0.5'] }), {
    code: 'ERR_VSSL_CONFIG',
    message: /data\.augment\.still\.p.*temporal-mean-removed/,
  });
});
