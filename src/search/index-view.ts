/**
 * What an index holds at one moment, as this process knows it: the shards of its header, and which of their videos are
 * gone. A search keeps the view that it began with, whatever happens to the folder meanwhile.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HEADER_NAME, type IndexHeader, indexError, readHeader } from './header.js';
import { type HeldRows, Resident } from './resident.js';
import type { Place, VideoRecord } from './row-lines.js';
import { Shard } from './shard.js';

/** A shard, and what is known of it beside its files. */
export interface ShardView {
  readonly shard: Shard;
  /** Lines whose videos are no more. */
  readonly gone: Set<number>;
  readonly resident: Resident;
}

/** A video that is there. */
export interface FoundVideo {
  readonly place: Place;
  readonly line: number;
  readonly view: ShardView;
  readonly record: VideoRecord;
}

export class IndexView {
  readonly header: IndexHeader;
  readonly shards: readonly ShardView[];
  readonly #db: string;
  readonly #stamp: string;
  readonly #byNumber: ReadonlyMap<number, ShardView>;
  /** Said of shards that are not looked into yet. */
  readonly #early: Place[] = [];

  private constructor(db: string, stamp: string, header: IndexHeader, before: IndexView | null) {
    this.#db = db;
    this.#stamp = stamp;
    this.header = header;
    // what is known of a shard stays: files of its name are never written anew
    const known = new Map(before?.shards.map((view) => [view.shard.name, view]));
    this.shards = header.shards.map((name) => known.get(name) ?? newShard(db, name, header));
    this.#byNumber = new Map(this.shards.map((view) => [view.shard.number, view]));
  }

  /**
   * The index as it is now. Throws ERR_VSSL_INDEX when there is none, or a damaged one; with `repair`, what is damaged is
   * passed over.
   */
  static async open(db: string, before: IndexView | null = null, repair = false): Promise<IndexView> {
    for (let attempt = 1; ; attempt++) {
      const stamp = await headerStamp(db);
      const header = await readHeader(db);
      if (!header)
        throw indexError(
          db,
          "there is none; 'vssl-native index --db' with that name makes it, or the name is another",
        );
      const view = new IndexView(db, stamp, header, attempt === 1 ? before : null);
      try {
        for (const { shard } of view.shards) await shard.refresh((place) => view.#takeAway(place), repair);
        for (const place of view.#early.splice(0)) view.#takeAway(place, true);
        return view;
      } catch (error) {
        // a compaction has removed them since the header was read: the new one names others
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT' && (await headerStamp(db)) !== stamp && attempt < 10) continue;
        throw code === 'ENOENT'
          ? indexError(
              db,
              `${(error as NodeJS.ErrnoException).path} is missing; put it back, or make the index again`,
            )
          : error;
      }
    }
  }

  /** This view with what was committed since, or a new one where the list of shards has changed. */
  async refreshed(): Promise<IndexView> {
    if ((await headerStamp(this.#db)) !== this.#stamp) return IndexView.open(this.#db, this);
    try {
      await this.shards.at(-1)?.shard.refresh(this.onGone);
      return this;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return IndexView.open(this.#db);
    }
  }

  readonly onGone = (place: Place) => this.#takeAway(place, true);

  #takeAway(place: Place, isLast = false): void {
    const view = this.#byNumber.get(place.shard);
    const line = view?.shard.lines.lineAt(place.at) ?? -1;
    if (view && line >= 0) view.gone.add(line);
    // of a line that a repair has passed over, or of a later shard
    else if (!isLast) this.#early.push(place);
  }

  /** Rows of vectors of a shard. */
  held({ resident, gone }: ShardView): Promise<HeldRows> {
    return resident.rows(gone);
  }

  /** Videos that are there, in order. Each is parsed as it comes. */
  *videos(): Generator<FoundVideo, void, undefined> {
    for (const view of this.shards) {
      const { lines, number } = view.shard;
      for (let line = 0; line < lines.count; line++)
        if (lines.vectorsOf(line) > 0 && !view.gone.has(line))
          yield { place: { shard: number, at: lines.first(line) }, line, view, record: lines.record(line) };
    }
  }

  /** Numbers of videos and vectors, and of vectors whose videos are gone. */
  counts(): { videos: number; vectors: number; gone: number } {
    let [videos, vectors, gone] = [0, 0, 0];
    for (const view of this.shards) {
      const { lines } = view.shard;
      for (let line = 0; line < lines.count; line++) {
        const count = lines.vectorsOf(line);
        if (view.gone.has(line)) gone += count;
        else if (count > 0) {
          videos++;
          vectors += count;
        }
      }
    }
    return { videos, vectors, gone };
  }
}

function newShard(db: string, name: string, header: IndexHeader): ShardView {
  const shard = new Shard(db, name, header);
  return { shard, gone: new Set(), resident: new Resident(shard, header) };
}

/** Tells one header.json from the one that took its place. */
async function headerStamp(db: string): Promise<string> {
  const found = await stat(join(db, HEADER_NAME)).catch(() => null);
  return found ? `${found.ino} ${found.size} ${found.mtimeMs}` : 'none';
}
