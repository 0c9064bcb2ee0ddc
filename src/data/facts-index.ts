import { appendFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isEnvironmentCode } from '../errors.js';
import { fsPath } from './file-names.js';
import type { ClipSource, VideoFacts } from './plan.js';
import type { GetFacts, VideoRow } from './rows.js';
import { quickStamp, sourceKey, sourceName } from './source-key.js';
import type { MemberPlace } from './tar/member-row.js';
import { decodeTimes, type EncodedTimes, encodeTimes } from './times-codec.js';

/** Pictures whose times are held in memory as they are, 64 MB; those of other files are made from their short form again. */
const MOST_PICTURES = 8_000_000;

/** Version of the cache file's lines. */
const CACHE_VERSION = 2;

export interface FactsIndexOptions {
  /** Looks into a row's source. Rejects for one that cannot be used. */
  readonly readFacts: GetFacts;
  /** JSON lines, made when absent; null: nothing is kept between processes. */
  readonly cacheFile: string | null;
  /** Names what made the facts (package and FFmpeg version): facts of another generation are not used. */
  readonly generation: string;
  /** Pictures whose times are held in memory as they are. Default 8 million. */
  readonly mostPictures?: number;
  /** Told once when the cache cannot be written; the facts are then made anew next time. */
  readonly onWarning?: (message: string) => void;
}

/** Facts that are known, or on their way. */
interface Known {
  readonly stamp: string;
  readonly facts: Promise<VideoFacts>;
  /** 0 while they are on their way. */
  pictures: number;
}

/** One line of the cache. */
interface CacheEntry {
  readonly version: typeof CACHE_VERSION;
  readonly generation: string;
  readonly path: string;
  /** Of a member of the file. */
  readonly part?: MemberPlace;
  readonly size: number;
  readonly mtimeMs: number;
  readonly codec: string;
  readonly width: number;
  readonly height: number;
  readonly times: EncodedTimes;
  readonly end: number;
  readonly warnings: readonly string[];
}

/**
 * Facts of videos, made once a source (see source-key.ts: a row's id would name another video in another manifest) and
 * kept between processes by size and modification time. A file that changes is looked into again. Only files, and members
 * of tar files, are kept on disk; failures are kept for the life of the object, so that a bad file fails each time alike.
 */
export class FactsIndex {
  readonly #options: FactsIndexOptions;
  readonly #stored: Map<string, CacheEntry>;
  /** Those that were asked for last at the end. */
  readonly #known = new Map<string, Known>();
  readonly #failed = new Map<string, Known>();
  /** Of all that are known. */
  #pictures = 0;
  #writing: Promise<void> = Promise.resolve();
  #warned = false;

  private constructor(options: FactsIndexOptions, stored: Map<string, CacheEntry>) {
    this.#options = options;
    this.#stored = stored;
  }

  /** Reads the cache file; a broken line, or a broken file, costs its facts and nothing else. */
  static async open(options: FactsIndexOptions): Promise<FactsIndex> {
    const stored = new Map<string, CacheEntry>();
    if (options.cacheFile === null) return new FactsIndex(options, stored);
    const text = await readFile(options.cacheFile, 'utf8').catch(() => '');
    const lines = text.split('\n').filter((line) => line !== '');
    for (const line of lines) {
      const entry = parseEntry(line);
      if (entry?.generation === options.generation) stored.set(sourceKey(sourceOf(entry)), entry);
    }
    const index = new FactsIndex(options, stored);
    if (lines.length > 2 * stored.size + 100) await index.#compact(options.cacheFile);
    return index;
  }

  /** Facts of a row's video. Rows that are windows of one file share them. */
  async get(row: VideoRow): Promise<VideoFacts> {
    const { source, facts } = row;
    if (facts) return facts;
    const key = sourceKey(source);
    if (source.kind !== 'file' && source.kind !== 'member')
      return this.#once(key, await quickStamp(source), () => this.#options.readFacts(row));
    const path = resolve(source.path);
    // A file that is not there has no stamp; readFacts says what is wrong with it.
    const file = await stat(fsPath(path)).catch(() => null);
    if (!file) return this.#once(key, '', () => this.#options.readFacts(row));
    return this.#once(key, `${file.size}:${file.mtimeMs}`, async () => {
      const entry = this.#stored.get(key);
      const kept = entry?.size === file.size && entry.mtimeMs === file.mtimeMs ? factsOf(entry) : null;
      if (kept) return kept;
      const facts = await this.#options.readFacts(row);
      this.#store({
        version: CACHE_VERSION,
        generation: this.#options.generation,
        path,
        ...(source.kind === 'member' && {
          part: { name: source.name, offset: source.offset, size: source.size },
        }),
        size: file.size,
        mtimeMs: file.mtimeMs,
        codec: facts.codec,
        width: facts.width,
        height: facts.height,
        times: encodeTimes(facts.times),
        end: facts.end,
        warnings: facts.warnings,
      });
      return facts;
    });
  }

  /** Waits until everything learnt is in the cache file. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  #once(key: string, stamp: string, make: () => Promise<VideoFacts>): Promise<VideoFacts> {
    const failed = this.#failed.get(key);
    if (failed?.stamp === stamp) return failed.facts;
    const known = this.#known.get(key);
    if (known) this.#forget(key, known);
    if (known?.stamp === stamp) {
      this.#keep(key, known);
      return known.facts;
    }
    const entry: Known = { stamp, facts: make(), pictures: 0 };
    this.#keep(key, entry);
    // Whoever asked sees a failure; without this an early one would end the process.
    entry.facts.then(
      ({ times }) => {
        if (this.#known.get(key) !== entry) return;
        this.#forget(key, entry);
        entry.pictures = times.length;
        this.#keep(key, entry);
      },
      (error) => {
        if (this.#known.get(key) !== entry) return;
        this.#forget(key, entry);
        // one that is no fault of the file is not kept: the next call may do better
        if (!isEnvironmentCode(String((error as { code?: unknown }).code))) this.#failed.set(key, entry);
      },
    );
    return entry.facts;
  }

  #keep(key: string, entry: Known): void {
    this.#known.set(key, entry);
    this.#pictures += entry.pictures;
    const most = this.#options.mostPictures ?? MOST_PICTURES;
    for (const [oldest, other] of this.#known) {
      if (this.#pictures <= most) break;
      if (other.pictures > 0 && other !== entry) this.#forget(oldest, other);
    }
  }

  #forget(key: string, entry: Known): void {
    this.#known.delete(key);
    this.#pictures -= entry.pictures;
  }

  #store(entry: CacheEntry): void {
    this.#stored.set(sourceKey(sourceOf(entry)), entry);
    const { cacheFile } = this.#options;
    if (cacheFile === null) return;
    // One after another: a line is never torn by the next.
    this.#writing = this.#writing.then(async () => {
      try {
        await mkdir(dirname(cacheFile), { recursive: true });
        await appendFile(cacheFile, `${JSON.stringify(entry)}\n`);
      } catch (error) {
        this.#warn(`cannot keep the video index in ${cacheFile}: ${(error as Error).message}`);
      }
    });
  }

  /** Rewrites a file of which most lines are out of date. */
  async #compact(cacheFile: string): Promise<void> {
    const temporary = `${cacheFile}.${process.pid}.tmp`;
    try {
      await writeFile(
        temporary,
        [...this.#stored.values()].map((entry) => `${JSON.stringify(entry)}\n`).join(''),
      );
      await rename(temporary, cacheFile);
    } catch (error) {
      await rm(temporary, { force: true });
      this.#warn(`cannot tidy the video index ${cacheFile}: ${(error as Error).message}`);
    }
  }

  #warn(message: string): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#options.onWarning?.(message);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What an entry is about. */
function sourceOf({ path, part }: Pick<CacheEntry, 'path' | 'part'>): ClipSource {
  return part ? { kind: 'member', path, ...part } : { kind: 'file', path };
}

/** What a line says; null when it cannot be: the file was damaged, or written by something else. */
function factsOf(entry: CacheEntry): VideoFacts | null {
  const { codec, width, height, end, warnings } = entry;
  const path = sourceName(sourceOf(entry));
  const times = decodeTimes(entry.times);
  if (!times || times.length === 0 || !times.every((time, i) => i === 0 || time >= (times[i - 1] as number)))
    return null;
  const sized = [width, height].every((side) => Number.isSafeInteger(side) && side > 0);
  const told = typeof codec === 'string' && warnings.every((warning) => typeof warning === 'string');
  const ends = Number.isFinite(end) && end >= (times[times.length - 1] as number);
  return sized && told && ends ? { path, codec, width, height, times, end, warnings } : null;
}

function parseEntry(line: string): CacheEntry | null {
  try {
    const entry: unknown = JSON.parse(line);
    if (!isRecord(entry) || entry.version !== CACHE_VERSION || typeof entry.path !== 'string') return null;
    const stamped = Number.isFinite(entry.size) && Number.isFinite(entry.mtimeMs);
    const { part } = entry;
    const placed = part === undefined || (isRecord(part) && typeof part.name === 'string');
    return stamped && placed && Array.isArray(entry.warnings) ? (entry as unknown as CacheEntry) : null;
  } catch {
    return null;
  }
}
