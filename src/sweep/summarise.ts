/** The table of a sweep: what each cell came to over its seeds. */
import { lastLoss, throughput } from '../compare/curves.js';
import { measuresOf } from '../compare/outcomes.js';
import { type ReadRun, readRun } from '../compare/read-run.js';
import type { EvaluationResult } from '../eval/evaluation-result.js';
import { meanInterval } from '../eval/intervals.js';
import type { ClassificationScore } from '../eval/protocols.js';
import type { RetrievalScore } from '../eval/scores.js';
import { textOf } from './grid.js';
import type { PlannedCell } from './plan-sweep.js';
import type { SeedValues, SweepResult, SweptCell, SweptMeasure } from './result.js';

export type RunEvaluation = EvaluationResult<ClassificationScore> | EvaluationResult<RetrievalScore>;

/** A run that is done, with its evaluations. */
export interface DoneRun {
  readonly seed: number;
  readonly folder: string;
  readonly evaluations: readonly RunEvaluation[];
}

export async function summarise(
  { name, values, folder }: PlannedCell,
  runs: readonly DoneRun[],
): Promise<SweptCell> {
  const read = await Promise.all(runs.map((run) => readRun(run.folder)));
  return {
    ...{ name, values, folder },
    seeds: runs.map(({ seed }) => seed),
    loss: overSeeds(read, lastLoss),
    clipsPerSecond: overSeeds(read, throughput),
    measures: measuresOver(runs),
  };
}

function overSeeds(runs: readonly ReadRun[], of: (run: ReadRun) => number | null): SeedValues | null {
  const values = runs.flatMap((run) => of(run) ?? []);
  return values.length === 0 ? null : { values, ...meanInterval(values) };
}

/** Of every measure of every protocol that all of the runs have. */
function measuresOver(runs: readonly DoneRun[]): SweptMeasure[] {
  const [first] = runs;
  return (first?.evaluations ?? []).flatMap((evaluation, e) =>
    measuresOf(evaluation).map(({ measure, count }, m) => {
      const values = runs.map(({ evaluations }) => measuresOf(evaluations[e]!)[m]!.value);
      return { protocol: evaluation.protocol, measure, values, ...meanInterval(values, 1 / count) };
    }),
  );
}

/**
 * Columns of the table and a row for each cell, as texts: of numbers the mean, and how far the interval goes to either
 * side.
 */
export function tableOf({
  cells,
  grid,
  seeds,
  failures,
}: Pick<SweepResult, 'cells' | 'grid' | 'seeds' | 'failures'>): {
  readonly columns: readonly { readonly title: string; readonly isNumber: boolean }[];
  readonly rows: readonly (readonly string[])[];
} {
  const keys = Object.keys(grid).sort();
  const measures = cells.find((cell) => cell.measures.length > 0)?.measures ?? [];
  const columns = [
    ...(keys.length === 0 ? ['cell'] : keys).map((title) => ({ title, isNumber: false })),
    ...['seeds', 'loss', 'clips/s'].map((title) => ({ title, isNumber: true })),
    ...measures.map(({ protocol, measure }) => ({ title: `${protocol} ${measure}, %`, isNumber: true })),
  ];
  const rows = cells.map(({ name, values, seeds: done, loss, clipsPerSecond, measures: own }) => {
    const failed = failures.filter(({ cell }) => cell === name).length;
    return [
      ...(keys.length === 0 ? [name] : keys.map((key) => textOf(values[key]))),
      `${done.length} of ${seeds}${failed > 0 ? `, ${failed} failed` : ''}`,
      withInterval(loss, (value) => value.toPrecision(4)),
      clipsPerSecond === null ? '-' : clipsPerSecond.mean.toPrecision(3),
      ...measures.map((_, m) => withInterval(own[m] ?? null, (value) => (100 * value).toFixed(1))),
    ];
  });
  return { columns, rows };
}

function withInterval(of: SeedValues | null, show: (value: number) => string): string {
  if (of === null) return '-';
  const { mean, interval } = of;
  return interval === null ? show(mean) : `${show(mean)} ± ${show(interval[1] - mean)}`;
}

/** The table as Markdown, with what it takes to read it. */
export function markdownOf(result: SweepResult): string {
  const { columns, rows } = tableOf(result);
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const failures = result.failures.map(
    ({ cell, seed, code, reason }) => `- ${cell}, seed ${seed}: ${code}: ${reason}`,
  );
  return [
    line(columns.map(({ title }) => title)),
    line(columns.map(({ isNumber }) => (isNumber ? '--:' : '---'))),
    ...rows.map(line),
    '',
    `(${result.interval}.)`,
    ...(failures.length > 0 ? ['', 'Failed:', '', ...failures] : []),
    '',
  ].join('\n');
}
