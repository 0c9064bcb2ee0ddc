import { isAbsolute, resolve } from 'node:path';
import type { ClipSource } from '../plan.js';
import { LazyRow, type RowDetails } from '../rows.js';

/** A row of a list. */
export class ListRow extends LazyRow {
  readonly #folder: string;
  readonly #given: string;
  readonly #source: ClipSource | null;

  /** `given`: its path, relative to `folder` or absolute. `source`: null for a video file. */
  constructor(said: RowDetails, folder: string, given: string, source: ClipSource | null) {
    super(said);
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
