/** Trains the arms of a method's claims with equal budgets and says which of the orderings hold. */

import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { checkCount, checkSignal, checkText, LIMITS, requireOptions, throwIfAborted } from '../checks.js';
import { heldOutSpec, loadManifest } from '../data/manifest.js';
import type { VideoRow } from '../data/rows.js';
import type { EncoderOptions } from '../embed/encoder-options.js';
import { toVsslError, VsslError } from '../errors.js';
import { type DataOptions, labelledRows, loadEvaluationData } from '../eval/evaluation-data.js';
import { MEASURES, type Measurement } from '../eval/measures.js';
import type { Claim } from '../methods/method.js';
import { getMethod } from '../methods/registry.js';
import { noFlow } from '../native/flow.js';
import { openEngine, packageVersion } from '../native/load.js';
import { absoluteSpec } from '../train/absolute-spec.js';
import type { TrainEvent } from '../train/events.js';
import { needsFlow } from '../train/flow-need.js';
import { makeOutFolder, runPaths } from '../train/run-folder.js';
import { runWriteError } from '../train/run-log.js';
import { checkSameVideos, type RunState, videosFingerprint } from '../train/run-state.js';
import { train } from '../train/train.js';
import { writeFileAtomic } from '../weights/atomic-write.js';
import { listCheckpoints } from '../weights/checkpoint.js';
import { readSafetensorsMetadata } from '../weights/safetensors.js';
import { type Comparison, compareArms, joinVerdicts, type Verdict } from './judge.js';
import { describeMeasuring, type MeasuredWith, weightsDigest } from './measured-with.js';
import { type ArmPlan, chooseClaims, type PlannedArm, type PlannedClaim, planArms } from './plan-arms.js';

/** Version of claims.json and of the measures kept beside the weights. */
export const CLAIMS_FORMAT_VERSION = 2;

export interface ClaimsOptions extends EncoderOptions {
  readonly method: string;
  /** Videos to train on; with a named source that keeps a test set, that set tests. */
  readonly data: string;
  /** Labelled test videos; the features of `data` are then the training side. */
  readonly test?: string;
  /** Column, or COLUMN:K, whose values are held out in turn instead. */
  readonly folds?: string;
  /** Steps of an arm. */
  readonly budget: number;
  /** Seeds 0 .. seeds - 1. */
  readonly seeds: number;
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
  | { readonly type: 'measure'; readonly measure: Claim['measure'] }
  /** Of the data or a measure; the same one once. */
  | { readonly type: 'warning'; readonly message: string }
  /** A video that a measure cannot use; each once. */
  | ({ readonly type: 'left-out' } & LeftOut)
  | { readonly type: 'failed'; readonly arm: string; readonly seed: number; readonly reason: string };

/** A video that a measure could not use, and why. */
export type LeftOut = Measurement['failures'][number];

/** One value a seed; null where training ended with a loss that is not finite. */
export interface ArmResult {
  readonly name: string;
  readonly id: string;
  readonly values: readonly (number | null)[];
}

export interface ClaimResult {
  readonly name: string;
  readonly statement: string;
  readonly source: string;
  readonly measure: Claim['measure'];
  readonly arms: readonly ArmResult[];
  /** Neighbours in the claim's order. */
  readonly pairs: readonly (Comparison & { readonly better: string; readonly worse: string })[];
  readonly verdict: Verdict;
}

export interface ClaimsResult {
  readonly formatVersion: typeof CLAIMS_FORMAT_VERSION;
  readonly packageVersion: string;
  readonly method: string;
  readonly preset: string;
  readonly set: readonly string[];
  readonly budget: number;
  readonly seeds: number;
  readonly data: DataOptions;
  readonly interval: string;
  readonly claims: readonly ClaimResult[];
  /** Runs trained or continued by this call, and those that were there. */
  readonly trained: number;
  readonly found: number;
  readonly failures: readonly { readonly arm: string; readonly seed: number; readonly reason: string }[];
  /** Of the data and of the measures. */
  readonly warnings: readonly string[];
  /** Videos that a measure could not use. */
  readonly leftOut: readonly LeftOut[];
  readonly file: string;
}

const KNOWN =
  'method data test folds budget seeds out claims preset set signal onEvent device threads precision'.split(
    ' ',
  );

type Failure = ClaimsResult['failures'][number];
/** By arm, seed and measure. */
type Values = Map<string, Measurement>;

/**
 * Trains what is missing, measures it, and compares. Each arm and seed is a run folder below `out`, so a stopped call
 * goes on where it was. Throws what train and evaluate throw, before the first step where that can be known; a loss that
 * is not finite is a result, not an error.
 */
export async function runClaims(options: ClaimsOptions): Promise<ClaimsResult> {
  requireOptions(options, KNOWN);
  const { seeds, signal, onEvent = () => {} } = options;
  checkSignal(signal);
  const out = resolve(checkText('out', 'a folder', options.out));
  checkCount('seeds', seeds, 1, LIMITS.seeds);
  const method = getMethod(options.method);
  const chosen = chooseClaims(method, options.claims);
  const plan = planArms(method, chosen, { ...options, data: absoluteSpec(options.data) });
  const { arms, claims } = plan;
  const data = await testData(options);
  const evaluation = await loadEvaluationData(data);
  if (chosen.some(({ measure }) => MEASURES[measure].labels)) labelledRows(evaluation);
  await checkFlow(plan, evaluation.rows, out, seeds);
  await makeOutFolder(out);
  const measuring = await describeMeasuring(evaluation.rows, options);
  const sameVideos = checkFinished();
  const notes = new Notes(onEvent);
  notes.add({ warnings: evaluation.warnings, failures: [] });
  const values: Values = new Map();
  const failures: Failure[] = [];
  let trained = 0;
  let number = 0;
  for (let seed = 0; seed < seeds; seed++)
    for (const arm of arms) {
      const folder = runFolder(out, arm, seed);
      const total = seeds * arms.length;
      onEvent({ type: 'run', number: ++number, total, arm: arm.name, seed, folder });
      try {
        await sameVideos(arm, folder);
        if (await trainArm(arm, seed, folder, options)) trained++;
      } catch (error) {
        const { code, message } = toVsslError(error);
        if (code !== 'ERR_VSSL_NON_FINITE') throw error;
        failures.push({ arm: arm.name, seed, reason: message });
        onEvent({ type: 'failed', arm: arm.name, seed, reason: message });
        continue;
      }
      for (const measure of arm.measures) {
        throwIfAborted(signal);
        onEvent({ type: 'measure', measure });
        const measured = await measureRun(measure, folder, data, measuring, options);
        notes.add(measured);
        values.set(keyOf(arm.id, seed, measure), measured);
      }
    }
  const { budget, preset = `${method.name}-tiny`, set = [] } = options;
  const file = join(out, 'claims.json');
  const result: ClaimsResult = {
    formatVersion: CLAIMS_FORMAT_VERSION,
    packageVersion,
    method: method.name,
    ...{ preset, set, budget, seeds, data },
    interval: '95 %, paired by seed, Student t',
    claims: claims.map((claim) => judge(claim, values, seeds)),
    trained,
    found: number - trained - failures.length,
    failures,
    warnings: notes.warnings,
    leftOut: notes.leftOut,
    file,
  };
  await writeResult(out, file, result);
  return result;
}

/** What trains and what tests the probes: two sets, or one with folds. */
async function testData(options: ClaimsOptions): Promise<DataOptions> {
  const { data, test, folds } = options;
  if (test !== undefined && folds !== undefined)
    throw new VsslError('ERR_VSSL_USAGE', 'expected test or folds, not both');
  if (folds !== undefined) return { data, folds };
  const held = test ?? heldOutSpec(data);
  if (held !== null) return { train: data, test: held };
  const { rows } = await loadManifest(data);
  const groups = new Set(rows.map((row) => row.group).filter((group) => group !== undefined));
  if (groups.size >= 2) return { data, folds: groups.size > 5 ? 'group:5' : 'group' };
  throw new VsslError(
    'ERR_VSSL_USAGE',
    `'${data}' says nothing of what tests: give --test PATH, or --folds COLUMN, or a manifest with a column 'group'`,
  );
}

/** Warnings and left-out videos, each told once: every run of the plan meets the same ones. */
class Notes {
  readonly warnings: string[] = [];
  readonly leftOut: LeftOut[] = [];

  constructor(readonly onEvent: (event: ClaimsEvent) => void) {}

  add({ warnings, failures }: Pick<Measurement, 'warnings' | 'failures'>): void {
    for (const message of warnings) {
      if (this.warnings.includes(message)) continue;
      this.warnings.push(message);
      this.onEvent({ type: 'warning', message });
    }
    for (const failure of failures) {
      if (this.leftOut.some(({ path }) => path === failure.path)) continue;
      this.leftOut.push(failure);
      this.onEvent({ type: 'left-out', ...failure });
    }
  }
}

/** Throws ERR_VSSL_NO_FLOW when an arm that is not trained yet needs optical flow, which cannot be computed here. */
async function checkFlow(
  { arms, claims }: ArmPlan,
  rows: readonly VideoRow[],
  out: string,
  seeds: number,
): Promise<void> {
  const engine = await openEngine();
  if (engine.info().flowVersion) return;
  const needing = new Set<string>();
  for (const arm of arms)
    if ((await isUnfinished(arm, out, seeds)) && (await needsFlow(arm.config, rows, engine)))
      needing.add(arm.id);
  if (needing.size === 0) return;
  const needs = (claim: PlannedClaim) => claim.arms.some((id) => needing.has(id));
  const namesOf = (some: readonly PlannedClaim[]) => some.map(({ claim }) => claim.name);
  const others = namesOf(claims.filter((claim) => !needs(claim)));
  const leave = `leave out the claims that need it (${namesOf(claims.filter(needs)).join(', ')})`;
  throw noFlow(engine, others.length === 0 ? leave : `${leave}: --claim ${others.join(' ')}`);
}

async function isUnfinished({ id, config }: PlannedArm, out: string, seeds: number): Promise<boolean> {
  for (let seed = 0; seed < seeds; seed++) {
    const { checkpoints } = runPaths(runFolder(out, { id }, seed));
    const last = (await listCheckpoints(checkpoints)).at(-1);
    if ((last?.step ?? 0) < config.train.steps!) return true;
  }
  return false;
}

function runFolder(out: string, { id }: Pick<PlannedArm, 'id'>, seed: number): string {
  return join(out, `arm-${id}`, `seed-${seed}`);
}

/** Whether anything had to be trained. */
async function trainArm(
  arm: PlannedArm,
  seed: number,
  folder: string,
  { signal, onEvent }: ClaimsOptions,
): Promise<boolean> {
  const config = { ...arm.config, train: { ...arm.config.train, seed } };
  const run = train(config, { out: folder, ...(signal ? { signal } : {}) });
  for await (const event of run) onEvent?.({ type: 'train', event });
  return (await run.result).stepsDone > 0;
}

/**
 * A finished run is taken as it is, and train looks at no video then. Gives a check, for one call, that its videos are
 * those of today: throws ERR_VSSL_RESUME_MISMATCH otherwise, as train does for an unfinished one.
 */
function checkFinished(): (arm: PlannedArm, folder: string) => Promise<void> {
  let known: Promise<string> | undefined;
  return async ({ config }, folder) => {
    const last = (await listCheckpoints(runPaths(folder).checkpoints)).at(-1);
    if (!last || last.step < config.train.steps!) return;
    const metadata = await readSafetensorsMetadata(last.path).catch(() => null); // train says what is wrong with it
    if (!metadata?.state) return;
    const state = JSON.parse(metadata.state) as RunState;
    const spec = config.data.path!;
    known ??= loadManifest(spec, { except: [folder] }).then(videosFingerprint);
    if ((await known) !== state.videos)
      checkSameVideos(folder, state, await loadManifest(spec, { except: [folder] }));
  };
}

/** The measure of a finished run, kept beside its weights with all that it hangs on. */
async function measureRun(
  measure: Claim['measure'],
  run: string,
  data: DataOptions,
  measuring: MeasuredWith,
  { device, threads, precision, signal }: ClaimsOptions,
): Promise<Measurement> {
  const file = join(run, `measure-${measure}.json`);
  const kept = await readFile(file, 'utf8').then(JSON.parse, () => null);
  const weights = await weightsDigest(run);
  const made = { formatVersion: CLAIMS_FORMAT_VERSION, ...measuring, weights, measure, data };
  const isSame = Object.entries(made).every(([key, value]) => isDeepStrictEqual(kept?.[key], value));
  if (isSame) return kept;
  const { value, resolution, warnings, failures } = await MEASURES[measure].run({
    ...{ run, ...data, device, threads, precision, signal },
  });
  const measured = { ...made, value, resolution, warnings, failures };
  await writeResult(run, file, measured);
  return measured;
}

async function writeResult(folder: string, file: string, result: object): Promise<void> {
  await writeFileAtomic(file, `${JSON.stringify(result, null, 2)}\n`).catch((error) => {
    throw runWriteError(folder, error, file);
  });
}

function judge({ claim, arms }: PlannedClaim, values: Values, seeds: number): ClaimResult {
  const { name, statement, source, measure } = claim;
  const of = (id: string, seed: number) => values.get(keyOf(id, seed, measure));
  const all = Array.from({ length: seeds }, (_, seed) => seed);
  const pairs = arms.slice(1).map((worse, i) => {
    const better = arms[i]!;
    const both = all.filter((seed) => of(better, seed) && of(worse, seed));
    const pick = (id: string) => both.map((seed) => of(id, seed)!.value);
    const resolution = both.length > 0 ? of(better, both[0]!)!.resolution : 0;
    const comparison = compareArms(pick(better), pick(worse), resolution);
    return { better: claim.arms[i]!.name, worse: claim.arms[i + 1]!.name, ...comparison };
  });
  return {
    ...{ name, statement, source, measure },
    arms: arms.map((id, i) => ({
      name: claim.arms[i]!.name,
      id,
      values: all.map((seed) => of(id, seed)?.value ?? null),
    })),
    pairs,
    verdict: joinVerdicts(pairs.map(({ verdict }) => verdict)),
  };
}

function keyOf(id: string, seed: number, measure: string): string {
  return `${id} ${seed} ${measure}`;
}
