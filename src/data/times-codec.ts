/** Time stamps as a short piece of JSON: whole ticks as runs of equal steps, or the plain numbers when they are none. */
export type EncodedTimes =
  | readonly number[]
  | {
      /** Ticks a second, or seconds a tick when `per` is 'tick'. */
      readonly unit: number;
      readonly per: 'second' | 'tick';
      readonly first: number;
      /** step, count, step, count... */
      readonly runs: readonly number[];
    };

/** Time bases that containers use: ticks a second... */
const RATES = [
  1000, 90000, 12800, 15360, 10240, 16384, 11988, 25, 30, 24, 50, 60, 600, 24000, 30000, 60000, 48000, 1e6,
];
/** ...and seconds a tick. */
const TICKS = [...RATES.map((rate) => 1 / rate), 1001 / 30000, 1001 / 24000, 1001 / 60000];

/** Pictures that any one video may have, as in native/video/index.cpp: a run must not ask for all the memory. */
const MOST_TIMES = 4_000_000;

/** The exact bits come back from decodeTimes. */
export function encodeTimes(times: Float64Array): EncodedTimes {
  for (const unit of RATES) {
    const ticks = toTicks(
      times,
      (t) => Math.round(t * unit),
      (tick) => tick / unit,
    );
    if (ticks) return { unit, per: 'second', ...toRuns(ticks) };
  }
  for (const unit of TICKS) {
    const ticks = toTicks(
      times,
      (t) => Math.round(t / unit),
      (tick) => tick * unit,
    );
    if (ticks) return { unit, per: 'tick', ...toRuns(ticks) };
  }
  return Array.from(times);
}

/** The times, finite numbers; null for what encodeTimes cannot have made. */
export function decodeTimes(encoded: unknown): Float64Array | null {
  if (Array.isArray(encoded)) return encoded.every(isFiniteNumber) ? Float64Array.from(encoded) : null;
  if (typeof encoded !== 'object' || encoded === null) return null;
  const { unit, per, first, runs } = encoded as Record<string, unknown>;
  if (!isFiniteNumber(unit) || unit <= 0 || !isFiniteNumber(first) || !Array.isArray(runs)) return null;
  if ((per !== 'second' && per !== 'tick') || runs.length % 2 !== 0 || !runs.every(isFiniteNumber))
    return null;
  const pairs = runs as readonly number[];
  const counts = pairs.filter((_, i) => i % 2 === 1);
  if (!counts.every((n) => Number.isSafeInteger(n) && n > 0 && n < MOST_TIMES)) return null;
  const count = counts.reduce((sum, n) => sum + n, 1);
  if (count > MOST_TIMES) return null;
  const times = new Float64Array(count);
  let tick = first;
  let at = 0;
  times[at++] = per === 'second' ? tick / unit : tick * unit;
  for (let r = 0; r < pairs.length; r += 2) {
    for (let i = 0; i < (pairs[r + 1] as number); i++) {
      tick += pairs[r] as number;
      times[at++] = per === 'second' ? tick / unit : tick * unit;
    }
  }
  return times.every(isFiniteNumber) ? times : null;
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** Whole ticks that give back every time to the last bit, or null. */
function toTicks(
  times: Float64Array,
  encode: (time: number) => number,
  decode: (tick: number) => number,
): number[] | null {
  if (times.length === 0) return null;
  const ticks: number[] = [];
  for (const time of times) {
    const tick = encode(time);
    if (!Object.is(decode(tick), time) || !Number.isSafeInteger(tick)) return null;
    ticks.push(tick);
  }
  return ticks;
}

function toRuns(ticks: readonly number[]): { first: number; runs: number[] } {
  const runs: number[] = [];
  for (let i = 1; i < ticks.length; i++) {
    const step = (ticks[i] as number) - (ticks[i - 1] as number);
    if (runs.length > 0 && runs[runs.length - 2] === step)
      runs[runs.length - 1] = (runs[runs.length - 1] as number) + 1;
    else runs.push(step, 1);
  }
  return { first: ticks[0] as number, runs };
}
