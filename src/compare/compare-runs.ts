/** Runs side by side: what differs in their configurations, their curves at equal steps, their evaluations. */
import { checkCount, requireOptions } from '../checks.js';
import { invalidArgument } from '../errors.js';
import { meanAndSpread } from '../eval/metrics.js';
import { compareCurves, dataWait, lastLoss, lastStep, throughput, usualMetrics } from './curves.js';
import { differentEnvironments, differentSettings } from './differences.js';
import { compareAnswers, latestOf, questionsOf } from './evaluations.js';
import { findNotPaired } from './not-paired.js';
import { type Arm, readArms } from './read-arms.js';
import type { ReadRun } from './read-run.js';
import { COMPARISON_FORMAT_VERSION, type ComparedArm, type RunsComparison } from './result.js';

export interface CompareOptions {
  /**
   * Run folders; folders with a run for each seed (`seed-0`, `seed-1`...), which are one arm; evaluation files; folders
   * of a sweep, which stand for all of their cells. The first is what the others are held against.
   */
  readonly runs: readonly string[];
  /** Curves: entries of metrics.jsonl, or EVALUATION/VALUE. Default: the loss, and evaluations during training. */
  readonly metrics?: readonly string[];
  /** Equal steps at which the curves are told. Default 8. */
  readonly points?: number;
}

const MOST_POINTS = 1000;

/**
 * Reads what the runs have written; nothing is computed anew, and a run under way can be among them. Throws
 * ERR_VSSL_INVALID_ARGUMENT for wrong options and for a metric that no run has, ERR_VSSL_FILE for what is not there,
 * ERR_VSSL_USAGE for what is no run and for fewer than two.
 */
export async function compareRuns(options: CompareOptions): Promise<RunsComparison> {
  requireOptions(options, ['runs', 'metrics', 'points']);
  const { runs, metrics, points = 8 } = options;
  checkNames('runs', runs);
  if (metrics !== undefined) checkNames('metrics', metrics);
  checkCount('points', points, 1, MOST_POINTS);
  const arms = await readArms(runs);
  const asked = questionsOf(arms);
  const evaluations = asked.flatMap((one) => compareAnswers(arms, one));
  return {
    formatVersion: COMPARISON_FORMAT_VERSION,
    arms: arms.map(describeArm),
    config: differentSettings(arms),
    environment: differentEnvironments(arms),
    curves: compareCurves(arms, metrics ?? usualMetrics(arms), points),
    evaluations,
    notPaired: findNotPaired(arms, asked),
    warnings: arms.flatMap((arm) => arm.runs.flatMap((run) => [...run.warnings, ...evaluatedEarly(run)])),
  };
}

function checkNames(name: string, value: unknown): void {
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string' && one !== ''))
    throw invalidArgument(name, 'a list of texts', value);
}

function describeArm({ name, path, runs }: Arm): ComparedArm {
  const mean = (of: (run: ReadRun) => number | null) => {
    const values = runs.flatMap((run) => of(run) ?? []);
    return values.length === 0 ? null : meanAndSpread(values).mean;
  };
  const steps = runs.map((run) => lastStep(run) ?? 0);
  return {
    name,
    path,
    runs: runs.map(({ folder }) => folder),
    seeds: runs.flatMap(({ seed }) => seed ?? []),
    step: runs.length === 0 ? null : Math.min(...steps),
    totalSteps: runs[0]?.totalSteps ?? null,
    loss: mean(lastLoss),
    clipsPerSecond: mean(throughput),
    dataWait: mean(dataWait),
  };
}

/** Evaluations of weights that have been trained further since. */
function evaluatedEarly(run: ReadRun): string[] {
  const last = lastStep(run);
  return latestOf(run.evaluations).flatMap(({ protocol, encoder }) =>
    last !== null && encoder.step < last
      ? [`${run.folder}: ${protocol} was evaluated after step ${encoder.step}, the run is at step ${last}`]
      : [],
  );
}
