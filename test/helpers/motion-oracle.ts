/**
 * Names the motion of a clip by block matching: where each block of a picture is found again in a later one, and what
 * these ways have in common. Their mean gives straight paths, circles and swings; of a thing that stays, how they lead
 * away from its centre tells zooming, and how they lead around it tells spinning. Knows that pictures are tori; nothing is
 * learnt.
 */
import type { SyntheticMotion } from '#src/data/synthetic.js';

/** Side of a block, and pixels from one to the next. */
const BLOCK = 8;
const STEP = 4;
/** Pictures between the two that are compared, and from one pair to the next. */
const GAP = 3;
const NEXT = 3;
/** Furthest way of a block within GAP pictures, in sides: half again as fast as anything moves. */
const REACH = 0.09;
/** Slower than this, in sides a picture, is standing. */
const STANDING = 0.0055;

/** Where a block was, and its way. */
interface BlockWay {
  readonly x: number;
  readonly y: number;
  readonly dx: number;
  readonly dy: number;
}

/** What the ways of a picture's blocks have in common. */
interface Motion {
  /** Of the centre, pixels. */
  readonly dx: number;
  readonly dy: number;
  /** Outwards and clockwise, as parts of the distance from the centre. */
  readonly growth: number;
  readonly turn: number;
}

/** `frames` is (count, side, side, 3). Undefined when too few blocks are found again. */
export function nameMotion(frames: Uint8Array, count: number, side: number): SyntheticMotion | undefined {
  const size = side * side * 3;
  const picture = (t: number) => frames.subarray(t * size, (t + 1) * size);
  const motions: Motion[] = [];
  for (let t = 0; t + GAP < count; t += NEXT) {
    const motion = fitMotion(matchBlocks(picture(t), picture(t + GAP), side), side);
    if (motion) motions.push(motion);
  }
  if (motions.length < 3) return undefined;
  if (median(motions.map(length)) > STANDING * side * GAP) return namePath(motions);
  const growth = median(motions.map((motion) => motion.growth));
  const turn = median(motions.map((motion) => motion.turn));
  if (Math.abs(growth) > Math.abs(turn)) return growth > 0 ? 'zoom-in' : 'zoom-out';
  return turn > 0 ? 'spin-clockwise' : 'spin-counterclockwise';
}

/** Ways of the blocks of `a` that are not in their place in `b`, but clearly somewhere. */
function matchBlocks(a: Uint8Array, b: Uint8Array, side: number): BlockWay[] {
  const reach = Math.ceil(REACH * side);
  const ways: BlockWay[] = [];
  for (let y = 0; y < side; y += STEP)
    for (let x = 0; x < side; x += STEP) {
      const errorAt = (dx: number, dy: number, atMost = Infinity) =>
        blockError(a, b, side, x, y, dx, dy, atMost);
      const still = errorAt(0, 0);
      if (still < BLOCK * BLOCK * 3 * 4 ** 2) continue;
      let best = { error: still, dx: 0, dy: 0 };
      for (let dy = -reach; dy <= reach; dy++)
        for (let dx = -reach; dx <= reach; dx++) {
          const error = errorAt(dx, dy, best.error);
          if (error < best.error) best = { error, dx, dy };
        }
      const { error, dx, dy } = best;
      if (error > 0.35 * still) continue;
      ways.push({
        x: x + (BLOCK - 1) / 2,
        y: y + (BLOCK - 1) / 2,
        dx: dx + lowest(errorAt(dx - 1, dy), error, errorAt(dx + 1, dy)),
        dy: dy + lowest(errorAt(dx, dy - 1), error, errorAt(dx, dy + 1)),
      });
    }
  return ways;
}

/** Sum of squared differences between a block and one (dx, dy) away; stops above `atMost`. */
function blockError(
  a: Uint8Array,
  b: Uint8Array,
  side: number,
  x: number,
  y: number,
  dx: number,
  dy: number,
  atMost: number,
): number {
  let sum = 0;
  for (let j = 0; j < BLOCK && sum <= atMost; j++) {
    const rowA = ((y + j) % side) * side;
    const rowB = ((y + j + dy + side) % side) * side;
    for (let i = 0; i < BLOCK; i++) {
      const p = 3 * (rowA + ((x + i) % side));
      const q = 3 * (rowB + ((x + i + dx + side) % side));
      for (let c = 0; c < 3; c++) sum += (a[p + c]! - b[q + c]!) ** 2;
    }
  }
  return sum;
}

/** Place of the lowest point of the parabola through errors at -1, 0 and 1. */
function lowest(before: number, at: number, after: number): number {
  const bend = before - 2 * at + after;
  return bend > 0 ? Math.max(-0.5, Math.min(0.5, (before - after) / (2 * bend))) : 0;
}

/** Least squares of moving, growing and turning at once, without the blocks that do not fit. */
function fitMotion(ways: readonly BlockWay[], side: number): Motion | undefined {
  const [cx, cy] = [torusMean(ways, 'x', side), torusMean(ways, 'y', side)];
  let blocks = ways.map((way) => ({
    ...way,
    x: shortest(way.x - cx, side),
    y: shortest(way.y - cy, side),
  }));
  for (;;) {
    if (blocks.length < 3) return undefined;
    const mean = (key: keyof BlockWay) => blocks.reduce((sum, block) => sum + block[key], 0) / blocks.length;
    const [x, y, dx, dy] = [mean('x'), mean('y'), mean('dx'), mean('dy')];
    let [growth, turn, spread] = [0, 0, 0];
    for (const block of blocks) {
      const [px, py, vx, vy] = [block.x - x, block.y - y, block.dx - dx, block.dy - dy];
      growth += px * vx + py * vy;
      turn += px * vy - py * vx;
      spread += px * px + py * py;
    }
    growth /= spread || 1;
    turn /= spread || 1;
    const errors = blocks.map((block) => {
      const [px, py] = [block.x - x, block.y - y];
      return Math.hypot(block.dx - dx - growth * px + turn * py, block.dy - dy - growth * py - turn * px);
    });
    const limit = Math.max(0.5, 2 * median(errors));
    const fitting = blocks.filter((_, i) => errors[i]! <= limit);
    if (fitting.length === blocks.length) return { dx, dy, growth, turn };
    blocks = fitting;
  }
}

/** A straight path keeps direction and speed, a swing keeps its axis, a circle neither. */
function namePath(path: readonly Motion[]): SyntheticMotion {
  const sum = (of: (step: Motion) => number) => path.reduce((total, step) => total + of(step), 0);
  const way = sum(length);
  // the double angle is that of an axis, whichever way along it
  const along = sum((s) => (s.dx ** 2 - s.dy ** 2) / (length(s) || 1));
  const across = sum((s) => (2 * s.dx * s.dy) / (length(s) || 1));
  if (Math.hypot(along, across) < 0.8 * way) {
    const curl = path.slice(1).reduce((s, step, i) => s + path[i]!.dx * step.dy - path[i]!.dy * step.dx, 0);
    return curl > 0 ? 'circle-clockwise' : 'circle-counterclockwise';
  }
  const mean = way / path.length;
  const deviation = Math.sqrt(sum((s) => (length(s) - mean) ** 2) / path.length);
  if (deviation > 0.15 * mean) return along > 0 ? 'oscillate-horizontal' : 'oscillate-vertical';
  const angle = Math.atan2(
    sum((s) => s.dy),
    sum((s) => s.dx),
  );
  return DIRECTIONS[(Math.round((4 * angle) / Math.PI) + 8) % 8]!;
}

/** Clockwise on the screen, y pointing down. */
const DIRECTIONS = [
  'right',
  'down-right',
  'down',
  'down-left',
  'left',
  'up-left',
  'up',
  'up-right',
] as const satisfies readonly SyntheticMotion[];

function length({ dx, dy }: Motion): number {
  return Math.hypot(dx, dy);
}

function torusMean(ways: readonly BlockWay[], axis: 'x' | 'y', side: number): number {
  let [sin, cos] = [0, 0];
  for (const way of ways) {
    sin += Math.sin((2 * Math.PI * way[axis]) / side);
    cos += Math.cos((2 * Math.PI * way[axis]) / side);
  }
  return (Math.atan2(sin, cos) * side) / (2 * Math.PI);
}

function shortest(difference: number, side: number): number {
  return difference - side * Math.round(difference / side);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
