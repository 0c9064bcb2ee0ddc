/** Trains the arms of a method's claims with equal budgets and says which of the orderings hold. */
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { heldOutSpec, loadManifest } from '../data/manifest.js';
import type { EncoderOptions } from '../embed/encoder-options.js';
import { invalidArgument, toVsslError, VsslError } from '../errors.js';
import { type DataOptions, loadEvaluationData } from '../eval/evaluation-data.js';
import { MEASURES, type Measurement } from '../eval/measures.js';
import type { Claim } from '../methods/method.js';
import { getMethod } from '../methods/registry.js';
import { packageVersion } from '../native/load.js';
import { absoluteSpec } from '../train/absolute-spec.js';
import type { TrainEvent } from '../train/events.js';
import { train } from '../train/train.js';
import { writeFileAtomic } from '../weights/atomic-write.js';
import { type Comparison, compareArms, joinVerdicts, type Verdict } from './judge.js';
import { chooseClaims, type PlannedArm, type PlannedClaim, planArms } from './plan-arms.js';

/** Version of claims.json. */
export const CLAIMS_FORMAT_VERSION = 1;

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
  /** What an evaluation says of its data; each text once. */
  | { readonly type: 'warning'; readonly text: string }
  | { readonly type: 'failed'; readonly arm: string; readonly seed: number; readonly reason: string };

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
  readonly warnings: readonly string[];
  readonly file: string;
}

type Failure = ClaimsResult['failures'][number];
/** By arm, seed and measure. */
type Values = Map<string, Measurement>;

/**
 * Trains what is missing, measures it, and compares. Each arm and seed is a run folder below `out`, so a stopped call
 * goes on where it was. Throws what train and evaluate throw; a loss that is not finite is a result, not an error.
 */
export async function runClaims(options: ClaimsOptions): Promise<ClaimsResult> {
  const { seeds, signal, onEvent = () => {} } = options;
  const out = resolve(options.out);
  if (!Number.isSafeInteger(seeds) || seeds < 1)
    throw invalidArgument('seeds', 'a whole number from 1', seeds);
  const method = getMethod(options.method);
  const chosen = chooseClaims(method, options.claims);
  const { arms, claims } = planArms(method, chosen, { ...options, data: absoluteSpec(options.data) });
  const data = await testData(options, chosen);
  await makeFolder(out);
  const values: Values = new Map();
  const failures: Failure[] = [];
  const warnings = new Set<string>();
  let trained = 0;
  let number = 0;
  for (let seed = 0; seed < seeds; seed++)
    for (const arm of arms) {
      const folder = join(out, `arm-${arm.id}`, `seed-${seed}`);
      const total = seeds * arms.length;
      onEvent({ type: 'run', number: ++number, total, arm: arm.name, seed, folder });
      try {
        if (await trainArm(arm, seed, folder, options)) trained++;
      } catch (error) {
        const { code, message } = toVsslError(error);
        if (code !== 'ERR_VSSL_NON_FINITE') throw error;
        failures.push({ arm: arm.name, seed, reason: message });
        onEvent({ type: 'failed', arm: arm.name, seed, reason: message });
        continue;
      }
      for (const measure of arm.measures) {
        signal?.throwIfAborted();
        onEvent({ type: 'measure', measure });
        const measured = await measureRun(measure, folder, data, options);
        values.set(keyOf(arm.id, seed, measure), measured);
        for (const text of measured.warnings) {
          if (!warnings.has(text)) onEvent({ type: 'warning', text });
          warnings.add(text);
        }
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
    warnings: [...warnings],
    file,
  };
  await writeFileAtomic(file, `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

async function makeFolder(out: string): Promise<void> {
  try {
    await mkdir(out, { recursive: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'EEXIST' || code === 'ENOTDIR' ? 'a part of that path is a file' : code;
    throw new VsslError(
      'ERR_VSSL_RUN_WRITE',
      `the folder of the runs, ${out}, cannot be made: ${why}; choose another --out`,
      { details: { folder: out, systemCode: code }, cause: error },
    );
  }
}

/** What trains and what tests the probes. Loaded here: what is wrong with it is found before hours of training. */
async function testData(options: ClaimsOptions, claims: readonly Claim[]): Promise<DataOptions> {
  const chosen = await chooseTestData(options);
  const { labels } = await loadEvaluationData(chosen);
  const probing = claims.find(({ measure }) => measure !== 'shift-probe');
  if (probing && labels.length === 0)
    throw new VsslError(
      'ERR_VSSL_DATA',
      `the claim '${probing.name}' compares by a probe of labels (${probing.measure}), and this data has none: ` +
        'expected class folders or a manifest with a column label',
    );
  return chosen;
}

/** Two sets, or one with folds. */
async function chooseTestData(options: ClaimsOptions): Promise<DataOptions> {
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

/** The measure of a finished run, kept beside its weights. */
async function measureRun(
  measure: Claim['measure'],
  run: string,
  data: DataOptions,
  { device, threads, precision, signal }: ClaimsOptions,
): Promise<Measurement> {
  const file = join(run, `measure-${measure}.json`);
  const kept = await readFile(file, 'utf8').then(JSON.parse, () => null);
  if (kept?.packageVersion === packageVersion && JSON.stringify(kept.data) === JSON.stringify(data))
    return { warnings: [], ...kept };
  const { value, resolution, warnings } = await MEASURES[measure].run({
    run,
    ...data,
    device,
    threads,
    precision,
    signal,
  });
  const measured = { measure, packageVersion, data, value, resolution, warnings };
  await writeFileAtomic(file, `${JSON.stringify(measured, null, 2)}\n`);
  return measured;
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
