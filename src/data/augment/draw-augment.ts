import type { ColorOp, FrameAugment } from '../plan.js';
import type { Rng } from '../rng.js';
import type { AugmentOptions } from './options.js';
import { drawCrop } from './random-crop.js';
import { centerSquare } from './square-crops.js';

export interface AugmentTarget {
  /** Of the displayed picture, pixels. */
  readonly width: number;
  readonly height: number;
  /** Of the clip, pixels. */
  readonly size: number;
  /** Frames of the clip. */
  readonly frames: number;
  /** Number of the view, from 0: it decides between the two recipes of `asymmetric`. */
  readonly view: number;
}

/** Blur and solarisation of CVRL's final release: (first view), (every other view). */
const ASYMMETRIC = [
  { blur: 1, solarize: 0 },
  { blur: 0.1, solarize: 0.2 },
] as const;

/**
 * Augmentation of one training clip: one entry for all its frames, or with `perFrame` one a frame, the crop among it
 * unless it is `same-crop`. Each kind of draw has a generator of its own, so that changing one range changes nothing
 * else.
 */
export function drawAugment(config: AugmentOptions, target: AugmentTarget, rng: Rng): FrameAugment[] {
  if (!config.perFrame) return [drawFrame(config, target, rng)];
  const frames = Array.from({ length: target.frames }, (_, i) =>
    drawFrame(config, target, rng.fork('frame', i)),
  );
  if (config.perFrame === true) return frames;
  const { crop } = drawFrame(config, target, rng);
  return frames.map((frame) => ({ ...frame, crop }));
}

/** No change but the given crop: evaluation clips. */
export function plainAugment(crop: FrameAugment['crop']): FrameAugment {
  return { crop, flip: false, color: [], gray: false, blur: 0, blurRadius: 0, solarize: null };
}

/** Taps on either side: (size // 10) / 2 as in the authors' code, i.e. 11 at 224; at least 1. */
export function blurRadiusOf(size: number): number {
  return Math.max(1, Math.floor(Math.floor(size / 10) / 2));
}

function drawFrame(config: AugmentOptions, target: AugmentTarget, rng: Rng): FrameAugment {
  const { width, height, size } = target;
  const recipe = ASYMMETRIC[target.view === 0 ? 0 : 1];
  const blurring = rng.fork('blur');
  const blurs = blurring.bool(config.asymmetric ? recipe.blur : config.blur.p);
  const sigma = blurring.uniform(config.blur.sigma[0], config.blur.sigma[1]);
  const solarizes = rng.fork('solarize').bool(config.asymmetric ? recipe.solarize : config.solarize.p);
  return {
    crop: config.crop ? drawCrop(width, height, config.crop, rng.fork('crop')) : centerSquare(width, height),
    flip: rng.fork('flip').bool(config.flip),
    color: drawColor(config.jitter, rng.fork('color')),
    gray: rng.fork('gray').bool(config.gray),
    blur: blurs ? sigma : 0,
    blurRadius: blurs ? (config.blur.radius === 'auto' ? blurRadiusOf(size) : config.blur.radius) : 0,
    solarize: solarizes ? config.solarize.threshold : null,
  };
}

/** The four colour operations in random order, or none; an operation of strength 0 is left out. */
function drawColor(jitter: AugmentOptions['jitter'], rng: Rng): ColorOp[] {
  if (!rng.bool(jitter.p)) return [];
  const operations: { op: ColorOp['op']; value: number; strength: number }[] = [
    { op: 'brightness', value: drawFactor(jitter.brightness, rng), strength: jitter.brightness },
    { op: 'contrast', value: drawFactor(jitter.contrast, rng), strength: jitter.contrast },
    { op: 'saturation', value: drawFactor(jitter.saturation, rng), strength: jitter.saturation },
    { op: 'hue', value: rng.uniform(-jitter.hue, jitter.hue), strength: jitter.hue },
  ];
  return rng
    .shuffle(operations)
    .filter(({ strength }) => strength > 0)
    .map(({ op, value }) => ({ op, value }));
}

function drawFactor(strength: number, rng: Rng): number {
  return rng.uniform(Math.max(0, 1 - strength), 1 + strength);
}
