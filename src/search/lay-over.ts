/**
 * One video laid over another, picture by picture: where in time they agree, what crop of one is the other, and how surely
 * it is the same footage and not the same place. Crops, other sizes, brightness and small changes of pace are undone.
 */
import { type FrameTrack, RATE } from './frame-track.js';
import type { SharedStretch } from './overlap.js';
import {
  COARSE_SIZE,
  type Crop,
  correlation,
  GRID_SIZE,
  type Grid,
  gridOf,
  NOISE,
  resample,
  WHOLE,
} from './resample.js';
import { RichestRun } from './richest-run.js';

export interface Laid extends SharedStretch {
  /** How surely the stretch is the same footage: 0 to 1. */
  readonly likeness: number;
}

/** Paces that are tried; others between them are found from these. */
const PACES = [1, 0.96, 1.04, 0.92, 1.08];
/** Pictures from which on a pace can be told. */
const LEAST_PACED = 4 * RATE;
/** Correlation of two pictures from which on they may be of one scene: at a first look, and when crop and time are known. */
const FIRST_BAR = 0.5;
const BAR = 0.7;
/** Places that are looked at closely. */
const PLACES = 3;
/** Pictures of a stretch by which the crop is found, and by which it is made exact. */
const PROBES = 4;
const FINE_PROBES = 12;
/** Pictures that a long stretch is looked for by, and judged by, spread over it. */
const LOOKED_AT = 4096;
const JUDGED = 512;
/** Pictures beside a stretch that it may turn out to have as well. */
const BESIDE = 8 * RATE;
/** Fewer pictures show no movement: they are enough of a video that has no more. */
const LEAST = 3;
const leastOf = (a: FrameTrack, b: FrameTrack) => Math.min(LEAST, a.count, b.count);
/** Two pictures of one place correlate with 0.9 whatever happens there, so the correlation counts to this power. */
const POWER = 4;
/** Pictures that count as unlike, the more of the shorter video the stretch leaves out: a second of them for nearly all. */
const DOUBT = RATE;

/** Crops that are tried: nine tenths and four fifths of a side, at its beginning, in the middle and at its end. */
const CROPS: readonly Crop[] = [
  WHOLE,
  ...[0.9, 0.8].flatMap((size) => {
    const places = [0, (1 - size) / 2, 1 - size];
    return places.flatMap((y) => places.map((x) => ({ x, y, size })));
  }),
];
const GRIDS: readonly Grid[] = CROPS.map(gridOf);

/**
 * `shifts`: seconds between the beginnings of places that may be the same, second minus first, each to within `near`; null:
 * every place is tried. null is returned where the videos have nothing in common.
 */
export function layOver(
  a: FrameTrack,
  b: FrameTrack,
  shifts: readonly number[] | null,
  near: number,
): Laid | null {
  let best: Judged | null = null;
  for (const place of placesOf(a, b, shifts, near)) {
    const found = registered(a, b, place);
    if (!found) continue;
    const judged = judge(refined(found));
    if (judged && judged.likeness > (best?.likeness ?? 0)) best = judged;
  }
  return best && laidOf(a, b, best);
}

/** Places that were compared in time: pictures from..to of the first, and beside number i of them pace i + offset. */
interface Place {
  readonly pace: number;
  readonly offset: number;
  readonly from: number;
  readonly to: number;
  readonly sum: number;
}

/** The places at which the videos agree most at a first look, in size as they are or with one of them cropped. */
function placesOf(a: FrameTrack, b: FrameTrack, shifts: readonly number[] | null, near: number): Place[] {
  const variants = [
    [a.coarse.whole, b.coarse.whole],
    [a.coarse.middle, b.coarse.whole],
    [a.coarse.whole, b.coarse.middle],
  ] as const;
  const paced = Math.min(a.count, b.count) >= LEAST_PACED;
  const places: Place[] = [];
  for (const pace of paced ? PACES : [1])
    for (const offset of offsetsOf(a, b, pace, shifts, near))
      for (const [x, y] of variants) {
        const place = richestRun(x, y, a.count, b.count, pace, offset);
        if (place && place.to - place.from >= leastOf(a, b) - 1) places.push(place);
      }
  places.sort((p, q) => q.sum - p.sum);
  const kept: Place[] = [];
  for (const place of places) {
    if (kept.length === PLACES) break;
    const middle = (place.from + place.to) / 2;
    const at = ({ pace, offset }: Place) => pace * middle + offset;
    if (kept.every((other) => Math.abs(at(other) - at(place)) > 2)) kept.push(place);
  }
  return kept;
}

/** Numbers of the second's picture beside the first's number 0. */
function offsetsOf(
  a: FrameTrack,
  b: FrameTrack,
  pace: number,
  shifts: readonly number[] | null,
  near: number,
): Iterable<number> {
  const [least, most] = [Math.floor(-pace * (a.count - 1)), b.count - 1];
  if (!shifts) return Array.from({ length: most - least + 1 }, (_, i) => least + i);
  const around = Math.ceil(near * RATE);
  const offsets = new Set<number>();
  for (const shift of shifts) {
    const middle = Math.round(shift * RATE);
    for (let offset = middle - around; offset <= middle + around; offset++)
      if (offset >= least && offset <= most) offsets.add(offset);
  }
  return offsets;
}

/** The run of pictures whose correlation is above the bar by the most in all; null: none is above it. */
function richestRun(
  x: Float32Array,
  y: Float32Array,
  count: number,
  beside: number,
  pace: number,
  offset: number,
): Place | null {
  const first = Math.max(0, Math.ceil((-0.5 - offset) / pace));
  const last = Math.min(count - 1, Math.floor((beside - 0.51 - offset) / pace));
  const step = Math.max(1, Math.ceil((last - first) / LOOKED_AT));
  const run = new RichestRun(first, 0);
  for (let i = first; i <= last; i += step) {
    const j = Math.min(beside - 1, Math.max(0, Math.round(pace * i + offset)));
    let dot = 0;
    const [p, q] = [i * COARSE_SIZE, j * COARSE_SIZE];
    for (let cell = 0; cell < COARSE_SIZE; cell++) dot += x[p + cell]! * y[q + cell]!;
    run.add(i, step * (dot - FIRST_BAR));
  }
  const { from, to, sum } = run;
  return from < 0 ? null : { pace, offset, from, to, sum };
}

/**
 * `cropped`, of which a crop is all of the `other`, and where in time the pictures from..to of it lie: beside the first
 * number `begin` of the other, beside the last number `end`, fractions of a picture included.
 */
interface Registration {
  readonly cropped: FrameTrack;
  readonly other: FrameTrack;
  /** Whether the cropped one is the first video. */
  readonly isFirst: boolean;
  readonly crop: Crop;
  readonly from: number;
  readonly to: number;
  readonly begin: number;
  readonly end: number;
}

/** The crop of one that is most like the other, by a few pictures; null: none is like it. */
function registered(a: FrameTrack, b: FrameTrack, { pace, offset, from, to }: Place): Registration | null {
  const line = (i: number) => pace * i + offset;
  const beside = { from: Math.max(0, line(from)), to: Math.min(b.count - 1, line(to)) };
  const back = (j: number) => (j - offset) / pace;
  const ways: Omit<Registration, 'crop'>[] = [
    { cropped: a, other: b, isFirst: true, from, to, begin: line(from), end: line(to) },
    {
      ...{ cropped: b, other: a, isFirst: false, from: Math.round(beside.from), to: Math.round(beside.to) },
      ...{ begin: back(Math.round(beside.from)), end: back(Math.round(beside.to)) },
    },
  ];
  let best: Registration | null = null;
  let most = FIRST_BAR;
  for (const way of ways) {
    const probes = spread(way.from, way.to, PROBES);
    const wholes = gridsBeside(way, probes);
    for (const [number, grid] of GRIDS.entries()) {
      const mean = likenessOfProbes(way.cropped, probes, grid, wholes);
      if (mean > most + 1e-6) [most, best] = [mean, { ...way, crop: CROPS[number]! }];
    }
  }
  return best;
}

/** Some numbers from..to, evenly. */
function spread(from: number, to: number, most: number): number[] {
  const count = Math.min(most, to - from + 1);
  if (count === 1) return [Math.round((from + to) / 2)];
  return Array.from({ length: count }, (_, i) => Math.round(from + (i * (to - from)) / (count - 1)));
}

/** The other's pictures beside some of the cropped one's, (n, GRID_SIZE): between two, their mean by nearness. */
function gridsBeside({ other, from, to, begin, end }: Omit<Registration, 'crop'>, probes: readonly number[]) {
  const out = new Float32Array(probes.length * GRID_SIZE);
  const rate = to > from ? (end - begin) / (to - from) : 1;
  for (const [number, i] of probes.entries()) {
    const at = Math.min(other.count - 1, Math.max(0, begin + rate * (i - from)));
    const low = Math.floor(at);
    const [p, q] = [low * GRID_SIZE, Math.min(other.count - 1, low + 1) * GRID_SIZE];
    const share = at - low;
    const base = number * GRID_SIZE;
    for (let cell = 0; cell < GRID_SIZE; cell++)
      out[base + cell] = (1 - share) * other.whole[p + cell]! + share * other.whole[q + cell]!;
  }
  return out;
}

const scratch = new Float32Array(GRID_SIZE);

function likenessOfProbes(
  cropped: FrameTrack,
  probes: readonly number[],
  grid: Grid,
  wholes: Float32Array,
): number {
  let sum = 0;
  for (const [number, i] of probes.entries()) {
    resample(cropped.grey, i, grid, scratch, 0);
    sum += correlation(scratch, 0, wholes, number * GRID_SIZE, GRID_SIZE);
  }
  return sum / probes.length;
}

/** Steps of the crop, as shares of the picture's side; of time a quarter of a second for the first. */
const STEPS = [0.025, 0.0125, 0.00625];
const TIME_OF_STEP = (0.25 * RATE) / STEPS[0]!;
const ROUNDS = 6;

/** The crop, the time and the pace nearby that fit best: by steps that get smaller, each taken while it helps. */
function refined(start: Registration): Registration {
  const probes = spread(start.from, start.to, FINE_PROBES);
  let best = start;
  let grid = gridOf(best.crop);
  let wholes = gridsBeside(best, probes);
  let most = likenessOfProbes(best.cropped, probes, grid, wholes);
  for (const step of STEPS)
    for (let round = 0, helped = true; helped && round < ROUNDS; round++) {
      helped = false;
      for (const crop of cropsNear(best.crop, step)) {
        const next = gridOf(crop);
        const mean = likenessOfProbes(best.cropped, probes, next, wholes);
        if (mean <= most + 1e-5) continue;
        [most, best, grid, helped] = [mean, { ...best, crop }, next, true];
        break;
      }
      for (const [begin, end] of timesNear(best, step * TIME_OF_STEP)) {
        const moved = { ...best, begin, end };
        const next = gridsBeside(moved, probes);
        const mean = likenessOfProbes(best.cropped, probes, grid, next);
        if (mean <= most + 1e-5) continue;
        [most, best, wholes, helped] = [mean, moved, next, true];
        break;
      }
    }
  return best;
}

function cropsNear({ x, y, size }: Crop, step: number): Crop[] {
  return [
    { x: x + step, y, size },
    { x: x - step, y, size },
    { x, y: y + step, size },
    { x, y: y - step, size },
    { x: x - step / 2, y: y - step / 2, size: size + step },
    { x: x + step / 2, y: y + step / 2, size: size - step },
  ].filter(
    (crop) =>
      crop.x >= 0 && crop.y >= 0 && crop.size >= 0.75 && Math.max(crop.x, crop.y) + crop.size <= 1 + 1e-9,
  );
}

function timesNear({ from, to, begin, end }: Registration, step: number): [number, number][] {
  const both: [number, number][] = [
    [begin + step, end + step],
    [begin - step, end - step],
  ];
  if (to - from < LEAST_PACED) return both;
  return [...both, [begin, end + step], [begin, end - step], [begin + step, end], [begin - step, end]];
}

interface Judged extends Registration {
  readonly likeness: number;
}

/**
 * All pictures that lie beside one another, and of these the run that is alike. Its likeness is
 *
 *   n / (n + DOUBT (1 - n / m)) * r^POWER * q
 *
 * with n of the shorter video's m pictures in the run, r the mean correlation of the pictures, and q the correlation of what
 * changes in them: each cell against its own mean over the run. Two clips of one place have a high r and no q; pictures
 * that stand still have a q of 1, and r tells.
 */
function judge(found: Registration): Judged | null {
  const { cropped, other, from, to, begin, end } = found;
  const rate = to > from ? (end - begin) / (to - from) : 1;
  // a long video has much else beside the stretch
  const beside = to - from + BESIDE;
  const first = Math.max(0, from - beside, Math.ceil(from + (-0.5 - begin) / rate));
  const last = Math.min(
    cropped.count - 1,
    to + beside,
    Math.floor(from + (other.count - 0.5 - begin) / rate),
  );
  if (last < first) return null;
  const all = spread(first, last, JUDGED);
  const xs = new Float32Array(all.length * GRID_SIZE);
  const grid = gridOf(found.crop);
  for (const [number, i] of all.entries()) resample(cropped.grey, i, grid, xs, number * GRID_SIZE);
  const ys = gridsBeside(found, all);
  const each = Float32Array.from(all, (_, number) =>
    correlation(xs, number * GRID_SIZE, ys, number * GRID_SIZE, GRID_SIZE),
  );
  const run = new RichestRun(0, 0);
  for (const [i, value] of each.entries()) run.add(i, value - BAR);
  const { from: low, to: high } = run;
  if (low < 0) return null;
  const n = all[high]! - all[low]! + 1;
  if (high - low + 1 < leastOf(cropped, other)) return null;
  let sum = 0;
  for (let i = low; i <= high; i++) sum += each[i]!;
  const r = sum / (high - low + 1);
  const q = correlationOfChange(xs, ys, low, high);
  const m = Math.min(cropped.count, other.count);
  const known = n / (n + DOUBT * Math.max(0, 1 - n / m));
  const place = (i: number) => begin + rate * (i - from);
  return {
    ...found,
    ...{ from: all[low]!, to: all[high]!, begin: place(all[low]!), end: place(all[high]!) },
    likeness: known * r ** POWER * Math.max(0, q),
  };
}

/** Correlation of what is left of each picture without its brightness and without each cell's mean over all of them. */
function correlationOfChange(xs: Float32Array, ys: Float32Array, low: number, high: number): number {
  const x = changeOf(xs, low, high);
  const y = changeOf(ys, low, high);
  let [xx, yy, xy] = [0, 0, 0];
  for (const [i, value] of x.entries()) {
    xx += value * value;
    yy += y[i]! * y[i]!;
    xy += value * y[i]!;
  }
  const noise = NOISE * x.length;
  return (xy + noise) / (Math.sqrt(xx * yy) + noise);
}

function changeOf(grids: Float32Array, low: number, high: number): Float32Array {
  const count = high - low + 1;
  const out = grids.slice(low * GRID_SIZE, (high + 1) * GRID_SIZE);
  const means = new Float32Array(GRID_SIZE);
  for (let i = 0; i < count; i++) {
    const picture = out.subarray(i * GRID_SIZE, (i + 1) * GRID_SIZE);
    const brightness = picture.reduce((sum, value) => sum + value, 0) / GRID_SIZE;
    for (let cell = 0; cell < GRID_SIZE; cell++) {
      picture[cell]! -= brightness;
      means[cell]! += picture[cell]! / count;
    }
  }
  for (let i = 0; i < out.length; i++) out[i]! -= means[i % GRID_SIZE]!;
  return out;
}

function laidOf(a: FrameTrack, b: FrameTrack, { likeness, isFirst, from, to, begin, end }: Judged): Laid {
  const one = [from, to] as const;
  const two = [begin, end] as const;
  const [inA, inB] = isFirst ? [one, two] : [two, one];
  const paceOf = inA[1] > inA[0] ? (inB[1] - inB[0]) / (inA[1] - inA[0]) : 1;
  return { likeness, first: secondsOf(a, inA), second: secondsOf(b, inB), pace: paceOf };
}

/** From the beginning of one picture to the end of another; at both ends of the video all of it. */
function secondsOf(
  { start, end, count }: FrameTrack,
  [from, to]: readonly [number, number],
): [number, number] {
  const at = (picture: number) => Math.min(end, Math.max(start, start + picture / RATE));
  return [from < 0.5 ? start : at(from), to > count - 1.5 ? end : at(to + 1)];
}
