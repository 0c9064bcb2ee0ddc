/** Curves of runs at equal steps, and how fast they went. */
import { invalidArgument } from '../errors.js';
import { meanAndSpread } from '../eval/metrics.js';
import { didYouMean } from '../spelling.js';
import type { Metrics } from '../train/read-metrics.js';
import type { Arm } from './read-arms.js';
import type { ReadRun } from './read-run.js';
import type { ComparedCurve } from './result.js';

/** Pieces of a curve that is drawn. */
const PIECES = 40;

/** Names of everything that the arms' metrics have: entries of the steps' lines, and EVALUATION/VALUE. */
export function metricNames(arms: readonly Arm[]): string[] {
  const names = new Set<string>();
  for (const { metrics } of arms.flatMap(({ runs }) => runs))
    for (const line of metrics)
      for (const [key, value] of Object.entries(line))
        if (key !== 'step' && key !== 'epoch' && typeof value === 'number') names.add(nameIn(line, key));
  return [...names];
}

function nameIn({ evaluation }: Metrics, key: string): string {
  return typeof evaluation === 'string' ? `${evaluation}/${key}` : key;
}

/** The loss, and the evaluations during training. */
export function usualMetrics(arms: readonly Arm[]): string[] {
  return metricNames(arms).filter((name) => name === 'loss' || name.includes('/'));
}

/**
 * Curves of the named metrics at `points` equal steps. An arm of several seeds has their mean. Throws
 * ERR_VSSL_INVALID_ARGUMENT for a metric that no run has.
 */
export function compareCurves(
  arms: readonly Arm[],
  metrics: readonly string[],
  points: number,
): ComparedCurve[] {
  const known = metricNames(arms);
  return metrics.map((metric) => {
    if (!known.includes(metric))
      throw invalidArgument('metrics', `one of ${known.join(', ')}`, metric, didYouMean(metric, known));
    const series = arms.map(({ runs }) => runs.map((run) => pointsOf(run, metric)));
    const ends = series.map((runs) => Math.min(...runs.map((run) => run.at(-1)?.step ?? 0)));
    const common = Math.min(...ends.filter((end) => end > 0 && Number.isFinite(end)));
    const count = Math.min(points, common);
    const steps = Array.from({ length: count }, (_, i) => Math.round(((i + 1) * common) / count));
    const lastStep = Math.max(...series.flat().map((run) => run.at(-1)?.step ?? 0));
    const pieces = Math.min(PIECES, lastStep);
    const all = Array.from({ length: pieces }, (_, i) => Math.round(((i + 1) * lastStep) / pieces));
    const at = (edges: readonly number[]) =>
      series.map((runs) => meanOfRuns(runs.map((run) => meansBetween(run, edges))));
    return { metric, steps, values: at(steps), lastStep, shapes: at(all) };
  });
}

interface Point {
  readonly step: number;
  readonly value: number;
}

function pointsOf({ metrics }: ReadRun, metric: string): Point[] {
  const key = metric.slice(metric.indexOf('/') + 1);
  return metrics.flatMap((line) => {
    const value = nameIn(line, key) === metric ? line[key] : undefined;
    return typeof value === 'number' ? [{ step: line.step, value }] : [];
  });
}

/** Mean of the values after the step before and up to each; null where there is none. */
function meansBetween(points: readonly Point[], edges: readonly number[]): (number | null)[] {
  return edges.map((edge, i) => {
    const from = edges[i - 1] ?? 0;
    return meanOrNull(points.filter(({ step }) => step > from && step <= edge).map(({ value }) => value));
  });
}

function meanOfRuns(runs: readonly (readonly (number | null)[])[]): (number | null)[] {
  const length = runs[0]?.length ?? 0;
  return Array.from({ length }, (_, i) => meanOrNull(runs.flatMap((run) => run[i] ?? [])));
}

function meanOrNull(values: readonly number[]): number | null {
  return values.length === 0 ? null : meanAndSpread(values).mean;
}

/** Lines of steps, without those of evaluations. */
function stepLines({ metrics }: ReadRun): readonly Metrics[] {
  return metrics.filter(({ evaluation }) => evaluation === undefined);
}

/** Mean loss over the last tenth of a run's lines. */
export function lastLoss(run: ReadRun): number | null {
  const losses = pointsOf(run, 'loss').map(({ value }) => value);
  return meanOrNull(losses.slice(-Math.max(1, Math.round(losses.length / 10))));
}

/** Median over its lines, since the first ones and those beside an evaluation are slower. */
export function throughput(run: ReadRun): number | null {
  const rates = pointsOf(run, 'clipsPerSecond').map(({ value }) => value);
  rates.sort((a, b) => a - b);
  return rates[rates.length >> 1] ?? null;
}

/** Part of the time of all steps in which they waited for their batch. */
export function dataWait(run: ReadRun): number | null {
  const sum = (key: string) =>
    stepLines(run).reduce((total, line) => total + (typeof line[key] === 'number' ? line[key] : 0), 0);
  const [data, step] = [sum('dataSeconds'), sum('stepSeconds')];
  return data + step > 0 ? data / (data + step) : null;
}

/** Last step that its metrics tell of. */
export function lastStep(run: ReadRun): number | null {
  return run.metrics.at(-1)?.step ?? null;
}
