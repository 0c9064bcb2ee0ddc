import { checkCount, checkFits, checkRate, heapLimit } from '../checks.js';
import { invalidArgument } from '../errors.js';
import type { ClipSource } from './plan.js';
import { Rng } from './rng.js';

/**
 * A procedural motion set: one textured sprite that moves on a torus over a still background. The class is the motion
 * alone. Place, size, angle, speed and appearance have the same distribution in every class, so a single frame says
 * nothing about the class; and each pair below is the same film run backwards, or with its axes swapped.
 *
 * Order: the enum of native/video/synthetic.h. Directions are as seen on the screen.
 */
export const SYNTHETIC_MOTIONS = [
  'right',
  'left',
  'down',
  'up',
  'down-right',
  'up-left',
  'down-left',
  'up-right',
  'circle-clockwise',
  'circle-counterclockwise',
  'spin-clockwise',
  'spin-counterclockwise',
  'zoom-in',
  'zoom-out',
  'oscillate-horizontal',
  'oscillate-vertical',
] as const;

export type SyntheticMotion = (typeof SYNTHETIC_MOTIONS)[number];

/** Pairs that single frames cannot tell apart. All but the last are time-mirrored, so mean frames cannot either. */
export const SYNTHETIC_PAIRS: readonly (readonly [SyntheticMotion, SyntheticMotion])[] = Array.from(
  { length: SYNTHETIC_MOTIONS.length / 2 },
  (_, i) => [SYNTHETIC_MOTIONS[2 * i] as SyntheticMotion, SYNTHETIC_MOTIONS[2 * i + 1] as SyntheticMotion],
);

/** What a horizontal flip makes of each motion: with flips among the augmentations, these classes merge. */
export const FLIPPED_MOTION: Readonly<Record<SyntheticMotion, SyntheticMotion>> = {
  right: 'left',
  left: 'right',
  down: 'down',
  up: 'up',
  'down-right': 'down-left',
  'up-left': 'up-right',
  'down-left': 'down-right',
  'up-right': 'up-left',
  'circle-clockwise': 'circle-counterclockwise',
  'circle-counterclockwise': 'circle-clockwise',
  'spin-clockwise': 'spin-counterclockwise',
  'spin-counterclockwise': 'spin-clockwise',
  'zoom-in': 'zoom-in',
  'zoom-out': 'zoom-out',
  'oscillate-horizontal': 'oscillate-horizontal',
  'oscillate-vertical': 'oscillate-vertical',
};

/** What a background may have to do with the motion. */
export const SCENES = ['own', 'class', 'shuffled'] as const;

export interface SyntheticOptions {
  /** Appearances of different splits are different: sprites and backgrounds are drawn by split. Default 'train'. */
  readonly split?: string;
  /** Motions to draw from, default all. Clip `index` has motion `index` modulo their number. */
  readonly classes?: readonly SyntheticMotion[];
  /** Different sprites (and as many backgrounds) in a split, default 64: a label must not follow from the sprite. */
  readonly appearances?: number;
  /**
   * own (default): backgrounds have nothing to do with the motion. class: all clips of a motion have one background.
   * shuffled: the same backgrounds, each under any motion. The last two are the same in every split.
   */
  readonly scenes?: (typeof SCENES)[number];
  /** Side of the square pictures in pixels, default 64. */
  readonly pixels?: number;
  /** Length of a clip, default 2. */
  readonly seconds?: number;
  /** Pictures per second, default 25. */
  readonly fps?: number;
  /** Pictures of the split from which sprites are cut, absolute paths; default: sprites are drawn from code. */
  readonly sprites?: readonly string[];
}

/** What a clip shows besides its motion. Colours are red, green and blue from 0 to 1, as text `0.1 0.2 0.3`. */
export interface SyntheticFactors {
  /** Name of the sprite in its split. */
  readonly sprite: string;
  /** Mean colour of the sprite; undefined for one that is cut from a picture. */
  readonly color: string | undefined;
  /** Base colour of the background. */
  readonly background: string;
  /** Picture sides per second. */
  readonly speed: number;
  /** Radius of the sprite in picture sides; undefined for motions that change it. */
  readonly size: number | undefined;
}

/** One clip of the set. */
export interface SyntheticClip {
  readonly source: ClipSource & { readonly kind: 'synthetic' };
  readonly label: SyntheticMotion;
  /** One name for the motions that a horizontal flip makes of one another, such as `right or left`. */
  readonly merged: string;
  readonly seconds: number;
  readonly fps: number;
  /** What was drawn, for probes of what a feature keeps. */
  readonly factors: SyntheticFactors;
}

/** Sprite radius in picture sides; zooming sprites sweep the whole range, the others draw from it. */
const SIZE_RANGE = [0.11, 0.24] as const;
/** Picture sides per second. */
const SPEED_RANGE = [0.2, 0.5] as const;
/** Of circles and swings, in picture sides. */
const RADIUS_RANGE = [0.12, 0.28] as const;
/** Of a set: its rows are made at once, and must fit into memory. */
const MOST_CLIPS = 1_000_000;
/** What a row takes in memory. */
const ROW_BYTES = 2200;
/** Pictures of a clip: a day at 25 a second is as many. */
const MOST_PICTURES = 2 ** 21;

/**
 * Clip `index` of the set: a pure function of (seed, index, options).
 * Throws ERR_VSSL_INVALID_ARGUMENT for options out of range.
 */
export function drawSyntheticSource(
  seed: number,
  index: number,
  options: SyntheticOptions = {},
): SyntheticClip {
  const { split, classes, appearances, scenes, pixels, seconds, fps, sprites } = checkOptions(index, options);
  const label = classes[index % classes.length] as SyntheticMotion;
  const rng = new Rng(seed, 'synthetic', split, index);
  const number = rng.int(sprites.length > 0 ? sprites.length : appearances);
  const own = new Rng(seed, 'synthetic background', split, rng.int(appearances));
  const scene = scenes === 'class' ? index % classes.length : rng.fork('scene').int(classes.length);
  const look = scenes === 'own' ? own : new Rng(seed, 'synthetic scene', scene);
  const speed = uniform(rng, SPEED_RANGE);
  const spriteSize = logUniform(rng, SIZE_RANGE);
  const source = {
    kind: 'synthetic' as const,
    motion: SYNTHETIC_MOTIONS.indexOf(label),
    height: pixels,
    width: pixels,
    x: rng.next(),
    y: rng.next(),
    phase: rng.next(),
    angle: rng.next(),
    speed,
    radius: uniform(rng, RADIUS_RANGE),
    size: spriteSize,
    sizeLow: SIZE_RANGE[0],
    sizeHigh: SIZE_RANGE[1],
    sprite:
      sprites.length > 0
        ? { picture: sprites[number] as string }
        : drawSprite(new Rng(seed, 'synthetic sprite', split, number)),
    background: drawBackground(look),
  };
  const factors = {
    sprite: `sprite${number}`,
    color: 'inner' in source.sprite ? colorText(meanColor(source.sprite)) : undefined,
    background: colorText(source.background.base),
    speed,
    size: label === 'zoom-in' || label === 'zoom-out' ? undefined : spriteSize,
  };
  return { source, label, merged: mergeFlipped(label), seconds, fps, factors };
}

/** `right or left` for both of them, `down` for itself. */
export function mergeFlipped(motion: SyntheticMotion): string {
  const both = SYNTHETIC_MOTIONS.filter((name) => name === motion || name === FLIPPED_MOTION[motion]);
  return both.join(' or ');
}

/** A row of a set that is to be written as real video files. */
export interface SyntheticRow extends SyntheticClip {
  readonly index: number;
  /** 'LABEL/SPLIT_INDEX', without a suffix: a relative path of class folders. */
  readonly name: string;
  /** Presentation times of the file's frames, seconds. */
  readonly times: readonly number[];
}

/** Rows 0 .. count-1 of a set, classes in turn. Render `source` at `times` and write the frames at `fps`. */
export function planSyntheticSet(
  options: SyntheticOptions & { readonly seed: number; readonly count: number },
): SyntheticRow[] {
  const { seed, count, ...rest } = options;
  checkCount('count', count, 1, MOST_CLIPS);
  checkFits('count', `${count} clips`, count * ROW_BYTES, heapLimit());
  const split = rest.split ?? 'train';
  const { seconds, fps } = checkOptions(0, rest);
  const times = Array.from({ length: Math.round(seconds * fps) }, (_, i) => i / fps);
  return Array.from({ length: count }, (_, index) => {
    const clip = drawSyntheticSource(seed, index, rest);
    return { ...clip, index, name: `${clip.label}/${split}_${String(index).padStart(5, '0')}`, times };
  });
}

function checkOptions(index: number, options: SyntheticOptions): Required<SyntheticOptions> {
  const {
    split = 'train',
    classes = SYNTHETIC_MOTIONS,
    appearances = 64,
    scenes = 'own',
    pixels = 64,
    seconds = 2,
    fps = 25,
    sprites = [],
  } = options;
  checkCount('index', index, 0);
  if (classes.length === 0) throw invalidArgument('classes', 'at least one motion', classes);
  for (const name of classes) {
    if (!SYNTHETIC_MOTIONS.includes(name))
      throw invalidArgument('classes', `motions among ${SYNTHETIC_MOTIONS.join(', ')}`, name);
  }
  checkCount('appearances', appearances, 1, 2 ** 32);
  if (!SCENES.includes(scenes)) throw invalidArgument('scenes', SCENES.join(', '), scenes);
  checkCount('pixels', pixels, 8, 4096);
  checkRate('fps', fps);
  if (!(seconds * fps >= 1 && seconds * fps <= MOST_PICTURES))
    throw invalidArgument(
      'seconds',
      `a length of 1 to ${MOST_PICTURES} pictures at ${fps} a second`,
      seconds,
    );
  return { split, classes, appearances, scenes, pixels, seconds, fps, sprites };
}

/** Outline harmonics and two stripe colours that stand out from one another, so that turning can be seen. */
function drawSprite(rng: Rng) {
  const orders = [1, 2, 3, 5];
  const outline = orders.map((order) => [order, 0.05 + 0.1 * rng.next(), rng.next()]);
  const inner = [rng.next(), rng.next(), rng.next()];
  return {
    outline,
    inner,
    outer: inner.map((v) => (v < 0.5 ? v + 0.5 : v - 0.5)),
    stripes: 0.6 + 0.6 * rng.next(),
  };
}

/** Of the two stripe colours, which take equal shares of the sprite. */
function meanColor({
  inner,
  outer,
}: {
  readonly inner: readonly number[];
  readonly outer: readonly number[];
}) {
  return inner.map((v, i) => (v + (outer[i] as number)) / 2);
}

function colorText(color: readonly number[]): string {
  return color.map((v) => v.toFixed(4)).join(' ');
}

/** A muted colour and a few waves that join at the edges of the picture. */
function drawBackground(rng: Rng) {
  const base = [0.3 + 0.4 * rng.next(), 0.3 + 0.4 * rng.next(), 0.3 + 0.4 * rng.next()];
  const waves = Array.from({ length: 4 }, () => {
    const kx = rng.int(7) - 3;
    const ky = rng.int(7) - 3;
    const amplitude = () => 0.16 * (rng.next() - 0.5);
    return [kx, ky, rng.next(), amplitude(), amplitude(), amplitude()];
  });
  return { base, waves };
}

function uniform(rng: Rng, [low, high]: readonly [number, number]): number {
  return low + (high - low) * rng.next();
}

function logUniform(rng: Rng, [low, high]: readonly [number, number]): number {
  return low * (high / low) ** rng.next();
}
