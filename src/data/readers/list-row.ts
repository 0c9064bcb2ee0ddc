import { isAbsolute, resolve } from 'node:path';
import type { ClipSource } from '../plan.js';
import type { VideoRow } from '../rows.js';

/** What a line of a list says. */
export type ListedRow = Pick<VideoRow, 'id' | 'label' | 'group' | 'start' | 'end' | 'extra'>;

/**
 * A row of a list. There may be ten million of them: path and source are made of the name when they are asked for, so a
 * spread does not copy them.
 */
export class ListRow implements VideoRow {
  readonly id: string;
  readonly label: string | undefined;
  readonly group: string | undefined;
  readonly start: number | undefined;
  readonly end: number | undefined;
  readonly extra: VideoRow['extra'];
  readonly #folder: string;
  readonly #given: string;
  readonly #source: ClipSource | null;

  /** `given`: its path, relative to `folder` or absolute. `source`: null for a video file. */
  constructor(said: ListedRow, folder: string, given: string, source: ClipSource | null) {
    this.id = said.id;
    this.label = said.label;
    this.group = said.group;
    this.start = said.start;
    this.end = said.end;
    this.extra = said.extra;
    this.#folder = folder;
    this.#given = given;
    this.#source = source;
  }

  get path(): string {
    return isAbsolute(this.#given) ? this.#given : resolve(this.#folder, this.#given);
  }

  get source(): ClipSource {
    return this.#source ?? { kind: 'file', path: this.path };
  }
}
