import type {
  ComparedCurve,
  ComparedEvaluation,
  DifferentKey,
  PairedScore,
  RunsComparison,
} from '../compare/result.js';
import { sparkline } from './sparkline.js';
import { formatTable, percent, right } from './table.js';

/** What `compare` prints. Accuracies and their differences are in percent. */
export function formatComparison(comparison: RunsComparison): string {
  const { arms, config, environment, curves, evaluations, notPaired } = comparison;
  const names = arms.map(({ name }) => name);
  const cannot = notPaired.map(
    ({ protocol, arm, against, why }) => `${protocol} of ${arm} and of ${against} cannot be paired: ${why}`,
  );
  return [
    formatArms(comparison),
    formatKeys('configuration', config, names),
    ...(environment.length > 0 ? [formatKeys('ran with', environment, names)] : []),
    ...curves.map((curve) => formatCurve(curve, names)),
    ...evaluations.map(formatEvaluation),
    ...(cannot.length > 0 ? [cannot.join('\n')] : []),
  ].join('\n\n');
}

function formatArms({ arms }: RunsComparison): string {
  const columns = [
    { title: 'run' },
    right('seeds'),
    right('steps'),
    right('loss'),
    right('clips/s'),
    right('data wait, %'),
  ];
  const rows = arms.map(({ name, runs, step, totalSteps, loss, clipsPerSecond, dataWait }) => [
    name,
    runs.length === 0 ? '-' : String(runs.length),
    step === null ? '-' : totalSteps === null ? String(step) : `${step} of ${totalSteps}`,
    short(loss),
    short(clipsPerSecond, 3),
    percent(dataWait),
  ]);
  return formatTable(columns, rows);
}

/** Keys down, runs across; `-`: not there. */
function formatKeys(title: string, keys: readonly DifferentKey[], names: readonly string[]): string {
  if (keys.length === 0) return `${title}: the same`;
  return formatTable(
    [{ title }, ...names.map((name) => ({ title: name }))],
    keys.map(({ key, values }) => [key, ...values.map(showValue)]),
  );
}

function showValue(value: unknown): string {
  if (value === undefined) return '-';
  if (value === null) return 'null';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A row a run: the whole curve drawn, on a scale that all share, and the means at equal steps. */
function formatCurve({ metric, steps, values, shapes }: ComparedCurve, names: readonly string[]): string {
  const drawn = shapes.flat().filter((value) => value !== null);
  const range = [Math.min(...drawn), Math.max(...drawn)] as const;
  return formatTable(
    [{ title: metric }, { title: '' }, ...steps.map((step) => right(`to ${step}`))],
    names.map((name, a) => [name, sparkline(shapes[a]!, range), ...values[a]!.map((value) => short(value))]),
  );
}

function formatEvaluation({ measure, title, scores, paired }: ComparedEvaluation): string {
  const reference = paired[0]?.against;
  const columns = [
    { title: `${measure}, %` },
    right('mean'),
    right('95 % interval'),
    right('by seed'),
    right('videos'),
  ];
  const rows = scores.map(({ arm, value, interval, values, count }) => [
    arm,
    percent(value),
    showInterval(interval),
    values.length > 1 ? values.map(percent).join(' ') : '',
    String(count),
  ]);
  const table = `${title}\n${formatTable(columns, rows)}`;
  if (reference === undefined) return table;
  const differences = formatTable(
    [
      { title: `against ${reference}` },
      right('difference'),
      right('95 % interval'),
      { title: 'paired by' },
      { title: '' },
    ],
    paired.map((pair) => [
      pair.arm,
      signed(pair.difference),
      pair.interval.map(signed).join(' to '),
      pairedBy(pair),
      pair.verdict,
    ]),
  );
  return `${table}\n\n${differences}`;
}

function pairedBy({ by, pairs }: PairedScore): string {
  if (by === 'seed') return `${pairs} seeds`;
  return by === 'group' ? `${pairs} videos, in groups` : `${pairs} videos`;
}

function showInterval(interval: readonly [number, number] | null): string {
  return interval === null ? '-' : interval.map(percent).join(' - ');
}

/** 0.021 as '+2.1'. */
function signed(value: number): string {
  const text = percent(value);
  return value > 0 && !text.startsWith('-') ? `+${text}` : text;
}

function short(value: number | null, digits = 4): string {
  return value === null ? '-' : String(Number(value.toPrecision(digits)));
}
