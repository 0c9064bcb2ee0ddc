/** What processes that train together tell each other beside the steps. */
import { toVsslError, VsslError } from '../errors.js';
import type { EngineAddon, NativeRanks, NativeRanksSpec } from '../native/bindings.js';
import type { RankPlace } from './rank-place.js';

/** Seconds that a rank waits for the others, unless told otherwise. */
export const RANK_TIMEOUT = 600;

/** While one rank works and the others wait, it says so this often in the time that they would wait at most. */
const SIGNS_OF_LIFE = 5;

/** What became of a call on one rank. */
type Outcome<T> = { readonly value: T } | { readonly error: VsslError };

/** The processes of one run. SINGLE is a run of one process: nothing is exchanged. */
export interface RankGroup {
  readonly rank: number;
  readonly size: number;
  /** Among the processes of this machine, which share its cores; and how many these are. */
  readonly localRank: number;
  readonly localSize: number;
  /** Rank 0, which alone writes. */
  readonly isFirst: boolean;
  /** For the engine's session, whose connections are its own; null: it is alone. */
  readonly sessionSpec: NativeRanksSpec | null;
  /** Connections of their own, for talk that goes on beside other talk; null: there is nobody to talk to. */
  open(channel: string): Promise<Talk | null>;
  /** What each rank says, in rank order. */
  exchange<T>(value: T): Promise<T[]>;
  /** All ranks do `work`; where it failed on one, all fail: that one with its own error, the others with its name. */
  together<T>(work: () => Promise<T>): Promise<T>;
  /** Rank 0 alone does `work`, however long it takes; every rank gets what came of it, as JSON. */
  byFirst<T>(work: () => Promise<T>): Promise<T>;
  /** Whether any rank is to stop: all stop then, at the same place. */
  anyStops(stops: boolean): Promise<boolean>;
  /** The others end with this reason, rather than wait for a rank that will not come. */
  leave(error: unknown): Promise<void>;
  dispose(): void;
}

export const SINGLE: RankGroup = {
  ...{ rank: 0, size: 1, localRank: 0, localSize: 1, isFirst: true, sessionSpec: null },
  open: async () => null,
  exchange: async (value) => [value],
  together: (work) => work(),
  byFirst: (work) => work(),
  anyStops: async (stops) => stops,
  leave: async () => {},
  dispose: () => {},
};

/** Throws ERR_VSSL_RANKS when they do not find each other in `timeout` seconds. */
export async function joinRanks(
  engine: Pick<EngineAddon, 'joinRanks'>,
  place: RankPlace,
  timeout = RANK_TIMEOUT,
): Promise<RankGroup> {
  return new Ranks(engine, place, timeout, await openTalk(engine, place, 'main', timeout));
}

class Ranks implements RankGroup {
  readonly #engine: Pick<EngineAddon, 'joinRanks'>;
  readonly #place: RankPlace;
  readonly #timeout: number;
  readonly #main: Talk;
  readonly #opened: Talk[] = [];

  constructor(engine: Pick<EngineAddon, 'joinRanks'>, place: RankPlace, timeout: number, main: Talk) {
    this.#engine = engine;
    this.#place = place;
    this.#timeout = timeout;
    this.#main = main;
  }

  get rank(): number {
    return this.#place.rank;
  }

  get size(): number {
    return this.#place.size;
  }

  get localRank(): number {
    return this.#place.localRank;
  }

  get localSize(): number {
    return this.#place.localSize;
  }

  get isFirst(): boolean {
    return this.rank === 0;
  }

  get sessionSpec(): NativeRanksSpec {
    return specOf(this.#place, 'session', this.#timeout);
  }

  async open(channel: string): Promise<Talk> {
    const talk = await openTalk(this.#engine, this.#place, channel, this.#timeout);
    this.#opened.push(talk);
    return talk;
  }

  exchange<T>(value: T): Promise<T[]> {
    return this.#main.exchange(value);
  }

  async together<T>(work: () => Promise<T>): Promise<T> {
    const own = await attempt(work);
    const all = await this.exchange('error' in own ? own.error.message : null);
    if ('error' in own) throw own.error;
    const at = all.findIndex((message) => message !== null);
    if (at >= 0) throw endedBy(at, all[at]!);
    return own.value;
  }

  async byFirst<T>(work: () => Promise<T>): Promise<T> {
    return this.isFirst ? await this.#whileOthersWait(work) : await this.#whatFirstSays();
  }

  async #whileOthersWait<T>(work: () => Promise<T>): Promise<T> {
    const working = attempt(work);
    const wait = (this.#timeout * 1000) / SIGNS_OF_LIFE;
    for (;;) {
      const done: Outcome<T> | undefined = await Promise.race([working, sleep(wait)]);
      await this.exchange(
        done ? ('error' in done ? { message: done.error.message } : { value: done.value }) : null,
      );
      if (!done) continue;
      if ('error' in done) throw done.error;
      return done.value;
    }
  }

  async #whatFirstSays<T>(): Promise<T> {
    for (;;) {
      const [said] = await this.exchange<{ value: T } | { message: string } | null>(null);
      if (!said) continue;
      if ('message' in said) throw endedBy(0, said.message);
      return said.value;
    }
  }

  async anyStops(stops: boolean): Promise<boolean> {
    return (await this.exchange(stops)).some(Boolean);
  }

  async leave(error: unknown): Promise<void> {
    if (isOfOthers(error)) return;
    await this.#main.leave(toVsslError(error).message);
  }

  dispose(): void {
    for (const talk of [this.#main, ...this.#opened]) talk.dispose();
  }
}

/** One channel: all ranks say something, in the same order of calls. */
export class Talk {
  readonly #native: NativeRanks;

  constructor(native: NativeRanks) {
    this.#native = native;
  }

  async exchange<T>(value: T): Promise<T[]> {
    const texts = await this.#native.exchange(JSON.stringify(value));
    return texts.map((text) => JSON.parse(text) as T);
  }

  /** The others end with this reason. Does not reject. */
  async leave(reason: string): Promise<void> {
    await this.#native.leave(reason).catch(() => {});
  }

  dispose(): void {
    this.#native.dispose();
  }
}

async function openTalk(
  engine: Pick<EngineAddon, 'joinRanks'>,
  place: RankPlace,
  channel: string,
  timeout: number,
): Promise<Talk> {
  return new Talk(await engine.joinRanks(specOf(place, channel, timeout)));
}

function specOf(place: RankPlace, channel: string, timeout: number): NativeRanksSpec {
  const { rank, size, address, port, served, run } = place;
  return { rank, size, address, port, served, run, channel, timeout };
}

async function attempt<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: toVsslError(error) };
  }
}

function endedBy(rank: number, message: string): VsslError {
  return new VsslError('ERR_VSSL_RANKS', `rank ${rank} ended: ${message}`, { details: { rank } });
}

/** What another rank has told already, or told us. */
function isOfOthers(error: unknown): boolean {
  return toVsslError(error).code === 'ERR_VSSL_RANKS';
}

function sleep(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(undefined), milliseconds).unref();
  });
}
