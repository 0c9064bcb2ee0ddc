import type { ClipSource } from '../plan.js';
import { LazyRow, type RowDetails } from '../rows.js';

export type MemberSource = Extract<ClipSource, { kind: 'member' }>;

/** Where a member lies in its archive. */
export type MemberPlace = Pick<MemberSource, 'name' | 'offset' | 'size'>;

interface Archive {
  /** Absolute. */
  readonly path: string;
  /** In messages and results. */
  readonly shown: string;
}

/** A member of a tar file as a row. */
export class MemberRow extends LazyRow {
  readonly #archive: Archive;
  readonly #place: MemberPlace;

  constructor(said: RowDetails, archive: Archive, { name, offset, size }: MemberPlace) {
    super(said);
    this.#archive = archive;
    this.#place = { name, offset, size };
  }

  get path(): string {
    return `${this.#archive.shown}/${this.#place.name}`;
  }

  get source(): MemberSource {
    return { kind: 'member', path: this.#archive.path, ...this.#place };
  }
}
