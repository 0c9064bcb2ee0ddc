/** What a configuration should know of a folder of videos: a look at some of them. */
import { abortReason } from '../checks.js';
import { loadManifest } from '../data/manifest.js';
import type { VideoRow } from '../data/rows.js';
import { abortable } from '../embed/abortable.js';
import { mapAhead } from '../embed/map-ahead.js';
import { readFacts } from '../embed/video-facts.js';
import { isEnvironmentCode, toVsslError, VsslError } from '../errors.js';
import { openEngine } from '../native/load.js';

/** Lowest, tenth part, middle and highest of some numbers. */
export interface Spread {
  readonly least: number;
  readonly low: number;
  readonly middle: number;
  readonly most: number;
}

export interface LookedAt {
  /** Videos in the data. */
  readonly videos: number;
  /** Of them, those that were looked at, and could be used. */
  readonly looked: number;
  readonly unusable: readonly { readonly path: string; readonly reason: string }[];
  readonly seconds: Spread;
  /** Pictures a second. */
  readonly fps: Spread;
  /** Pixels of the shorter side. */
  readonly shortSide: Spread;
  /** Different labels and groups, 0 where there are none. */
  readonly labels: number;
  readonly groups: number;
  readonly warnings: readonly string[];
}

/** Files that are opened at once. */
const AHEAD = 4;

/**
 * Looks at up to `most` videos, evenly spaced over the list. Throws what loadManifest and loading the engine throw, and
 * ERR_VSSL_NO_USABLE_VIDEO when none of them can be used.
 */
export async function lookAtVideos(data: string, most: number, signal?: AbortSignal): Promise<LookedAt> {
  const { rows, warnings } = await loadManifest(data, { signal });
  const engine = await openEngine('cpu');
  const chosen = spread(rows, most);
  const found: Shape[] = [];
  const unusable: { path: string; reason: string }[] = [];
  const look = (row: VideoRow) =>
    abortable(readFacts(engine, row), signal).then(
      (facts) => shapeOf(row, facts),
      (error) => {
        if (signal?.aborted) throw abortReason(signal);
        const fault = toVsslError(error);
        if (isEnvironmentCode(fault.code)) throw fault;
        return fault;
      },
    );
  for await (const [row, shape] of mapAhead(chosen, async (row) => [row, await look(row)] as const, AHEAD))
    if (shape instanceof VsslError) unusable.push({ path: row.path, reason: shape.message });
    else found.push(shape);
  if (found.length === 0)
    throw new VsslError(
      'ERR_VSSL_NO_USABLE_VIDEO',
      `none of the ${chosen.length} videos of ${data} that were looked at can be used: ${unusable[0]?.reason}; 'vssl-native check --data' says what is wrong with each`,
    );
  const countOf = (key: 'label' | 'group') => new Set(rows.flatMap((row) => row[key] ?? [])).size;
  return {
    ...{ videos: rows.length, looked: chosen.length, unusable, warnings },
    seconds: spreadOf(found.map(({ seconds }) => seconds)),
    fps: spreadOf(found.map(({ fps }) => fps)),
    shortSide: spreadOf(found.map(({ shortSide }) => shortSide)),
    labels: countOf('label'),
    groups: countOf('group'),
  };
}

interface Shape {
  readonly seconds: number;
  readonly fps: number;
  readonly shortSide: number;
}

/** Of the row's window, where it has one. */
function shapeOf(row: VideoRow, facts: Awaited<ReturnType<typeof readFacts>>): Shape {
  const { times, end, width, height } = facts;
  const from = Math.max(row.start ?? times[0] ?? 0, times[0] ?? 0);
  const to = Math.min(row.end ?? end, end);
  const whole = end - (times[0] ?? 0);
  return {
    seconds: Math.max(0, to - from),
    fps: whole > 0 ? times.length / whole : 0,
    shortSide: Math.min(width, height),
  };
}

/** `most` of them, evenly spaced. */
function spread<T>(all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, (_, i) => all[Math.floor((i * all.length) / most)]!);
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))]!;
  return { least: at(0), low: at(0.1), middle: at(0.5), most: at(1) };
}
