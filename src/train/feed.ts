/**
 * Batches ahead of the step: plans batch k, has it loaded, replaces what turns out bad, and hands the batches out in
 * order. One batch is loaded until its plan is known and says how many of its size may wait, one of them until the first
 * step is done. What comes out depends on the plans alone, not on how far loading ran ahead:
 *  - replacements are drawn from (seed, epoch, sample, attempt);
 *  - a file found bad, or of which too many clips failed, leaves the sampler at the next epoch, and no batch of an epoch
 *    is planned before all batches of the one before are loaded and counted;
 *  - `FeedItem.finds` lists the finds of that batch, so that a checkpoint holds those of the batches up to its step only.
 */
import { batchBytes } from '../data/batch-plan.js';
import { type ClipCounts, ClipLedger } from '../data/clip-ledger.js';
import type { BatchPlan } from '../data/plan.js';
import type { BadRow, BatchPlanner, PlannedBatch } from '../data/planner.js';
import type { Quarantine } from '../data/quarantine.js';
import type { VideoRow } from '../data/rows.js';
import { refuseEnvironment } from '../embed/clip-failure.js';
import { VsslError } from '../errors.js';
import type { NativeBatch, NativeClipFailure, NativeLoader, NativeLoadResult } from '../native/bindings.js';
import { drawsOf, type Find, failOn, isWithinFile } from './faults.js';
import { ALONE, type FailedPlace, type OwnPart, type Sharing, type Turn } from './sharing.js';

/** Batches that wait at most, however small they are. */
const MOST_AHEAD = 4;

export interface FeedOptions {
  readonly planner: Pick<BatchPlanner, 'position' | 'stepsPerEpoch' | 'planBatch' | 'planReplacements'>;
  readonly loader: Pick<NativeLoader, 'load'>;
  /** The one that the planner reads; what is found is added to it. */
  readonly quarantine: Quarantine;
  /** Rows of the manifest that the planner has. */
  readonly rows: readonly VideoRow[];
  /** Of the steps before `from`. */
  readonly clips?: ClipCounts;
  /** First step (from 0), and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Memory of the batches that wait, loaded or being loaded; one at least, whatever it takes. */
  readonly aheadBytes: number;
  readonly onError: 'skip' | 'substitute' | 'fail';
  /** What can be done with a batch before its turn; that it fails is seen when its turn comes. */
  readonly prepare?: (batch: NativeBatch) => Promise<void>;
  /** With which ranks each batch is shared. Default: none. */
  readonly sharing?: Sharing;
}

export interface FeedItem {
  readonly step: number;
  readonly epoch: number;
  /** This rank's part of it. */
  readonly batch: NativeBatch;
  /** The whole batch as executed, replacements included. */
  readonly planned: PlannedBatch;
  /** Of all ranks. */
  readonly clips: number;
  readonly lastOfEpoch: boolean;
  /** What was found bad while this batch was made, in order. */
  readonly finds: readonly Find[];
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #queue: Promise<FeedItem>[] = [];
  /** Of all batches that are loaded; asked only between epochs, when it does not matter which of them came first. */
  readonly #clips: ClipLedger;
  /** Batches that may wait, loaded or being loaded; null: not known before the first plan. */
  #depth: number | null = null;
  #next: number;
  #epoch: number;
  #batchesLeft: number;
  #loading = 0;
  /** Batches that were asked for. */
  #asked = 0;
  #closed = false;
  readonly #sharing: Sharing;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#sharing = options.sharing ?? ALONE;
    this.#clips = new ClipLedger(options.rows.length, options.clips);
    this.#next = options.from;
    const { epoch, batch } = options.planner.position(options.from);
    this.#epoch = epoch;
    this.#batchesLeft = options.planner.stepsPerEpoch(epoch) - batch;
    this.#fill();
  }

  /** The next batch in order; the caller disposes of it. Rejects with what went wrong in planning or loading it. */
  async next(): Promise<FeedItem> {
    this.#asked += 1;
    const first = this.#queue.shift();
    if (!first)
      throw new VsslError('ERR_VSSL_INTERNAL', 'the feed was asked for more batches than it has steps');
    if (this.#depth !== null) this.#fill();
    return await first;
  }

  /** Plans no more, waits for what is being loaded and frees it. All ranks close at the same step. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#sharing.end(this.#next);
    for (const item of await Promise.allSettled(this.#queue.splice(0)))
      if (item.status === 'fulfilled') item.value.batch.dispose();
  }

  #fill(): void {
    const { planner, to, quarantine, rows } = this.#options;
    while (!this.#closed && this.#next < to && this.#hasRoom()) {
      if (this.#batchesLeft === 0) {
        // The next epoch's order hangs on what this one finds. The last load to end calls here again, before its own
        // batch is handed out, so next() never meets an empty queue.
        if (this.#loading > 0) return;
        for (const row of this.#clips.leaving()) quarantine.add(rows[row]!.id, this.#epoch);
        this.#epoch += 1;
        this.#batchesLeft = planner.stepsPerEpoch(this.#epoch);
      }
      this.#batchesLeft -= 1;
      this.#loading += 1;
      const item = this.#load(this.#next++, this.#batchesLeft === 0).then(
        (done) => {
          this.#loading -= 1;
          this.#clips.add(drawsOf(done));
          this.#fill();
          return done;
        },
        (error) => {
          this.#loading -= 1;
          this.#closed = true;
          throw error;
        },
      );
      item.catch(() => {}); // it is seen when its turn comes
      this.#queue.push(item);
    }
  }

  /** Files are looked at as they are drawn: before the first step those of one batch beside its own, and no more. */
  #hasRoom(): boolean {
    const first = this.#asked <= 1 && this.#next - this.#options.from > 1;
    return !first && this.#queue.length < (this.#depth ?? 1);
  }

  #deepen(plan: BatchPlan): void {
    this.#depth = Math.max(1, Math.min(MOST_AHEAD, Math.floor(this.#options.aheadBytes / batchBytes(plan))));
    this.#fill();
  }

  async #load(step: number, lastOfEpoch: boolean): Promise<FeedItem> {
    const turn = this.#sharing.takeTurn();
    try {
      return await this.#loadInTurn(step, lastOfEpoch, turn);
    } finally {
      turn.end();
    }
  }

  async #loadInTurn(step: number, lastOfEpoch: boolean, turn: Turn): Promise<FeedItem> {
    const { planner, loader } = this.#options;
    const finds: Find[] = [];
    const first = await planner.planBatch(step);
    let planned = first.batch;
    let own = this.#sharing.partOf(planned);
    if (this.#depth === null) this.#deepen(own.plan);
    let result = await loader.load(own.plan);
    try {
      await turn.run(async (exchange) => {
        for (let bad = first.bad; ; ) {
          refuseEnvironment(result.failures);
          // what one rank could not load is replaced on all of them, as every rank plans the whole batch
          const failed = await exchange(planned, bad, failedSamples(result, planned, own.first));
          this.#record(bad.map(fromPlanning), finds);
          if (failed.length === 0) return;
          this.#record(
            failed.map(({ place, failure }) => fromLoading(planned, place, failure)),
            finds,
          );
          const replaced = await planner.planReplacements(
            planned,
            failed.map(({ place, failure }) => ({ place, unusable: !isWithinFile(failure.code) })),
          );
          ({ batch: planned, bad } = replaced);
          own = this.#sharing.partOf(planned);
          result = await this.#reload(result, replaced.patch, own);
        }
      });
    } catch (error) {
      result.batch.dispose();
      throw error;
    }
    this.#options.prepare?.(result.batch).catch(() => {});
    const clips = planned.plan.views.reduce((sum, { clips }) => sum + (clips?.length ?? 0), 0);
    return { step, epoch: planned.epoch, batch: result.batch, planned, clips, lastOfEpoch, finds };
  }

  /** With the replacements: in the batch that is there, or from the beginning where that cannot be. */
  async #reload(before: NativeLoadResult, patch: BatchPlan | null, own: OwnPart): Promise<NativeLoadResult> {
    const { loader } = this.#options;
    if (patch === null) {
      before.batch.dispose();
      return await loader.load(own.plan);
    }
    const ours = this.#sharing.patchOf(patch, own);
    if (ours === null) return { ...before, failures: [] };
    return atSlots(await loader.load(ours, before.batch), ours);
  }

  #record(found: readonly Find[], into: Find[]): void {
    for (const find of found) {
      const { row, epoch } = find.sample;
      if (!isWithinFile(find.code)) this.#options.quarantine.add(row.id, epoch);
      into.push(find);
      if (this.#options.onError === 'fail') throw failOn(find);
    }
  }
}

/** One failure a sample, the first of its views; places in the whole batch, of which the rank's part begins at `begin`. */
function failedSamples(result: NativeLoadResult, planned: PlannedBatch, begin: number): FailedPlace[] {
  const first = new Map<number, NativeClipFailure>();
  for (const failure of result.failures) {
    const place = failure.sample + begin;
    if (place >= planned.samples.length)
      throw new VsslError(
        'ERR_VSSL_INTERNAL',
        `the loader names sample ${place} of ${planned.samples.length}`,
      );
    if (!first.has(place)) first.set(place, failure);
  }
  return [...first].sort(([a], [b]) => a - b).map(([place, failure]) => ({ place, failure }));
}

/** Failures of a patch count its own clips: clip j is sample slots[j] of the batch. */
function atSlots(result: NativeLoadResult, patch: BatchPlan): NativeLoadResult {
  const slots = patch.slots ?? [];
  return { ...result, failures: result.failures.map((f) => ({ ...f, sample: slots[f.sample] ?? f.sample })) };
}

function fromLoading(planned: PlannedBatch, place: number, { code, reason, where }: NativeClipFailure): Find {
  return { sample: planned.samples[place]!, code, reason, where };
}

function fromPlanning({ sample, error }: BadRow): Find {
  return { sample, code: error.code, reason: error.message, where: -1 };
}
