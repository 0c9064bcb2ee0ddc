/**
 * What lies between two clips, read off their plans: CATE's encodings. Each is what leads from a clip to another one as
 * seen from the first, `read(own, other)`; of a clip and itself it is all zeros.
 */
import type { ArrayRow, ClipPlan, ColorOp, FrameAugment } from '../data/plan.js';

export const ENCODINGS = ['time', 'crop', 'flip', 'speed', 'colour'] as const;
export type EncodingName = (typeof ENCODINGS)[number];

export interface EncodingOptions {
  /** sign: -1, 0 or 1; magnitude: without its sign; both: with it. */
  readonly timeForm: 'sign' | 'magnitude' | 'both';
  /** Seconds that count as 1; longer shifts do too. */
  readonly timeScale: number;
  /** view: mirrored with the clip that reads it; picture: as the boxes lie in the video. */
  readonly cropFrame: 'view' | 'picture';
}

/** An encoding as the engine makes a token of it: `size` numbers, or one that picks a row of a table of `size`. */
export interface Encoding {
  readonly size: number;
  readonly table: boolean;
  readonly read: (own: ClipPlan, other: ClipPlan, options: EncodingOptions) => readonly number[];
}

const ENCODING_OF: Readonly<Record<EncodingName, Encoding>> = {
  time: { size: 1, table: false, read: readTime },
  crop: { size: 4, table: false, read: readCrop },
  flip: {
    size: 2,
    table: true,
    read: (own, other) => [augmentOf(own).flip === augmentOf(other).flip ? 0 : 1],
  },
  speed: { size: 1, table: false, read: (own, other) => [logStep(other) - logStep(own)] },
  colour: { size: 5, table: false, read: readColour },
};

/** Tokens of the head, in the order in which `readEncodings` puts their numbers. */
export function tokensOf(names: readonly EncodingName[]): { name: string; size: number; table: boolean }[] {
  return names.map((name) => ({ name, size: ENCODING_OF[name].size, table: ENCODING_OF[name].table }));
}

/** The numbers of one clip of a pair, those of all encodings side by side. */
export function readRelation(
  names: readonly EncodingName[],
  own: ClipPlan,
  other: ClipPlan,
  options: EncodingOptions,
): number[] {
  return names.flatMap((name) => ENCODING_OF[name].read(own, other, options));
}

/** Of a pair of clips, (2, numbers): what leads from the first to the second, and back. */
export function readEncodings(
  names: readonly EncodingName[],
  [first, second]: readonly [ClipPlan, ClipPlan],
  options: EncodingOptions,
): ArrayRow {
  const values = [
    ...readRelation(names, first, second, options),
    ...readRelation(names, second, first, options),
  ];
  return { name: 'encodings', dtype: 'float32', shape: [2, values.length / 2], values };
}

function readTime(own: ClipPlan, other: ClipPlan, { timeForm, timeScale }: EncodingOptions): number[] {
  const shift = other.times[0]! - own.times[0]!;
  if (timeForm === 'sign') return [Math.sign(shift)];
  const scaled = Math.max(-1, Math.min(1, shift / timeScale));
  return [timeForm === 'magnitude' ? Math.abs(scaled) : scaled];
}

/**
 * Differences of the corners x0, y0, x1, y1 of the crop boxes in fractions of the picture. A clip that is flipped shows
 * the picture mirrored, so in its own frame both boxes are: what lies to the right in the video lies to its left.
 */
function readCrop(own: ClipPlan, other: ClipPlan, { cropFrame }: EncodingOptions): number[] {
  const from = augmentOf(own);
  const mirrored = cropFrame === 'view' && from.flip;
  const box = ({ crop: [x0, y0, x1, y1] }: FrameAugment) =>
    mirrored ? [-x1, y0, -x0, y1] : [x0, y0, x1, y1];
  const start = box(from);
  return box(augmentOf(other)).map((corner, i) => corner - start[i]!);
}

const NEUTRAL = { brightness: 1, contrast: 1, saturation: 1, hue: 0 } as const;

/** Differences of the four factors, in the order of NEUTRAL, and whether one of the two alone is gray. */
function readColour(own: ClipPlan, other: ClipPlan): number[] {
  const factor = ({ color }: FrameAugment, op: ColorOp['op']) =>
    color.find((operation) => operation.op === op)?.value ?? NEUTRAL[op];
  const [a, b] = [augmentOf(own), augmentOf(other)];
  const differences = (Object.keys(NEUTRAL) as ColorOp['op'][]).map((op) => factor(b, op) - factor(a, op));
  return [...differences, a.gray === b.gray ? 0 : 1];
}

/** Base-2 logarithm of the seconds from one frame of a clip to the next; where a short video starts again is left out. */
function logStep({ times }: ClipPlan): number {
  const steps = times.slice(1).flatMap((time, i) => (time > times[i]! ? [time - times[i]!] : []));
  return steps.length === 0 ? 0 : Math.log2(steps.reduce((sum, step) => sum + step, 0) / steps.length);
}

function augmentOf({ augment }: ClipPlan): FrameAugment {
  return augment[0]!;
}
