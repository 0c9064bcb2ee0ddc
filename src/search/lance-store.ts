/**
 * The store for what one machine's memory, or one writer, is not enough for: a table of LanceDB. Vectors stay on the disk
 * and are read as they are compared. Any number of processes may write: each commit adds whole videos, or deletes some, and
 * LanceDB puts commits one after the other. What takes the place of a video is added first; whoever reads takes the newest
 * of a name; the old one is deleted after that. So a kill at any moment leaves one of the two, whole.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { throwIfAborted } from '../checks.js';
import { VsslError } from '../errors.js';
import { writeError } from '../weights/atomic-write.js';
import { lockFolder } from '../weights/folder-lock.js';
import { type IndexHeader, indexError, readHeader, writeHeader } from './header.js';
import { LanceCatalogue } from './lance-catalogue.js';
import { type LanceConnection, type LanceTable, loadLance, said } from './lance-package.js';
import {
  among,
  damagedTable,
  idOf,
  idsOf,
  integersOf,
  MOST_WRITERS,
  schemaOf,
  TABLE,
  tableOf,
  textOf,
  tickNow,
} from './lance-rows.js';
import { LanceView } from './lance-view.js';
import { keyOf } from './row-lines.js';
import type { IndexStore, NewVideo, StoreView } from './store.js';

/** LanceDB's own folder, within that of the index. */
export const LANCE_FOLDER = 'lancedb';

/** Commits after which what small ones have left is put together; and when it is closed, if there were so many. */
const TIDY_COMMITS = 256;
const TIDY_AT_CLOSE = 32;
/** Old versions that readers may still be at. */
const KEPT_MS = 10 * 60_000;
/** Videos that are deleted in one commit, at most. */
const DELETED_AT_ONCE = 5000;
/** Times that a commit is tried which another writer has come before. */
const ATTEMPTS = 20;

interface Newest {
  readonly catalogue: LanceCatalogue;
  readonly view: LanceView;
}

export class LanceStore implements IndexStore {
  readonly header: IndexHeader;
  readonly #db: string;
  readonly #connection: LanceConnection;
  /** Always at the newest version. */
  readonly #table: LanceTable;
  readonly #writer = randomInt(MOST_WRITERS);
  #view: LanceView | null = null;
  /** Of a writer; readers do without the names. */
  #catalogue: LanceCatalogue | null = null;
  #writes = false;
  #commits = 0;

  private constructor(db: string, header: IndexHeader, connection: LanceConnection, table: LanceTable) {
    this.#db = db;
    this.header = header;
    this.#connection = connection;
    this.#table = table;
  }

  /** Throws ERR_VSSL_INDEX for a table that cannot be read, and ERR_VSSL_ENVIRONMENT where the packages are missing. */
  static async open(db: string, header: IndexHeader, repair = false): Promise<LanceStore> {
    const connection = await connect(db);
    try {
      const table = await connection.openTable(TABLE).catch((error) => {
        throw damagedTable(db, error);
      });
      const store = new LanceStore(db, header, connection, table);
      await store.view();
      if (repair) await store.#repair();
      return store;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  async view(): Promise<LanceView> {
    for (let attempt = 1; ; attempt++) {
      const version = await this.#version();
      const isKnown = !this.#writes || this.#catalogue;
      if (this.#view?.version === version && isKnown) return this.#view;
      try {
        return await this.#look(version);
      } catch (error) {
        // another process may have put the table together anew in between
        if (attempt === ATTEMPTS || (await this.#version()) === version) throw error;
      }
    }
  }

  async #look(version: number): Promise<LanceView> {
    const table = await this.#tableAt(version);
    const catalogue =
      this.#catalogue?.version === version
        ? this.#catalogue
        : await LanceCatalogue.read(this.#db, table, version);
    const { vectors, names } = catalogue;
    this.#view = new LanceView({
      ...{ db: this.#db, header: this.header, version, table, vectors, videos: names.size },
      replaced: new Map(catalogue.replaced),
    });
    this.#catalogue = this.#writes ? catalogue : null;
    return this.#view;
  }

  async #tableAt(version: number): Promise<LanceTable> {
    try {
      const table = await this.#connection.openTable(TABLE);
      await table.checkout(version);
      return table;
    } catch (error) {
      throw damagedTable(this.#db, error);
    }
  }

  #version(): Promise<number> {
    return this.#table.version().catch((error) => {
      throw damagedTable(this.#db, error);
    });
  }

  async add(videos: readonly NewVideo[]): Promise<void> {
    if (videos.length === 0) return;
    // others may have written since: what they have, they tell apart from this by the time
    const catalogue = this.#catalogue ?? (await this.#newest()).catalogue;
    const from = Math.max(tickNow(), catalogue.nextTick);
    const fresh = lastOfEach(videos).map((video, i) => ({ ...video, id: idOf(from + i, this.#writer) }));
    const table = tableOf(loadLance().arrow, this.header, fresh);
    const first = among([fresh[0]!.id]);
    const { version } = await this.#commit(async (attempt) => {
      // all of them are one commit, and rows must not come twice
      const isDone = attempt > 1 && (await this.#table.countRows(first)) > 0;
      return isDone ? { version: await this.#version() } : await this.#table.add(table);
    });
    for (const { id, record, rows } of fresh)
      catalogue.put(keyOf(record), { id, windows: rows.length / this.header.dim });
    catalogue.follow(version);
    // they are passed over until that is done, now or by the next writer
    await this.#delete(catalogue, [...catalogue.replaced.keys()]).catch(() => {});
    if (this.#commits >= TIDY_COMMITS) await this.#tidy();
  }

  async remove(paths: ReadonlySet<string>, keys: ReadonlySet<string>): Promise<number> {
    const { catalogue, names } = await this.#readNewest(async ({ catalogue, view }) => {
      const all = new Set(keys);
      if (paths.size > 0)
        for await (const batch of view.batches(['path', 'name'], 'window = 0'))
          for (let row = 0; row < batch.numRows; row++)
            if (paths.has(textOf(batch, 'path', row))) all.add(textOf(batch, 'name', row));
      return { catalogue, names: [...all].filter((name) => catalogue.names.has(name)) };
    });
    if (names.length === 0) return 0;
    // what they replaced goes first: it would come back
    await this.#delete(catalogue, [...catalogue.replaced.keys()]);
    const ids = names.map((name) => catalogue.names.get(name)!.id);
    await this.#delete(catalogue, ids);
    for (const name of names) catalogue.drop(name);
    return names.length;
  }

  async read(key: string): Promise<NewVideo | null> {
    return this.#readNewest(async ({ catalogue, view }) => {
      const video = catalogue.names.get(key);
      if (!video) return null;
      for await (const { record, rows } of view.read([video.id])) return { record, rows };
      return null;
    });
  }

  async compact(signal: AbortSignal | undefined): Promise<void> {
    const { catalogue } = await this.#newest();
    throwIfAborted(signal);
    await this.#delete(catalogue, [...catalogue.replaced.keys()]);
    await this.#commit(() => this.#table.optimize({ cleanupOlderThan: new Date() }));
    this.#commits = 0;
  }

  async close(): Promise<void> {
    if (this.#commits >= TIDY_AT_CLOSE) await this.#tidy();
    this.#table.close();
    this.#connection.close();
  }

  /** A compaction of another process has removed the version. */
  async outdated(error: unknown, view: StoreView): Promise<VsslError | null> {
    if (!(error instanceof VsslError) || error.code !== 'ERR_VSSL_INDEX') return null;
    return (await this.#version()) === (view as LanceView).version ? null : error;
  }

  /** As it is now, for whoever changes it. */
  async #newest(): Promise<Newest> {
    this.#writes = true;
    const view = await this.view();
    return { catalogue: this.#catalogue!, view };
  }

  /** What is read of it; again when another process clears that version away meanwhile. */
  async #readNewest<T>(read: (newest: Newest) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const newest = await this.#newest();
      try {
        return await read(newest);
      } catch (error) {
        if (attempt === ATTEMPTS || !(await this.outdated(error, newest.view))) throw error;
      }
    }
  }

  async #delete(catalogue: LanceCatalogue, ids: readonly bigint[]): Promise<void> {
    for (let from = 0; from < ids.length; from += DELETED_AT_ONCE) {
      const some = ids.slice(from, from + DELETED_AT_ONCE);
      const { version } = await this.#commit(() => this.#table.delete(among(some)));
      for (const id of some) catalogue.replaced.delete(id);
      catalogue.follow(version);
    }
  }

  /**
   * LanceDB refuses what does not go together with a commit that came before it, and loses its way when another process
   * clears old versions away meanwhile. `work` may be done again.
   */
  async #commit<T>(work: (attempt: number) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        const done = await work(attempt);
        this.#commits++;
        return done;
      } catch (error) {
        if (attempt === ATTEMPTS || !(await this.#isPassing(error))) throw unwritable(this.#db, error);
        await delay(randomInt(10, 20 * attempt));
      }
    }
  }

  /** A commit that may go well the next time: others have written, and a file that it began with may be gone. */
  async #isPassing(error: unknown): Promise<boolean> {
    if (/conflict/i.test(said(error))) return true;
    return /not found/i.test(said(error)) && (await this.#version()) !== this.#catalogue?.version;
  }

  /** Many small commits are many small files. When it cannot be done now, it is done another time. */
  async #tidy(): Promise<void> {
    this.#commits = 0;
    await this.#table.optimize({ cleanupOlderThan: new Date(Date.now() - KEPT_MS) }).catch(() => {});
  }

  /** Takes out what is not whole: rows that something else has added, or has left of a video. */
  async #repair(): Promise<void> {
    const { catalogue, missing } = await this.#readNewest(async ({ catalogue, view }) => {
      const missing = new Map<bigint, number>();
      for await (const batch of view.batches(['video', 'windows', 'vector'])) {
        const windows = integersOf(batch, 'windows');
        for (const [row, id] of idsOf(batch).entries())
          missing.set(id, (missing.get(id) ?? windows[row]!) - 1);
      }
      return { catalogue, missing };
    });
    const known = new Set([...catalogue.names.values()].map(({ id }) => id));
    const broken = [...missing].filter(([id, count]) => count !== 0 || !known.has(id)).map(([id]) => id);
    await this.#delete(catalogue, broken);
    this.#catalogue = null;
    this.#view = null;
    await this.view();
  }
}

/** Of one name in a call the last counts. */
function lastOfEach(videos: readonly NewVideo[]): NewVideo[] {
  const last = new Map(videos.map((video) => [keyOf(video.record), video]));
  return videos.filter((video) => last.get(keyOf(video.record)) === video);
}

async function connect(db: string): Promise<LanceConnection> {
  const { lance } = loadLance();
  // 0: whoever asks sees what others have committed
  return await lance.connect(join(db, LANCE_FOLDER), { readConsistencyInterval: 0 });
}

const USE = { doing: 'making the index', advice: 'wait, or use another --db' };

/** Makes the index, if no other process does it meanwhile: the table, and then the header. */
export async function makeLance(db: string, header: IndexHeader): Promise<void> {
  for (let attempt = 1; !(await readHeader(db)); attempt++) {
    try {
      const lock = await lockFolder(db, USE);
      try {
        if (!(await readHeader(db))) await makeTable(db, header);
      } finally {
        await lock.release();
      }
    } catch (error) {
      const isUnderWay = error instanceof VsslError && error.code === 'ERR_VSSL_LOCKED';
      if (!isUnderWay || attempt === 100) throw writeError(db, error);
      await delay(100);
    }
  }
}

async function makeTable(db: string, header: IndexHeader): Promise<void> {
  const connection = await connect(db);
  try {
    const left = await connection.openTable(TABLE).catch(() => null);
    const rows = (await left?.countRows()) ?? 0;
    left?.close();
    if (rows > 0)
      throw indexError(
        db,
        `its header.json is missing, and a table with ${rows} windows is there; put it back, or name another folder`,
      );
    const schema = schemaOf(loadLance().arrow, header);
    await connection.createEmptyTable(TABLE, schema, { mode: 'overwrite' }).catch((error) => {
      throw unwritable(db, error);
    });
    await writeHeader(db, header);
  } finally {
    connection.close();
  }
}

function unwritable(db: string, error: unknown): VsslError {
  return new VsslError('ERR_VSSL_WRITE', `cannot write to the index ${db}: ${said(error)}`, {
    ...{ details: { db }, cause: error },
  });
}
