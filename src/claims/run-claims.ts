/** Trains the arms of a method's claims with equal budgets and says which of the orderings hold. */

import { join, resolve } from 'node:path';
import { checkCount, checkSignal, checkText, LIMITS, requireOptions, throwIfAborted } from '../checks.js';
import { loadManifest } from '../data/manifest.js';
import type { EncoderOptions } from '../embed/encoder-options.js';
import type { UnusableVideo } from '../embed/unusable.js';
import { readFacts } from '../embed/video-facts.js';
import { toVsslError } from '../errors.js';
import {
  type DataOptions,
  type EvaluationData,
  labelledRows,
  loadEvaluationData,
} from '../eval/evaluation-data.js';
import type { Measurement } from '../eval/measure.js';
import { getMeasure } from '../eval/measures.js';
import { getMethod } from '../methods/registry.js';
import { openEngine, packageVersion } from '../native/load.js';
import { absoluteSpec } from '../train/absolute-spec.js';
import type { TrainEvent } from '../train/events.js';
import { makeOutFolder } from '../train/run-folder.js';
import { checkFinished, checkFlow, runFolder, trainArm } from './arm-runs.js';
import { judgeClaims, LEVEL, measuredClaim } from './judge.js';
import { describeMeasuring, type MeasuredWith, measureRun, writeMeasures } from './measure-run.js';
import { chooseClaims, type PlannedArm, planArms } from './plan-arms.js';
import { checkArms } from './pre-checks.js';
import { CLAIMS_FORMAT_VERSION, type ClaimsResult } from './result.js';
import { ofSeed, testDataOf, variesBySeed } from './seeded.js';

export interface ClaimsOptions extends EncoderOptions {
  readonly method: string;
  /**
   * Videos to train on; with a named source that keeps a test set, that set tests. `{seed}` here and in `test` stands for
   * the seed of a run, so that each seed has videos of its own.
   */
  readonly data: string;
  /** Labelled test videos; the features of `data` are then the training side. */
  readonly test?: string;
  /** Column, or COLUMN:K, whose values are held out in turn instead. */
  readonly folds?: string;
  /** Steps of an arm. */
  readonly budget: number;
  /** Seeds, from `firstSeed` on. */
  readonly seeds: number;
  /** Default 0. */
  readonly firstSeed?: number;
  /** Folder of the runs and of claims.json. */
  readonly out: string;
  /** Names; default all. */
  readonly claims?: readonly string[];
  /** Default NAME-tiny. */
  readonly preset?: string;
  /** `a.b=c`, for all arms alike. */
  readonly set?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: ClaimsEvent) => void;
}

/** What happens to one run of the plan. */
export type ClaimsEvent =
  | {
      readonly type: 'run';
      /** From 1. */
      readonly number: number;
      readonly total: number;
      readonly arm: string;
      readonly seed: number;
      readonly folder: string;
    }
  | { readonly type: 'train'; readonly event: TrainEvent }
  | { readonly type: 'measure'; readonly measure: string }
  /** Of the data or a measure; the same one once. */
  | { readonly type: 'warning'; readonly message: string }
  /** A video that a measure cannot use; each once. */
  | ({ readonly type: 'left-out' } & UnusableVideo)
  | { readonly type: 'failed'; readonly arm: string; readonly seed: number; readonly reason: string };

const KNOWN =
  'method data test folds budget seeds firstSeed out claims preset set signal onEvent device threads precision'.split(
    ' ',
  );

/**
 * Trains what is missing, measures it, and compares. Each arm and seed is a run folder below `out`, so a stopped call
 * goes on where it was. Throws what train and evaluate throw, before the first step where that can be known; a loss that
 * is not finite is a result, not an error.
 */
export async function runClaims(options: ClaimsOptions): Promise<ClaimsResult> {
  requireOptions(options, KNOWN);
  const seeds = seedsOf(options);
  checkSignal(options.signal);
  const out = resolve(checkText('out', 'a folder', options.out));
  const method = getMethod(options.method);
  const chosen = chooseClaims(method, options.claims);
  const measures = chosen.map(({ measure }) => getMeasure(measure));
  const plan = planArms(method, chosen, { ...options, data: absoluteSpec(options.data) });
  const labels = measures.some((measure) => measure.labels);
  const tested = await loadBySeed(options, seeds, labels);
  const [first] = tested.values() as IterableIterator<Tested>;
  await checkFlow(plan, first!.evaluation.rows, out, { ...options, seeds });
  const engine = await openEngine(options.device ?? 'auto');
  const { rows } = await loadManifest(ofSeed(options.data, seeds[0]!));
  await checkArms(plan, rows, (row) => readFacts(engine, row));
  await makeOutFolder(out);
  const runs = new Runs(tested, options);
  for (const seed of seeds)
    for (const arm of plan.arms) await runs.add(arm, seed, out, seeds.length * plan.arms.length);
  const { budget, preset = `${method.name}-tiny`, set = [] } = options;
  const { trained, found, failures, warnings, leftOut } = runs;
  const result: ClaimsResult = {
    formatVersion: CLAIMS_FORMAT_VERSION,
    packageVersion,
    method: method.name,
    ...{ preset, set, budget, firstSeed: seeds[0]!, seeds: seeds.length },
    ...{ data: first!.data, dataBySeed: variesBySeed(options) },
    interval: '95 %, paired by seed, Student t, one deviation for all pairs of a measure',
    ...judgeClaims(plan.claims.map((claim) => measuredClaim(claim, seeds, runs))),
    level: LEVEL,
    ...{ trained, found, failures, warnings, leftOut },
    file: join(out, 'claims.json'),
  };
  await writeMeasures(out, result.file, result);
  return result;
}

function seedsOf({ seeds, firstSeed = 0 }: ClaimsOptions): readonly number[] {
  checkCount('seeds', seeds, 1, LIMITS.seeds);
  checkCount('firstSeed', firstSeed, 0, Number.MAX_SAFE_INTEGER - LIMITS.seeds);
  return Array.from({ length: seeds }, (_, i) => firstSeed + i);
}

/** What trains and tests the probes of a seed. */
interface Tested {
  readonly data: DataOptions;
  readonly evaluation: EvaluationData;
  /** Made when a run is measured. */
  measuring?: MeasuredWith;
}

/** By seed; all seeds have the same where the specifications do not name them. */
async function loadBySeed(
  options: ClaimsOptions,
  seeds: readonly number[],
  labels: boolean,
): Promise<ReadonlyMap<number, Tested>> {
  const tested = new Map<number, Tested>();
  const isOne = !variesBySeed(options);
  for (const seed of seeds) {
    const same = isOne ? tested.get(seeds[0]!) : undefined;
    if (same) {
      tested.set(seed, same);
      continue;
    }
    const data = await testDataOf(options, seed);
    const evaluation = await loadEvaluationData(data);
    if (labels) labelledRows(evaluation);
    tested.set(seed, { data, evaluation });
  }
  return tested;
}

/** The runs of a call, and what was met on the way: warnings and left-out videos are told once, every run meets the same. */
class Runs {
  trained = 0;
  /** Those that were there already. */
  found = 0;
  readonly failures: { arm: string; seed: number; reason: string }[] = [];
  readonly warnings: string[] = [];
  readonly leftOut: UnusableVideo[] = [];
  readonly #values = new Map<string, Measurement>();
  readonly #sameVideos = checkFinished();

  constructor(
    readonly tested: ReadonlyMap<number, Tested>,
    readonly options: ClaimsOptions,
  ) {
    for (const { evaluation } of new Set(tested.values()))
      this.note({ warnings: evaluation.warnings, failures: [] });
  }

  /** Trains an arm with a seed, as far as it is not, and measures it; of `total` runs. */
  async add(arm: PlannedArm, seed: number, out: string, total: number): Promise<void> {
    const folder = runFolder(out, arm, seed);
    const number = this.trained + this.found + this.failures.length + 1;
    this.#tell({ type: 'run', number, total, arm: arm.name, seed, folder });
    try {
      await this.#sameVideos(arm, seed, folder);
      const { signal } = this.options;
      const onEvent = (event: TrainEvent) => this.#tell({ type: 'train', event });
      if (await trainArm(arm, seed, folder, { signal, onEvent })) this.trained++;
      else this.found++;
    } catch (error) {
      const { code, message: reason } = toVsslError(error);
      if (code !== 'ERR_VSSL_NON_FINITE') throw error;
      this.failures.push({ arm: arm.name, seed, reason });
      this.#tell({ type: 'failed', arm: arm.name, seed, reason });
      return;
    }
    const tested = this.tested.get(seed)!;
    tested.measuring ??= await describeMeasuring(tested.evaluation.rows, this.options);
    for (const measure of arm.measures) {
      throwIfAborted(this.options.signal);
      this.#tell({ type: 'measure', measure });
      const measured = await measureRun(measure, folder, tested.data, tested.measuring, this.options);
      this.note(measured);
      this.#values.set(`${arm.id} ${seed} ${measure}`, measured);
    }
  }

  /** The measurement of an arm with a seed; undefined where its training failed. */
  get(id: string, seed: number, measure: string): Measurement | undefined {
    return this.#values.get(`${id} ${seed} ${measure}`);
  }

  note({ warnings, failures }: Pick<Measurement, 'warnings' | 'failures'>): void {
    for (const message of warnings) {
      if (this.warnings.includes(message)) continue;
      this.warnings.push(message);
      this.#tell({ type: 'warning', message });
    }
    for (const failure of failures) {
      if (this.leftOut.some(({ path }) => path === failure.path)) continue;
      this.leftOut.push(failure);
      this.#tell({ type: 'left-out', ...failure });
    }
  }

  #tell(event: ClaimsEvent): void {
    this.options.onEvent?.(event);
  }
}
