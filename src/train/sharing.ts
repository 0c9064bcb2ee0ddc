/** How ranks share the batches of a feed: each plans the whole batch, loads its own part, and hears what the others lost. */
import { partOf } from '../data/batch-plan.js';
import type { BatchPlan } from '../data/plan.js';
import type { BadRow, PlannedBatch } from '../data/planner.js';
import { VsslError } from '../errors.js';
import type { NativeClipFailure } from '../native/bindings.js';
import type { RankGroup, Talk } from './ranks.js';

/** A sample of the whole batch that could not be loaded. */
export interface FailedPlace {
  readonly place: number;
  readonly failure: NativeClipFailure;
}

/** A rank's part of a batch: samples from `first` on. */
export interface OwnPart {
  readonly plan: BatchPlan;
  readonly first: number;
  readonly count: number;
}

/** Gives what all ranks lost, in the order of the batch. `bad`: what planning found, which must be the same everywhere. */
type Exchange = (
  planned: PlannedBatch,
  bad: readonly BadRow[],
  own: readonly FailedPlace[],
) => Promise<readonly FailedPlace[]>;

/** Given back by end(), used or not. */
export interface Turn {
  run(work: (exchange: Exchange) => Promise<void>): Promise<void>;
  end(): void;
}

export interface Sharing {
  partOf(planned: PlannedBatch): OwnPart;
  /** The part of a patch that is this rank's; null: none of it is. */
  patchOf(patch: BatchPlan, own: OwnPart): BatchPlan | null;
  /** A turn to exchange, after the batches that asked before: ranks do it batch by batch, in one order. */
  takeTurn(): Turn;
  /** No batch from `next` on is begun here; waits until no other rank waits for this one. */
  end(next: number): Promise<void>;
}

export const ALONE: Sharing = {
  partOf: ({ plan, samples }) => ({ plan, first: 0, count: samples.length }),
  patchOf: (patch) => patch,
  takeTurn: () => ({ run: (work) => work(async (_planned, _bad, own) => own), end: () => {} }),
  end: async () => {},
};

export async function shareWith(group: RankGroup): Promise<Sharing> {
  const talk = await group.open('batches');
  return talk ? new SharedBatches(group, talk) : ALONE;
}

/** What a rank says of a batch; of one that it will not take, nothing. */
type Said = {
  readonly samples: string;
  readonly bad: readonly string[];
  readonly failed: readonly FailedPlace[];
} | null;

class SharedBatches implements Sharing {
  readonly #group: RankGroup;
  readonly #talk: Talk;
  /** Of the batches before, in order. */
  #before: Promise<void> = Promise.resolve();

  constructor(group: RankGroup, talk: Talk) {
    this.#group = group;
    this.#talk = talk;
  }

  /** Equal parts: what is over at the end of a batch that files found bad have made smaller is left out. */
  partOf({ plan, samples }: PlannedBatch): OwnPart {
    const { rank, size } = this.#group;
    const count = Math.floor(samples.length / size);
    if (count === 0)
      throw new VsslError(
        'ERR_VSSL_DATA',
        `${samples.length} usable videos cannot be shared by ${size} ranks; train with fewer of them`,
      );
    return { plan: partOf(plan, rank * count, count), first: rank * count, count };
  }

  patchOf(patch: BatchPlan, { first, count }: OwnPart): BatchPlan | null {
    const slots = patch.slots ?? []; // ascending
    const own = slots.filter((slot) => slot >= first && slot < first + count);
    if (own.length === 0) return null;
    return {
      ...partOf(patch, slots.indexOf(own[0]!), own.length),
      slots: own.map((slot) => slot - first),
    };
  }

  takeTurn(): Turn {
    const before = this.#before;
    let end = () => {};
    this.#before = new Promise<void>((resolve) => {
      end = resolve;
    });
    return { run: (work) => before.then(() => work(this.#exchange)), end };
  }

  readonly #exchange: Exchange = async (planned, bad, own) => {
    const samples = planned.samples.map(({ index, attempt }) => `${index}.${attempt}`).join();
    const faults = bad.map(({ sample, error }) => `${sample.row.path}: ${error.message}`);
    const all = await this.#talk.exchange<Said>({ samples, bad: faults, failed: own });
    all.forEach((said, rank) => {
      if (said === null)
        throw new VsslError('ERR_VSSL_ABORTED', `rank ${rank} stops; this batch is not taken`);
      if (said.samples !== samples || said.bad.join() !== faults.join())
        throw new VsslError('ERR_VSSL_RANKS', differentFiles(this.#group.rank, faults, rank, said.bad), {
          details: { rank },
        });
    });
    return all.flatMap((said) => said?.failed ?? []).sort((a, b) => a.place - b.place);
  };

  /** Ranks have begun different batches ahead of the step: each stands by for those that only others have begun. */
  async end(next: number): Promise<void> {
    const ends = await this.#group.exchange(next).catch(() => [next]);
    await this.#before;
    for (let step = next; step < Math.max(...ends); step++)
      await this.#talk.exchange<Said>(null).catch(() => {});
  }
}

function differentFiles(
  rank: number,
  own: readonly string[],
  other: number,
  theirs: readonly string[],
): string {
  const [mine, its] = [
    own.find((fault) => !theirs.includes(fault)),
    theirs.find((fault) => !own.includes(fault)),
  ];
  if (its !== undefined) return `rank ${other} cannot use a file that rank ${rank} can: ${its}`;
  if (mine !== undefined) return `rank ${rank} cannot use a file that rank ${other} can: ${mine}`;
  return `ranks ${rank} and ${other} do not draw the same videos for a batch`;
}
