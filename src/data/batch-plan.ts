/** The plan of a batch: made of those of its samples, measured, and in the part that goes into a batch that is there. */
import { VsslError } from '../errors.js';
import { checkClipPlan } from './clip-limits.js';
import {
  type ArrayRow,
  type ArrayView,
  type BatchPlan,
  type ClipView,
  PLAN_VERSION,
  type SideArray,
} from './plan.js';
import type { SamplePlan, ViewPlan } from './views.js';

/** The rows of one name, and the samples that have them. */
interface Column {
  readonly first: ViewPlan;
  readonly samples: number[];
  readonly rows: ViewPlan[];
}

/**
 * What can be said of the plan of one sample. Throws ERR_VSSL_METHOD, naming `method` that made it and the view or side
 * array, and ERR_VSSL_VIDEO_PLAN for a clip that no video of this kind can give.
 */
export function checkSamplePlan(plan: SamplePlan, method: string): void {
  const { views, side = [] } = plan ?? {};
  if (!Array.isArray(views) || views.length === 0)
    throw wrong(method, 'views', 'is no list with at least one view');
  if (!Array.isArray(side)) throw wrong(method, 'side', 'is no list of arrays');
  for (const row of views as readonly ViewPlan[])
    if (row.clip) checkClipPlan(row.clip);
    else checkArray(row, method);
  for (const row of side) checkArray(row, method);
}

function checkArray({ name, dtype, shape, values }: ArrayRow, method: string): void {
  if (dtype !== 'float32' && dtype !== 'int64')
    throw wrong(method, name, `has the dtype '${dtype}'; expected float32 or int64`);
  if (!Array.isArray(shape) || !Array.isArray(values))
    throw wrong(method, name, 'has no list of numbers as its shape, or none as its values');
  if (!shape.every((size) => Number.isInteger(size) && size >= 1))
    throw wrong(method, name, `has the shape [${shape.join(', ')}]; expected whole numbers from 1`);
  if (values.length !== sizeOf(shape))
    throw wrong(
      method,
      name,
      `has ${values.length} values; its shape [${shape.join(', ')}] takes ${sizeOf(shape)}`,
    );
  const fits =
    dtype === 'int64' ? Number.isSafeInteger : (value: number) => Number.isFinite(Math.fround(value));
  const bad = values.findIndex((value) => !fits(value));
  if (bad >= 0) throw wrong(method, name, `has the value ${values[bad]}, which is none of ${dtype}`);
}

/**
 * Views and side arrays of samples as those of a batch; names stand in the order in which they are met. `method` made
 * the plans, each of which is sound. Throws ERR_VSSL_METHOD where they do not go together.
 */
export function stackSamples(samples: readonly SamplePlan[], method: string): BatchPlan {
  const views = collect(samples, ({ views }) => views, method);
  const side = collect(samples, ({ side = [] }) => side, method);
  const all = samples.length;
  for (const [name, column] of side) {
    if (views.has(name)) throw wrong(method, name, 'is the name of a view and of a side array');
    const own = column.samples.length;
    if (own < all) throw wrong(method, name, `is a side array of ${own} of ${all} samples; each needs one`);
  }
  const [first] = views.keys();
  if (side.size === 0 && [...views.values()].every(({ samples }) => samples.length < all))
    throw wrong(method, first!, 'is lacking in some samples, and so is every other view; one they all need');
  return {
    version: PLAN_VERSION,
    views: [...views].map(([name, { first, samples, rows }]) => ({
      ...(first.clip ? { name, clips: rows.map(({ clip }) => clip!) } : stackArrays(rows as ArrayRow[])),
      ...(samples.length < all && { rows: samples }),
    })),
    ...(side.size > 0 && { side: [...side.values()].map(({ rows }) => stackArrays(rows as ArrayRow[])) }),
  };
}

function collect(
  samples: readonly SamplePlan[],
  listOf: (sample: SamplePlan) => readonly ViewPlan[],
  method: string,
): Map<string, Column> {
  const columns = new Map<string, Column>();
  samples.forEach((sample, i) => {
    for (const row of listOf(sample)) {
      const { name } = row;
      const column = columns.get(name) ?? { first: row, samples: [], rows: [] };
      if (column.rows.length === 0) columns.set(name, column);
      if (!isAlike(column.first, row))
        throw wrong(method, name, `is ${kindOf(column.first)} in one sample and ${kindOf(row)} in another`);
      if (column.samples.at(-1) === i) throw wrong(method, name, 'stands twice in one sample');
      column.samples.push(i);
      column.rows.push(row);
    }
  });
  return columns;
}

function stackArrays(rows: readonly ArrayRow[]): SideArray {
  const { name, dtype, shape } = rows[0]!;
  return { name, dtype, shape, values: rows.map(({ values }) => values) };
}

/** Whether two rows of one name go together. Asked of every row of every batch: texts are made for errors alone. */
function isAlike(a: ViewPlan, b: ViewPlan): boolean {
  if (!a.clip || !b.clip)
    return !a.clip && !b.clip && a.dtype === b.dtype && a.shape.join() === b.shape.join();
  const { times, height, width } = a.clip;
  return b.clip.times.length === times.length && b.clip.height === height && b.clip.width === width;
}

function kindOf({ clip, ...array }: ViewPlan): string {
  if (clip) return `a clip of ${[clip.times.length, clip.height, clip.width].join(' x ')}`;
  const { dtype, shape } = array as ArrayRow;
  return `${dtype} of [${shape.join(', ')}]`;
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

function wrong(method: string, name: string, why: string): VsslError {
  return new VsslError('ERR_VSSL_METHOD', `planViews of the method '${method}': '${name}' ${why}`, {
    details: { method, name },
  });
}

/**
 * The samples `first` to `first` + `count` of a plan, as a plan of their own: a rank's part of a batch. Views that none
 * of them has are left out.
 */
export function partOf({ version, views, side }: BatchPlan, first: number, count: number): BatchPlan {
  const places = Array.from({ length: count }, (_, i) => first + i);
  const kept = views.map((view) => {
    if (!view.rows) return rowsAt(view, places);
    const own = view.rows.flatMap((sample, row) => (sample >= first && sample < first + count ? [row] : []));
    const rows = own.map((row) => view.rows![row]! - first);
    return { ...rowsAt(view, own), ...(rows.length < count && { rows }) };
  });
  return {
    version,
    views: kept.filter((view) => (view.clips ?? view.values).length > 0),
    ...(side && { side: side.map((array) => valuesAt(array, places)) }),
  };
}

/** A view of these of its rows alone, without saying whose they are. */
function rowsAt({ rows: _, ...view }: ClipView | ArrayView, places: readonly number[]): ClipView | ArrayView {
  return view.clips ? { ...view, clips: places.map((i) => view.clips[i]!) } : valuesAt(view, places);
}

function valuesAt<Array extends SideArray>(array: Array, places: readonly number[]): Array {
  return { ...array, values: places.map((i) => array.values[i]!) };
}

/** Memory that a batch of the plan takes. */
export function batchBytes({ views, side = [] }: BatchPlan): number {
  const ofArray = ({ values, shape, dtype }: SideArray) =>
    values.length * sizeOf(shape) * (dtype === 'int64' ? 8 : 4);
  const ofView = (view: ClipView | ArrayView) => {
    if (!view.clips) return ofArray(view);
    const { times, height, width } = view.clips[0]!;
    return view.clips.length * times.length * height * width * 3 * 4;
  };
  return [...views.map(ofView), ...side.map(ofArray)].reduce((sum, bytes) => sum + bytes, 0);
}

/**
 * The samples `slots` of the plan `after`, to be loaded into the batch that was made of `before`; null where one of them
 * lacks a view or lacked it before, so that the batch has no row for it or one too many.
 */
export function patchOf(before: BatchPlan, after: BatchPlan, slots: readonly number[]): BatchPlan | null {
  const namesOf = ({ views }: BatchPlan) => views.map(({ name }) => name).join();
  const hasAll = ({ views }: BatchPlan) =>
    views.every(({ rows }) => !rows || slots.every((slot) => rows.includes(slot)));
  if (namesOf(before) !== namesOf(after) || !hasAll(before) || !hasAll(after)) return null;
  const { version, views, side } = after;
  return {
    version,
    views: views.map((view) =>
      rowsAt(view, view.rows ? slots.map((slot) => view.rows!.indexOf(slot)) : slots),
    ),
    ...(side && { side: side.map((array) => valuesAt(array, slots)) }),
    slots,
  };
}
