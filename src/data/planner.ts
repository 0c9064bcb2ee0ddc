import { isEnvironmentCode, toVsslError, VsslError } from '../errors.js';
import { layBackgrounds } from './augment/lay-backgrounds.js';
import type { AugmentOptions } from './augment/options.js';
import { checkSamplePlan, patchOf, stackSamples } from './batch-plan.js';
import { type ClipSettings, clipFormatOf } from './clip-plan.js';
import { countBatches, EpochRows, epochOrder } from './epoch-order.js';
import { IdTable } from './id-table.js';
import type { BatchPlan, VideoFacts } from './plan.js';
import type { Quarantine } from './quarantine.js';
import { Rng } from './rng.js';
import { type GetFacts, listLabels, type Manifest, type VideoRow } from './rows.js';
import { unusableFile } from './unusable-file.js';
import type { PlanViews, SamplePlan, ViewContext } from './views.js';

/** One place of one batch. (seed, epoch, sample, attempt) fixes the row and every draw made for it. */
export interface SampleRef {
  readonly row: VideoRow;
  /** Place of the row in the manifest. */
  readonly index: number;
  readonly epoch: number;
  /** Place within the epoch: batch number * batch size + place in the batch. */
  readonly sample: number;
  /** 0: the epoch's own order; n: the n-th replacement for a bad file in this place. */
  readonly attempt: number;
}

/** A row that could not be used, found while planning. */
export interface BadRow {
  readonly sample: SampleRef;
  readonly error: VsslError;
}

export interface PlannedBatch {
  readonly step: number;
  readonly epoch: number;
  /** The whole batch (no `slots`), replacements included: this is what plans.jsonl records. */
  readonly plan: BatchPlan;
  /** Sample i of `plan`, and its own plan. */
  readonly samples: readonly SampleRef[];
  readonly samplePlans: readonly SamplePlan[];
  /** Manifest places of the rows that failed in this batch, one entry a failure. */
  readonly failed: readonly number[];
  /** Those of them whose file cannot be used: never drawn for it again. */
  readonly unusable: readonly number[];
}

/** A place of a batch whose clips could not be loaded. */
export interface LostPlace {
  /** In `batch.samples`. */
  readonly place: number;
  /** The file cannot be used; false: another clip of it may be. */
  readonly unusable: boolean;
}

/** Rows that failed in a batch. */
type Failed = Pick<PlannedBatch, 'failed' | 'unusable'>;

/** Draws of one row for one batch, at most, when no other row is left. */
const TRIES = 3;

/** The part of a configuration that batches are made by. */
export interface PlannerSettings {
  readonly method: string;
  readonly data: ClipSettings['data'] & {
    readonly augment: AugmentOptions;
    readonly onError: 'skip' | 'substitute' | 'fail';
  };
  readonly train: { readonly batch: number; readonly seed: number };
}

export interface PlannerOptions {
  readonly config: PlannerSettings;
  /** Steps of the whole run. */
  readonly totalSteps: number;
  readonly planViews: PlanViews;
  readonly manifest: Manifest;
  /** Must give the same answer each time for the same file. */
  readonly getFacts: GetFacts;
  /** Read at each call; the caller adds bad rows to it. */
  readonly quarantine: Quarantine;
}

/** A sample and its plan. */
interface Planned {
  readonly sample: SampleRef;
  readonly plan: SamplePlan;
}

/**
 * Which videos a step takes, and the plans of their clips: a pure function of (config, manifest, facts, quarantine,
 * step). Nothing is remembered from step to step, so a run may begin anywhere; and files are looked at as they are drawn,
 * since no draw hangs on what is known of a file that was not.
 *
 * Rows that fail are recorded by the caller, with the epoch in which they failed. Plan a step of epoch e only after all
 * batches of the epochs before e have been loaded and their bad rows recorded: the order of an epoch is then the same
 * after a resume.
 */
export class BatchPlanner {
  readonly #options: PlannerOptions;
  /** What all samples share of the context of their views. */
  readonly #shared: Pick<ViewContext, 'format' | 'augment' | 'labels' | 'stream'>;
  /** The last epoch's usable rows; the number of those that had left before it tells whether they still hold. */
  #cached: { epoch: number; left: number; rows: EpochRows } | null = null;
  /** Made when a row has left. */
  #ids: IdTable | null = null;

  constructor(options: PlannerOptions) {
    const { config, manifest } = options;
    this.#options = options;
    this.#shared = {
      format: clipFormatOf(config),
      augment: config.data.augment,
      labels: listLabels(manifest.rows),
      stream: 'train',
    };
  }

  /** Places in the manifest of the rows of an epoch, in its order. Throws ERR_VSSL_NO_USABLE_VIDEO when none is left. */
  order(epoch: number): Uint32Array {
    return this.#rowsOf(epoch).order;
  }

  #rowsOf(epoch: number): EpochRows {
    const { config, manifest, quarantine } = this.#options;
    const left = config.data.onError === 'substitute' ? 0 : quarantine.countBefore(epoch);
    if (this.#cached?.epoch === epoch && this.#cached.left === left) return this.#cached.rows;
    let order = epochOrder(manifest.rows.length, config.train.seed, epoch);
    if (left > 0) order = order.filter((index) => !quarantine.excludes(manifest.rows[index]!, epoch));
    if (order.length === 0) throw noUsableVideo(manifest);
    const rows = new EpochRows(order, manifest.rows.length);
    this.#cached = { epoch, left, rows };
    return rows;
  }

  /** Samples a batch has in this epoch: train.batch, or the number of usable rows when there are fewer. */
  batchSize(epoch: number): number {
    return Math.min(this.#options.config.train.batch, this.order(epoch).length);
  }

  /** Never 0. */
  stepsPerEpoch(epoch: number): number {
    return countBatches(this.order(epoch).length, this.#options.config.train.batch);
  }

  /** Epoch of a step (from 0), and the number of the batch within it. */
  position(step: number): { readonly epoch: number; readonly batch: number } {
    let left = step;
    let epoch = 0;
    let steps = this.#stepsOf(epoch);
    for (const last = this.#options.quarantine.lastEpoch; epoch <= last && left >= steps; ) {
      left -= steps;
      steps = this.#stepsOf(++epoch);
    }
    // no row leaves from here on: all epochs have this length
    return { epoch: epoch + Math.floor(left / steps), batch: left % steps };
  }

  /** The samples of a step before any file was looked at. */
  selectSamples(step: number): SampleRef[] {
    const { epoch, batch } = this.position(step);
    const order = this.order(epoch);
    const size = this.batchSize(epoch);
    return Array.from(order.subarray(batch * size, (batch + 1) * size), (index, i) => ({
      row: this.#options.manifest.rows[index] as VideoRow,
      index,
      epoch,
      sample: batch * size + i,
      attempt: 0,
    }));
  }

  /**
   * Plans a step. Rows whose facts cannot be had are replaced and listed in `bad`, for the quarantine; under onError
   * `fail` the first of them is thrown (ERR_VSSL_DATA). Throws ERR_VSSL_NO_USABLE_VIDEO when all were found bad.
   */
  async planBatch(step: number): Promise<{ readonly batch: PlannedBatch; readonly bad: readonly BadRow[] }> {
    const samples = this.selectSamples(step);
    const none: Failed = { failed: [], unusable: [] };
    const { planned, bad, failed } = await this.#planSamples(step, samples, [], none);
    return { batch: this.#assemble(step, this.position(step).epoch, planned, failed, bad), bad };
  }

  /**
   * Replaces the samples whose clips failed while loading. `patch` is loaded into the existing native batch; null means
   * that `batch.plan` has to be loaded anew: no further video was left and the batch became smaller, or the replacements
   * have other views. Call it again while loading reports failures.
   */
  async planReplacements(
    batch: PlannedBatch,
    places: readonly LostPlace[],
  ): Promise<{
    readonly batch: PlannedBatch;
    readonly patch: BatchPlan | null;
    readonly bad: readonly BadRow[];
  }> {
    const lost = new Map(places.map(({ place, unusable }) => [place, unusable]));
    const kept = batch.samples.filter((_, i) => !lost.has(i));
    const lostSamples = batch.samples.filter((_, i) => lost.has(i));
    const indexes = (which: (place: number) => boolean) =>
      batch.samples.filter((_, i) => which(i)).map(({ index }) => index);
    const failed: Failed = {
      failed: [...batch.failed, ...indexes((i) => lost.has(i))],
      unusable: [...batch.unusable, ...indexes((i) => lost.get(i) === true)],
    };
    const replacements = this.#drawReplacements(lostSamples, kept, failed);
    const result = await this.#planSamples(batch.step, replacements, kept, failed);

    // The survivors keep their clips; replaced places are filled by sample number.
    const fresh = new Map(result.planned.map((p) => [p.sample.sample, p]));
    const all: Planned[] = [];
    const slots: number[] = [];
    batch.samples.forEach((sample, i) => {
      if (!lost.has(i)) {
        all.push({ sample, plan: batch.samplePlans[i]! });
        return;
      }
      const replacement = fresh.get(sample.sample);
      if (!replacement) return;
      slots.push(i);
      all.push(replacement);
    });
    const next = this.#assemble(batch.step, batch.epoch, all, result.failed, result.bad);
    const complete = all.length === batch.samples.length;
    const patch = complete ? patchOf(batch.plan, next.plan, slots) : null;
    return { batch: next, patch, bad: result.bad };
  }

  /** Steps of an epoch without making its order. */
  #stepsOf(epoch: number): number {
    const { config, manifest, quarantine } = this.#options;
    let usable = manifest.rows.length;
    if (config.data.onError !== 'substitute' && quarantine.countBefore(epoch) > 0) {
      this.#ids ??= IdTable.of(manifest.rows);
      for (const [id, found] of quarantine.entries()) if (found < epoch && this.#ids.find(id) >= 0) usable--;
    }
    if (usable === 0) throw noUsableVideo(manifest);
    return countBatches(usable, config.train.batch);
  }

  /** Plans samples; those that fail are replaced, round after round, until all are planned or no row is left. */
  async #planSamples(
    step: number,
    samples: readonly SampleRef[],
    others: readonly SampleRef[],
    before: Failed,
  ): Promise<{ planned: Planned[]; bad: BadRow[]; failed: Failed }> {
    const planned: Planned[] = [];
    const bad: BadRow[] = [];
    const failed = { failed: [...before.failed], unusable: [...before.unusable] };
    let open = samples;
    while (open.length > 0) {
      const results = await Promise.all(open.map((sample) => this.#planSample(step, sample)));
      const lost: SampleRef[] = [];
      results.forEach((result, i) => {
        const sample = open[i] as SampleRef;
        if (!(result instanceof VsslError)) {
          planned.push({ sample, plan: result });
          return;
        }
        lost.push(sample);
        failed.failed.push(sample.index);
        failed.unusable.push(sample.index);
        bad.push({ sample, error: result });
      });
      if (this.#options.config.data.onError === 'fail' && bad[0]) throw failOn(bad[0]);
      const taken = [...others, ...planned.map((p) => p.sample)];
      open = this.#drawReplacements(lost, taken, failed);
    }
    planned.sort((a, b) => a.sample.sample - b.sample.sample);
    return { planned, bad, failed };
  }

  async #planSample(step: number, sample: SampleRef): Promise<SamplePlan | VsslError> {
    const { config, totalSteps, planViews, getFacts } = this.#options;
    const { row, epoch } = sample;
    let facts: VideoFacts;
    try {
      facts = await getFacts(row);
    } catch (error) {
      const known = toVsslError(error);
      if (isEnvironmentCode(known.code)) throw known;
      return known;
    }
    const rng = new Rng(config.train.seed, 'sample', epoch, sample.sample, sample.attempt);
    const progress = { step, totalSteps, epoch };
    try {
      const plan = planViews({ ...this.#shared, row, facts, progress, rng });
      checkSamplePlan(plan, config.method);
      return plan;
    } catch (error) {
      // A fault of the file (an empty window...) costs the file; anything else is a mistake and must be seen.
      if (error instanceof VsslError && error.code.startsWith('ERR_VSSL_VIDEO_')) return error;
      throw error;
    }
  }

  /**
   * For each lost sample a row drawn from (seed, epoch, sample, attempt) among the rows of the epoch that are neither in
   * the batch nor failed in it; when there is none, among those of which another clip may be had. Fewer than asked for
   * when there are no more.
   */
  #drawReplacements(
    lost: readonly SampleRef[],
    others: readonly SampleRef[],
    { failed, unusable }: Failed,
  ): SampleRef[] {
    if (lost.length === 0) return [];
    const { config, manifest } = this.#options;
    const taken = others.map((sample) => sample.index);
    const failures = new Map<number, number>();
    for (const index of failed) failures.set(index, (failures.get(index) ?? 0) + 1);
    for (const index of unusable) failures.set(index, TRIES);
    const replacements: SampleRef[] = [];
    const rows = this.#rowsOf(lost[0]!.epoch);
    const exhausted = [...failures].filter(([, times]) => times >= TRIES).map(([index]) => index);
    let free = rows.without([...taken, ...failures.keys()]);
    let tried = false;
    for (const { epoch, sample, attempt } of [...lost].sort((a, b) => a.sample - b.sample)) {
      if (free.count === 0 && !tried) {
        free = rows.without([...taken, ...exhausted]);
        tried = true;
      }
      if (free.count === 0) break;
      const rng = new Rng(config.train.seed, 'replacement', epoch, sample, attempt + 1);
      const index = free.take(rng.int(free.count));
      taken.push(index);
      replacements.push({
        row: manifest.rows[index] as VideoRow,
        index,
        epoch,
        sample,
        attempt: attempt + 1,
      });
    }
    return replacements;
  }

  #assemble(
    step: number,
    epoch: number,
    planned: readonly Planned[],
    failed: Failed,
    bad: readonly BadRow[],
  ): PlannedBatch {
    if (planned.length === 0) throw noUsableVideo(this.#options.manifest, bad[0]);
    const { method, data } = this.#options.config;
    const samplePlans = layBackgrounds(
      planned.map(({ plan }) => plan),
      data.augment,
    );
    const plan = stackSamples(samplePlans, method);
    return { step, epoch, plan, samples: planned.map(({ sample }) => sample), samplePlans, ...failed };
  }
}

function failOn({ sample, error }: BadRow): VsslError {
  return unusableFile(sample.row.path, error.code, error.message, -1);
}

/** `first`: one of them. */
function noUsableVideo(manifest: Manifest, first?: BadRow): VsslError {
  const reason = first ? ` (${first.sample.row.path}: ${first.error.message})` : '';
  return new VsslError(
    'ERR_VSSL_NO_USABLE_VIDEO',
    `none of the ${manifest.rows.length} videos of ${manifest.spec} can be used${reason}; ` +
      `'vssl-native check --data ${manifest.spec}' says why for each of them`,
    { details: { spec: manifest.spec, first: first?.sample.row.path } },
  );
}
