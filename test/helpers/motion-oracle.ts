/**
 * Names the motion of a clip by looking at how things move, knowing of the clips only that the background stands still
 * and that the picture is a torus. What differs from the still background is the thing; where its centre goes gives
 * straight paths, circles and swings; of a thing that stays, its area tells zooming, and matching rings of the picture
 * around its centre, turned against those of a later picture, tells spinning. Nothing is learnt.
 */
import type { SyntheticMotion } from '#src/data/synthetic.js';

/** Pictures between the two that are compared. */
const GAP = 4;
/** Colours nearer than this are the same. */
const SAME = 4;
/** Slower than this, in sides a picture, is standing. */
const STANDING = 0.004;

interface Thing {
  /** Pixels that differ from the background, and their centre on the torus. */
  readonly area: number;
  readonly x: number;
  readonly y: number;
}

/** `frames` is (count, side, side, 3). */
export function nameMotion(frames: Uint8Array, count: number, side: number): SyntheticMotion {
  const background = findBackground(frames, count, side);
  const size = side * side * 3;
  const things = Array.from({ length: count }, (_, t) =>
    findThing(frames.subarray(t * size), background, side),
  );
  const path = things.slice(GAP).map((thing, t) => {
    const before = things[t]!;
    return { dx: shortest(thing.x - before.x, side) / GAP, dy: shortest(thing.y - before.y, side) / GAP };
  });
  if (median(path.map(({ dx, dy }) => Math.hypot(dx, dy))) > STANDING * side) return namePath(path);
  const growth = median(things.slice(GAP).map((thing, t) => Math.log(thing.area / things[t]!.area) / GAP));
  if (Math.abs(growth) > 0.004) return growth > 0 ? 'zoom-in' : 'zoom-out';
  const turns = things.slice(GAP).map((thing, t) => {
    const radius = Math.sqrt(thing.area / Math.PI);
    const picture = (at: number) => frames.subarray(at * size, (at + 1) * size);
    return matchRings(picture(t), picture(t + GAP), side, things[t]!, thing, radius);
  });
  return median(turns) > 0 ? 'spin-clockwise' : 'spin-counterclockwise';
}

/** A straight path keeps direction and speed, a swing keeps its axis, a circle neither. */
function namePath(path: readonly { readonly dx: number; readonly dy: number }[]): SyntheticMotion {
  const sum = (pick: (step: { dx: number; dy: number }) => number) =>
    path.reduce((s, step) => s + pick(step), 0);
  const length = (step: { dx: number; dy: number }) => Math.hypot(step.dx, step.dy);
  const way = sum(length);
  // the double angle is that of an axis, whichever way along it
  const along = sum((s) => (s.dx ** 2 - s.dy ** 2) / (length(s) || 1));
  const across = sum((s) => (2 * s.dx * s.dy) / (length(s) || 1));
  if (Math.hypot(along, across) < 0.88 * way) {
    const curl = path.slice(1).reduce((s, step, i) => s + path[i]!.dx * step.dy - path[i]!.dy * step.dx, 0);
    return curl > 0 ? 'circle-clockwise' : 'circle-counterclockwise';
  }
  const mean = way / path.length;
  const deviation = Math.sqrt(sum((s) => (length(s) - mean) ** 2) / path.length);
  if (deviation > 0.15 * mean) return along > 0 ? 'oscillate-horizontal' : 'oscillate-vertical';
  const eighth = Math.round(
    (4 *
      Math.atan2(
        sum((s) => s.dy),
        sum((s) => s.dx),
      )) /
      Math.PI,
  );
  return DIRECTIONS[(eighth + 8) % 8]!;
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

/** Of each pixel the colour that it has most often; -1 where none comes again: something always moves there. */
function findBackground(frames: Uint8Array, count: number, side: number): Int32Array {
  const out = new Int32Array(side * side).fill(-1);
  for (let p = 0; p < out.length; p++) {
    const seen = new Map<number, number>();
    for (let t = 0; t < count; t++) {
      const at = (t * side * side + p) * 3;
      const color = (frames[at]! << 16) | (frames[at + 1]! << 8) | frames[at + 2]!;
      seen.set(color, (seen.get(color) ?? 0) + 1);
    }
    const [color, times] = [...seen].reduce((best, entry) => (entry[1] > best[1] ? entry : best));
    if (times > 2) out[p] = color;
  }
  return out;
}

function findThing(frame: Uint8Array, background: Int32Array, side: number): Thing {
  let area = 0;
  const sums = [0, 0, 0, 0];
  for (let p = 0; p < background.length; p++) {
    const color = background[p]!;
    const differs =
      color < 0 ||
      Math.abs(frame[3 * p]! - (color >> 16)) > SAME ||
      Math.abs(frame[3 * p + 1]! - ((color >> 8) & 255)) > SAME ||
      Math.abs(frame[3 * p + 2]! - (color & 255)) > SAME;
    if (!differs) continue;
    area++;
    const [x, y] = [(2 * Math.PI * (p % side)) / side, (2 * Math.PI * Math.floor(p / side)) / side];
    for (const [i, value] of [Math.sin(x), Math.cos(x), Math.sin(y), Math.cos(y)].entries())
      sums[i]! += value;
  }
  const place = (sin: number, cos: number) => (Math.atan2(sin, cos) * side) / (2 * Math.PI);
  return { area: Math.max(1, area), x: place(sums[0]!, sums[1]!), y: place(sums[2]!, sums[3]!) };
}

const ANGLES = 90;
const REACH = 14;

/** Steps of 4 degrees clockwise by which rings around `from` match those around `to` best. */
function matchRings(
  a: Uint8Array,
  b: Uint8Array,
  side: number,
  from: Thing,
  to: Thing,
  radius: number,
): number {
  const errors = new Float64Array(2 * REACH + 1);
  for (const share of [0.3, 0.5, 0.7, 0.9, 1.05])
    for (let k = 0; k < ANGLES; k++) {
      const p = colorAt(a, side, from, share * radius, k);
      for (let turn = -REACH; turn <= REACH; turn++) {
        const q = colorAt(b, side, to, share * radius, k + turn);
        for (let c = 0; c < 3; c++) errors[turn + REACH]! += (p[c]! - q[c]!) ** 2;
      }
    }
  return errors.indexOf(Math.min(...errors)) - REACH;
}

/** Linear between pixels. */
function colorAt(frame: Uint8Array, side: number, { x, y }: Thing, radius: number, step: number): number[] {
  const angle = (2 * Math.PI * step) / ANGLES;
  const [px, py] = [x + radius * Math.cos(angle) + side, y + radius * Math.sin(angle) + side];
  const [x0, y0] = [Math.floor(px), Math.floor(py)];
  const [fx, fy] = [px - x0, py - y0];
  const at = (u: number, v: number, c: number) => frame[((v % side) * side + (u % side)) * 3 + c]!;
  return [0, 1, 2].map(
    (c) =>
      (1 - fy) * ((1 - fx) * at(x0, y0, c) + fx * at(x0 + 1, y0, c)) +
      fy * ((1 - fx) * at(x0, y0 + 1, c) + fx * at(x0 + 1, y0 + 1, c)),
  );
}

function shortest(difference: number, side: number): number {
  return difference - side * Math.round(difference / side);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
