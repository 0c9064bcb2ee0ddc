/** Which videos a version of an index's table in LanceDB has. A writer keeps it, to know what it replaces. */
import type { LanceTable } from './lance-package.js';
import { idsOf, integersOf, readBatches, textOf, tickOf } from './lance-rows.js';

interface Known {
  readonly id: bigint;
  readonly windows: number;
}

export class LanceCatalogue {
  /** The newest video of each name. */
  readonly names = new Map<string, Known>();
  /** Videos in whose place others are, and which are still in the table: their numbers of vectors. */
  readonly replaced = new Map<bigint, number>();
  vectors = 0;
  /** After the time of every video. */
  nextTick = 0;
  #version: number;

  private constructor(version: number) {
    this.#version = version;
  }

  /** `table`: at that version. Throws ERR_VSSL_INDEX. */
  static async read(db: string, table: LanceTable, version: number): Promise<LanceCatalogue> {
    const catalogue = new LanceCatalogue(version);
    for await (const batch of readBatches(db, table, ['video', 'windows', 'name'], 'window = 0')) {
      const windows = integersOf(batch, 'windows');
      for (const [row, id] of idsOf(batch).entries())
        catalogue.put(textOf(batch, 'name', row), { id, windows: windows[row]! });
    }
    return catalogue;
  }

  get version(): number {
    return this.#version;
  }

  /** Of two videos of a name, in whatever order they come, the one that was added later is there. */
  put(name: string, video: Known): void {
    const other = this.names.get(name);
    const [newer, older] = other && other.id > video.id ? [other, video] : [video, other];
    this.names.set(name, newer);
    this.vectors += newer.windows - (other?.windows ?? 0);
    if (older) this.replaced.set(older.id, older.windows);
    this.nextTick = Math.max(this.nextTick, tickOf(video.id) + 1);
  }

  drop(name: string): void {
    this.vectors -= this.names.get(name)?.windows ?? 0;
    this.names.delete(name);
  }

  /** After a commit of ours, which made a version. When others committed since, this stays at an old one: to be read again. */
  follow(version: number): void {
    if (version === this.#version + 1) this.#version = version;
  }
}
