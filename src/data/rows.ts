import type { ClipSource, VideoFacts } from './plan.js';

/** One video of a data set. */
export interface VideoRow {
  /** Stable name inside its manifest, the same on any machine: relative path, and the window when it has one. */
  readonly id: string;
  /** Absolute path of the file or of the folder of pictures; for a synthetic clip its id. For messages and results. */
  readonly path: string;
  readonly label: string | undefined;
  readonly group: string | undefined;
  /** Only pictures shown at or after `start` and before `end` (seconds of the file) belong to the row. */
  readonly start: number | undefined;
  readonly end: number | undefined;
  /** Further columns of the manifest, as they came. */
  readonly extra: Readonly<Record<string, unknown>>;
  readonly source: ClipSource;
  /** Of sources that need no looking into. */
  readonly facts?: VideoFacts;
}

/** What a row says of its video, wherever that lies. */
export type RowDetails = Pick<VideoRow, 'id' | 'label' | 'group' | 'start' | 'end' | 'extra'>;

/**
 * A row whose path and source are made when they are asked for, since there may be ten million of them. They are no
 * fields of its own, so a spread does not copy them.
 */
export abstract class LazyRow implements VideoRow {
  readonly id: string;
  readonly label: string | undefined;
  readonly group: string | undefined;
  readonly start: number | undefined;
  readonly end: number | undefined;
  readonly extra: VideoRow['extra'];

  constructor(said: RowDetails) {
    this.id = said.id;
    this.label = said.label;
    this.group = said.group;
    this.start = said.start;
    this.end = said.end;
    this.extra = said.extra;
  }

  abstract get path(): string;
  abstract get source(): ClipSource;
}

/** A whole video of which no manifest says anything. */
export function bareRow(id: string, path: string, source: ClipSource, label?: string): VideoRow {
  const unknown = { group: undefined, start: undefined, end: undefined };
  return { id, path, label, ...unknown, extra: {}, source };
}

/** The id of a video, or of the part of it that a list says. */
export function nameOfPart(name: string, { start, end }: Pick<VideoRow, 'start' | 'end'>): string {
  return start === undefined && end === undefined ? name : `${name}#${start ?? ''}-${end ?? ''}`;
}

/** Looks into a row's video. Rejects with ERR_VSSL_VIDEO_* where it cannot be used. */
export type GetFacts = (row: VideoRow) => Promise<VideoFacts>;

/** The videos of a data set, in a fixed order. */
export interface Manifest {
  /** What it was loaded from, as given. */
  readonly spec: string;
  readonly rows: readonly VideoRow[];
  /** What was left out or looks wrong, for people. */
  readonly warnings: readonly string[];
}

/** The labels of rows, each once, sorted. */
export function listLabels(rows: readonly VideoRow[]): string[] {
  return [...new Set(rows.map((row) => row.label))].filter((label) => label !== undefined).sort();
}

/** What a row says in a column: `label`, `group` or a further one; undefined for nothing. */
export function cellOf({ label, group, extra }: VideoRow, column: string): string | undefined {
  const value = column === 'label' ? label : column === 'group' ? group : extra[column];
  return value === undefined || value === null || value === '' ? undefined : String(value);
}
