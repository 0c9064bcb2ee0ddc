import type { ClipSource } from '../plan.js';
import type { ListedRow } from '../readers/list-row.js';
import type { VideoRow } from '../rows.js';

export type MemberSource = Extract<ClipSource, { kind: 'member' }>;

/** Where a member lies. */
type Place = Pick<MemberSource, 'name' | 'offset' | 'size'>;

interface Archive {
  /** Absolute. */
  readonly path: string;
  /** In messages and results. */
  readonly shown: string;
}

/** A member of a tar file as a row. There may be millions: path and source are made when they are asked for. */
export class MemberRow implements VideoRow {
  readonly id: string;
  readonly label: string | undefined;
  readonly group: string | undefined;
  readonly start: number | undefined;
  readonly end: number | undefined;
  readonly extra: VideoRow['extra'];
  readonly #archive: Archive;
  readonly #place: Place;

  constructor(said: ListedRow, archive: Archive, { name, offset, size }: Place) {
    this.id = said.id;
    this.label = said.label;
    this.group = said.group;
    this.start = said.start;
    this.end = said.end;
    this.extra = said.extra;
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
