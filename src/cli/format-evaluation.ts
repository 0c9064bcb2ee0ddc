import type { EvaluationResult } from '../eval/evaluate.js';
import type { FloorName } from '../eval/floors.js';
import type { ClassificationScore, RecallScore } from '../eval/protocols.js';
import type { FactorScore, RetrievalScore } from '../eval/scores.js';
import { formatTable, percent, right } from './table.js';

type Result = EvaluationResult<ClassificationScore> | EvaluationResult<RetrievalScore>;

/** The table that `eval` prints: the trained encoder, the untrained one, the pixel floors. All numbers in percent. */
export function formatEvaluation(result: Result): string {
  const { encoder, data, protocol } = result;
  const title =
    `${protocol}: ${encoder.arch} width ${encoder.width}, ${encoder.method} after ${encoder.step} steps, ` +
    `${encoder.clip.frames} x ${encoder.clip.size}, input ${encoder.input}; ${data.used} of ${data.videos} videos`;
  const body = isRetrieval(result) ? formatRetrieval(result) : formatClassification(result);
  return [`${title}\n${body}`, ...formatFactors(result)].join('\n\n');
}

function isRetrieval(result: Result): result is EvaluationResult<RetrievalScore> {
  return result.protocol === 'retrieval';
}

/** Name and score of each representation, in the order in which they are shown. */
function representations<S>({ trained, random, floors }: EvaluationResult<S>): [string, S][] {
  return [
    ['trained', trained],
    ...(random ? [['random', random] as [string, S]] : []),
    ...Object.entries(floors ?? {}).map(([name, score]): [string, S] => [`pixels: ${name}`, score]),
  ];
}

function formatClassification(result: EvaluationResult<ClassificationScore>): string {
  const several = result.trained.folds.length > 1;
  const columns = [
    { title: '' },
    right('accuracy'),
    right('95 % interval'),
    right('mean of classes'),
    right('correct'),
  ];
  const { merged } = result.trained;
  if (merged) columns.push(right(`merged to ${merged.classes}`));
  if (several) columns.push(right(`spread of ${result.trained.folds.length} folds`));
  const rows = representations(result).map(([name, score]) => [
    name,
    percent(score.accuracy),
    score.interval.map(percent).join(' - '),
    percent(score.meanClassAccuracy),
    `${score.correct} of ${score.count}`,
    ...(merged ? [percent(score.merged?.accuracy)] : []),
    ...(several ? [percent(score.foldSpread)] : []),
  ]);
  const classes = result.trained.classes.filter(({ count }) => count > 0).length;
  rows.push(['chance', percent(1 / Math.max(1, classes)), '', '', '', percent(merged?.chance)]);
  const note = merged ? "\n(merged: classes that the data's column 'merged' makes one; flips do)" : '';
  return formatTable(columns, rows) + note;
}

/** What else the features tell: accuracies in percent, R^2 of numbers in hundredths. */
function formatFactors({ factors }: Result): string[] {
  const first = factors?.[0];
  if (!factors || !first) return [];
  type Pick = (factor: FactorScore) => number | undefined;
  const columns: [string, Pick][] = [['trained', (factor) => factor.trained]];
  if (first.random !== undefined) columns.push(['random', (factor) => factor.random]);
  for (const name of Object.keys(first.floors ?? {}) as FloorName[])
    columns.push([`pixels: ${name}`, (factor) => factor.floors?.[name]]);
  columns.push(['chance', (factor) => factor.chance]);
  const rows = factors.map((factor) => [
    factor.name,
    factor.kind === 'category' ? `accuracy, ${factor.size} values` : 'R^2',
    ...columns.map(([, pick]) => percent(pick(factor))),
  ]);
  const head = [{ title: 'factor' }, { title: 'score, x 100' }, ...columns.map(([name]) => right(name))];
  return [`${formatTable(head, rows)}\n(${first.count} test videos, 5 folds)`];
}

function formatRetrieval(result: EvaluationResult<RetrievalScore>): string {
  const scores = representations(result);
  const part = (heading: string, pick: (score: RetrievalScore) => RecallScore | undefined) => {
    const first = pick(result.trained);
    if (!first) return [];
    const ks = Object.keys(first.recall);
    const rows = scores.map(([name, score]) => [
      name,
      ...ks.map((k) => percent(pick(score)!.recall[Number(k)])),
      String(pick(score)!.medianRank ?? '-'),
    ]);
    rows.push(['chance', ...ks.map((k) => percent(first.chance[Number(k)])), '']);
    const sizes = `${first.queries} queries, ${Math.round(first.gallery)} in the gallery`;
    const columns = [{ title: heading }, ...ks.map((k) => right(`R@${k}`)), right('median rank')];
    return [`${formatTable(columns, rows)}\n(${sizes})`];
  };
  return [
    ...part('same label', (score) => score.label),
    ...part('same video', (score) => score.instance),
  ].join('\n\n');
}
