import type { AnyEvaluationResult } from '../eval/evaluate.js';
import type { EvaluationResult } from '../eval/evaluation-result.js';
import type { FloorName } from '../eval/floors.js';
import type { LowshotScore } from '../eval/lowshot.js';
import type { ClassificationScore, RecallScore } from '../eval/protocols.js';
import type { FactorScore, RetrievalScore } from '../eval/scores.js';
import { formatTable, percent, right } from './table.js';

type Result = AnyEvaluationResult;

/** What is shown of a result beside its table. */
export interface Shown {
  /** Which classes were taken for which. */
  readonly confusion?: boolean;
}

/** The table that `eval` prints: the trained encoder, the untrained one, the pixel floors. All numbers in percent. */
export function formatEvaluation(result: Result, { confusion = false }: Shown = {}): string {
  const { encoder, data, protocol } = result;
  const title =
    `${protocol}: ${encoder.arch} width ${encoder.width}, ${encoder.method} after ${encoder.step} steps, ` +
    `${result.settings.frames ?? encoder.clip.frames} x ${encoder.clip.size}, input ${encoder.input}; ${data.used} of ${data.videos} videos`;
  if (isLowshot(result)) return `${title}\n${formatLowshot(result)}`;
  if (isRetrieval(result)) return `${title}\n${formatRetrieval(result)}`;
  const confused = confusion ? [formatConfusion(result.trained)] : [];
  return [`${title}\n${formatClassification(result)}`, ...confused, ...formatFactors(result)].join('\n\n');
}

function isRetrieval(result: Result): result is EvaluationResult<RetrievalScore> {
  return result.protocol === 'retrieval';
}

function isLowshot(result: Result): result is EvaluationResult<LowshotScore> {
  return result.protocol === 'lowshot';
}

/** Name and score of each representation, in the order in which they are shown. */
function representations<S>({ trained, random, floors }: EvaluationResult<S>): [string, S][] {
  return [
    ['trained', trained],
    ...(random ? [['random', random] as [string, S]] : []),
    ...Object.entries(floors ?? {}).map(([name, score]): [string, S] => [`pixels: ${name}`, score]),
  ];
}

/** Each score, and below it that of the standardised features where there is one. */
function withStandardized<S extends { readonly standardized?: S }>(scores: [string, S][]): [string, S][] {
  return scores.flatMap(([name, score]) => [
    [name, score] as [string, S],
    ...(score.standardized ? [[`${name}, standardised`, score.standardized] as [string, S]] : []),
  ]);
}

function between(interval: readonly [number, number]): string {
  return interval.map(percent).join(' - ');
}

type Cells = [title: string, of: (score: ClassificationScore) => string, chance?: string];

function formatClassification(result: EvaluationResult<ClassificationScore>): string {
  const { merged, folds, top5, classes } = result.trained;
  const known = classes.filter(({ count }) => count > 0).length;
  const cells: Cells[] = [
    ['accuracy', (score) => percent(score.accuracy), percent(1 / Math.max(1, known))],
    ['95 % interval', (score) => between(score.interval)],
    ['mean of classes', (score) => percent(score.meanClassAccuracy)],
  ];
  if (top5)
    cells.push([
      'top 5',
      (score) => percent(score.top5?.accuracy),
      percent(Math.min(1, 5 / Math.max(1, known))),
    ]);
  cells.push(['correct', (score) => `${score.correct} of ${score.count}`]);
  if (merged)
    cells.push([
      `merged to ${merged.classes}`,
      (score) => percent(score.merged?.accuracy),
      percent(merged.chance),
    ]);
  if (folds.length > 1) cells.push([`spread of ${folds.length} folds`, (score) => percent(score.foldSpread)]);
  const rows = withStandardized(representations(result)).map(([name, score]) => [
    name,
    ...cells.map(([, of]) => of(score)),
  ]);
  rows.push(['chance', ...cells.map(([, , chance = '']) => chance)]);
  const note = merged ? "\n(merged: classes that the data's column 'merged' makes one; flips do)" : '';
  return formatTable([{ title: '' }, ...cells.map(([title]) => right(title))], rows) + note;
}

/** A line for each number of labels. */
function formatLowshot(result: EvaluationResult<LowshotScore>): string {
  const first = result.trained.shots[0]!;
  const columns = [
    right('labels a class'),
    { title: '' },
    right('accuracy'),
    right('95 % interval'),
    right(`spread of ${first.draws.length} draws`),
    right('mean of classes'),
    ...(first.top5 ? [right('top 5')] : []),
  ];
  const rows = result.trained.shots.flatMap(({ shots }, i) =>
    representations(result).map(([name, { shots: scores }], place) => {
      const score = scores[i]!;
      return [
        place === 0 ? String(shots) : '',
        name,
        percent(score.accuracy),
        between(score.interval),
        percent(score.drawSpread),
        percent(score.meanClassAccuracy),
        ...(first.top5 ? [percent(score.top5?.accuracy)] : []),
      ];
    }),
  );
  rows.push(['', 'chance', percent(1 / result.data.labels.length), '', '', '']);
  return formatTable(columns, rows);
}

/** Classes whose matrix is shown whole, and confusions that are listed of more. */
const SHOWN_CLASSES = 16;
const SHOWN_CONFUSIONS = 20;

/** A row for each class, a column for what it was taken for; of many classes the most frequent confusions. */
function formatConfusion({ confusion, classes }: ClassificationScore): string {
  const used = classes.flatMap(({ count }, c) =>
    count > 0 || confusion.some((row) => row[c]! > 0) ? [c] : [],
  );
  const name = (c: number) => classes[c]!.label;
  if (used.length <= SHOWN_CLASSES) {
    const rows = used.map((c) => [name(c), ...used.map((p) => String(confusion[c]![p]!))]);
    return formatTable([{ title: 'true \\ taken for' }, ...used.map((c) => right(name(c)))], rows);
  }
  const pairs = used.flatMap((c) => used.filter((p) => p !== c).map((p) => ({ c, p, n: confusion[c]![p]! })));
  const most = pairs.filter(({ n }) => n > 0).sort((a, b) => b.n - a.n);
  const rows = most
    .slice(0, SHOWN_CONFUSIONS)
    .map(({ c, p, n }) => [name(c), name(p), `${n} of ${classes[c]!.count}`]);
  return formatTable([{ title: 'true' }, { title: 'taken for' }, right('videos')], rows);
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
    between(factor.intervals.trained),
  ]);
  const head = [
    { title: 'factor' },
    { title: 'score, x 100' },
    ...columns.map(([name]) => right(name)),
    right('trained, 95 %'),
  ];
  return [`${formatTable(head, rows)}\n(${first.count} test videos, 5 folds)`];
}

function formatRetrieval(result: EvaluationResult<RetrievalScore>): string {
  return [
    ...formatRecall('same label', result, (score) => score.label),
    ...formatRecall('same video', result, (score) => score.instance),
  ].join('\n\n');
}

function formatRecall(
  heading: string,
  result: EvaluationResult<RetrievalScore>,
  pick: (score: RetrievalScore) => RecallScore | undefined,
): string[] {
  const first = pick(result.trained);
  if (!first) return [];
  const ks = Object.keys(first.recall).map(Number);
  const [least] = ks;
  const { mapAtR, clusters } = first;
  const cells: [title: string, of: (score: RecallScore) => string, chance?: string][] = ks.map((k) => [
    `R@${k}`,
    (score) => percent(score.recall[k]),
    percent(first.chance[k]),
  ]);
  if (least !== undefined) cells.splice(1, 0, ['95 % interval', (score) => between(score.intervals[least]!)]);
  cells.push(['median rank', (score) => String(score.medianRank ?? '-')]);
  if (mapAtR) cells.push(['MAP@R', (score) => percent(score.mapAtR?.value), percent(mapAtR.chance)]);
  if (clusters) cells.push(['NMI', (score) => percent(score.clusters?.nmi), percent(clusters.chance)]);
  const scores = representations(result).map(([name, score]): [string, RecallScore] => [name, pick(score)!]);
  const rows = withStandardized(scores).map(([name, score]) => [name, ...cells.map(([, of]) => of(score))]);
  rows.push(['chance', ...cells.map(([, , chance = '']) => chance)]);
  const sizes = `${first.queries} queries, ${Math.round(first.gallery)} in the gallery`;
  return [`${formatTable([{ title: heading }, ...cells.map(([title]) => right(title))], rows)}\n(${sizes})`];
}
