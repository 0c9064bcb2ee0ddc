/** What has to be done for an index to hold what its data holds: each video is new, changed, moved, gone, or as it was. */
import type { VideoRow } from '../data/rows.js';
import { rowStamp } from '../data/source-key.js';
import { fingerprint } from './fingerprint.js';
import type { IndexEntry, IndexedVideo, VideoName } from './index-options.js';
import { keyOf } from './row-lines.js';

/** A row of the data, and what an index says of it beside its vectors. */
export interface PlannedVideo {
  readonly row: VideoRow;
  readonly about: Omit<IndexEntry, 'windows'>;
}

export interface IndexPlan {
  /** To be embedded. */
  readonly added: readonly PlannedVideo[];
  readonly changed: readonly PlannedVideo[];
  /** Known under another name, or touched: the same content. */
  readonly moved: readonly (PlannedVideo & { readonly from: VideoName })[];
  /** No longer in the data. */
  readonly gone: readonly VideoName[];
  readonly unchanged: number;
  /** Left for later: they are still being written. */
  readonly unsettled: number;
}

export interface PlanOptions {
  /** All rows of the data: what is not among them is gone. */
  readonly rows: readonly VideoRow[];
  /** Those that are asked for. */
  readonly wanted: readonly VideoRow[];
  /** Name of the data; videos of other data are left alone. */
  readonly data: string;
  readonly known: AsyncIterable<IndexedVideo>;
  /** Files that were changed less than this many milliseconds ago are left for later. */
  readonly settleMs: number;
}

export async function planIndex({ rows, wanted, data, known, settleMs }: PlanOptions): Promise<IndexPlan> {
  const before = new Map<string, IndexedVideo>();
  for await (const video of known) before.set(keyOf(video), video);
  const keys = new Set(rows.map((row) => keyOf(nameOf(row))));
  const stamps = await stampsOf(wanted);
  const isSame = (row: VideoRow) => before.get(keyOf(nameOf(row)))?.stamp === stamps.get(row);
  const same = new Set(wanted.filter(isSame).map((row) => keyOf(nameOf(row))));
  // vectors that stay what they are until all is done: others may get new ones before somebody takes them
  const byPrint = new Map<string, IndexedVideo>();
  for (const [key, video] of before)
    if (video.print !== undefined && (same.has(key) || !keys.has(key)))
      byPrint.set(printKey(video.print, video), video);

  const plan = {
    added: [] as PlannedVideo[],
    changed: [] as PlannedVideo[],
    moved: [] as Moved[],
    unsettled: 0,
  };
  for (const row of wanted) {
    const name = nameOf(row);
    if (same.has(keyOf(name))) continue;
    const stamp = stamps.get(row)!;
    if (isFresh(stamp, settleMs)) {
      plan.unsettled++;
      continue;
    }
    const print = await fingerprint(row.source);
    const video = { row, about: aboutOf(row, { data, stamp, print }) };
    const old = before.get(keyOf(name));
    // a file that was touched, and nothing more, is its own source
    const touched = old?.print !== undefined && old.print === print ? old : undefined;
    const from = touched ?? (print === null ? undefined : byPrint.get(printKey(print, name)));
    if (from) plan.moved.push({ ...video, from: nameOfRecord(from) });
    else plan[old ? 'changed' : 'added'].push(video);
  }
  const gone = [...before.values()].filter((video) => video.data === data && !keys.has(keyOf(video)));
  return { ...plan, gone: gone.map(nameOfRecord), unchanged: same.size };
}

/** Files that are asked for at once. */
const AT_ONCE = 256;

async function stampsOf(rows: readonly VideoRow[]): Promise<Map<VideoRow, string>> {
  const stamps = new Map<VideoRow, string>();
  for (let from = 0; from < rows.length; from += AT_ONCE) {
    const some = rows.slice(from, from + AT_ONCE);
    for (const [i, stamp] of (await Promise.all(some.map(rowStamp))).entries()) stamps.set(some[i]!, stamp);
  }
  return stamps;
}

type Moved = PlannedVideo & { readonly from: VideoName };

function nameOf({ path, start, end }: VideoRow): VideoName {
  return start === undefined && end === undefined ? { path } : { path, part: [start ?? null, end ?? null] };
}

function nameOfRecord({ path, part }: IndexedVideo): VideoName {
  return part ? { path, part } : { path };
}

/** Parts of one file have its print, and are videos of their own. */
function printKey(print: string, { part }: VideoName): string {
  return `${print} ${part ?? ''}`;
}

function aboutOf(
  row: VideoRow,
  { data, stamp, print }: { data: string; stamp: string; print: string | null },
): PlannedVideo['about'] {
  const { label, group, extra } = row;
  return {
    ...nameOf(row),
    ...(label !== undefined && { label }),
    ...(group !== undefined && { group }),
    ...(Object.keys(extra).length > 0 && { extra }),
    ...{ data, stamp },
    ...(print !== null && { print }),
  };
}

/** Whether the file was changed a moment ago, by its stamp of size and time. */
function isFresh(stamp: string, settleMs: number): boolean {
  const age = Date.now() - Number(/^\d+:([\d.]+)/.exec(stamp)?.[1] ?? 0);
  return age >= 0 && age < settleMs;
}
