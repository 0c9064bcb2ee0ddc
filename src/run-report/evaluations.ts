/** Evaluations as tables: a question that several runs were asked is one table, with a confusion matrix for each answer. */
import type { EvaluationResult } from '../eval/evaluation-result.js';
import type { LowshotScore } from '../eval/lowshot.js';
import type { ClassificationScore } from '../eval/protocols.js';
import type { RetrievalScore } from '../eval/scores.js';
import type { WrittenEvaluation } from '../eval/written-evaluation.js';
import { html, type Markup } from '../report/html.js';
import { nameMarkup } from '../report/names.js';
import type { ReadRun } from './read-run.js';

interface Answer {
  readonly run: string;
  readonly result: WrittenEvaluation;
}

/** From here on a matrix is too large to be read: the classes that are confused most are listed instead. */
const MOST_CLASSES = 40;
const MOST_CONFUSED = 20;

export function evaluationSection(runs: readonly ReadRun[]): Markup {
  const questions = new Map<string, Answer[]>();
  for (const { name, evaluations } of runs)
    for (const result of evaluations) {
      const { protocol, data, settings } = result;
      const question = JSON.stringify([protocol, data, settings]);
      questions.set(question, [...(questions.get(question) ?? []), { run: name, result }]);
    }
  if (questions.size === 0)
    return html`<p class="quiet">No run has been evaluated: <code>vssl-native eval knn --run RUN ...</code> writes its result into the run folder.</p>`;
  return html`${[...questions.values()].map(questionOf)}`;
}

const OPEN = html` open`;

const NAMES: Readonly<Record<string, string>> = {
  knn: 'Nearest neighbours (kNN)',
  linear: 'Linear probe',
  lowshot: 'A few labels a class',
  retrieval: 'Retrieval',
  finetune: 'Fine-tuning',
  attentive: 'Attentive probe',
};

function questionOf(answers: readonly Answer[]): Markup {
  const { protocol, data } = answers[0]!.result;
  const where =
    data.data === undefined
      ? `${data.train} to ${data.test}`
      : `${data.data}${data.folds === undefined ? '' : `, folds by ${data.folds}`}`;
  return html`<section class="question"><h3>${NAMES[protocol] ?? nameMarkup(protocol)}</h3>
<p class="quiet">${data.used} of ${data.videos} videos: ${nameMarkup(where)}</p>
${tablesOf(protocol, answers)}
</section>`;
}

function tablesOf(protocol: string, answers: readonly Answer[]): Markup {
  if (protocol === 'retrieval') return recallTables(answers);
  return protocol === 'lowshot' ? shotsTable(answers) : accuracyTable(answers);
}

function shotsTable(answers: readonly Answer[]): Markup {
  const results = answers as readonly { run: string; result: EvaluationResult<LowshotScore> }[];
  const { shots } = results[0]!.result.trained;
  const rows = results.flatMap(({ run, result }) =>
    scoresOf(result).map(
      ([name, score]) =>
        html`<tr><th scope="row">${nameMarkup(run)}, ${name}</th>${score.shots.map(({ accuracy, interval }) => html`<td class="number">${percent(accuracy)} (${interval.map(percent).join(' to ')})</td>`)}</tr>\n`,
    ),
  );
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Accuracies with few labels"><table class="plain"><caption>Accuracy, % (95 % interval), by labels a class</caption>
<thead><tr><th scope="col">Encoder</th>${shots.map((one) => html`<th scope="col">${one.shots}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** The scores of one result, named: the trained encoder and what it is held against. */
function scoresOf<S>(result: EvaluationResult<S>): [name: string, score: S][] {
  const { trained, random, floors } = result;
  return [
    [`after ${result.encoder.step} steps`, trained],
    ...(random ? [['untrained', random] as [string, S]] : []),
    ...Object.entries(floors ?? {}).map(([name, score]): [string, S] => [`raw pixels: ${name}`, score]),
  ];
}

const percent = (share: number | null | undefined) =>
  typeof share === 'number' ? (100 * share).toFixed(1) : '-';

function accuracyTable(answers: readonly Answer[]): Markup {
  const results = answers as readonly { run: string; result: EvaluationResult<ClassificationScore> }[];
  const { classes } = results[0]!.result.trained;
  const chance = 1 / Math.max(1, classes.filter(({ count }) => count > 0).length);
  const rows = results.flatMap(({ run, result }) =>
    scoresOf(result).map(
      ([
        name,
        score,
      ]) => html`<tr><th scope="row">${nameMarkup(run)}, ${name}</th><td class="number strong">${percent(score.accuracy)}</td>
<td class="number">${(score.interval ?? []).map(percent).join(' to ')}</td><td>${accuracyBar(score, chance)}</td><td class="number">${percent(score.meanClassAccuracy)}</td><td class="number">${score.correct} of ${score.count}</td></tr>\n`,
    ),
  );
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Accuracies"><table class="plain"><thead><tr><th scope="col">Encoder</th><th scope="col">Accuracy, %</th><th scope="col">95 % interval</th><th scope="col">0 to 100 %</th><th scope="col">Mean of classes</th><th scope="col">Right</th></tr></thead><tbody>
${rows}<tr><th scope="row">chance</th><td class="number">${percent(chance)}</td><td></td><td></td><td></td><td></td></tr></tbody></table></div>
${results.map(({ run, result }, i) => html`<details${i === 0 && OPEN}><summary>${nameMarkup(run)}: what is taken for what</summary>${confusion(result.trained)}</details>`)}`;
}

/** A dot on the way from 0 to 100 %, its interval about it, and where chance is. */
function accuracyBar({ accuracy, interval }: ClassificationScore, chance: number): Markup {
  const [low, high] = interval ?? [accuracy, accuracy];
  const left = (share: number) => `left:${(100 * share).toFixed(1)}%`;
  return html`<div class="interval" aria-hidden="true"><i class="chance" style="${left(chance)}"></i><i class="range" style="${left(low)};width:${(100 * (high - low)).toFixed(1)}%"></i><i class="dot" style="${left(accuracy)}"></i></div>`;
}

function confusion({ classes, confusion: counts }: ClassificationScore): Markup {
  const names = classes.map(({ label }) => label);
  const tested = classes.flatMap(({ count }, c) =>
    count > 0 || counts.some((row) => (row[c] ?? 0) > 0) ? [c] : [],
  );
  if (tested.length > MOST_CLASSES) return mostConfused(names, counts);
  const cell = (truth: number, guess: number) => {
    const count = counts[truth]?.[guess] ?? 0;
    const share = count / Math.max(1, classes[truth]!.count);
    const kind = truth === guess ? 'right' : 'wrong';
    return html`<td class="${kind}" style="--share:${share.toFixed(3)}">${count === 0 ? '' : count}</td>`;
  };
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix"><table class="confusion">
<caption>A row for each true label, a column for what was said instead. Darker: a larger share of the row.</caption>
<thead><tr><th scope="col">True label</th>${tested.map((c) => html`<th scope="col"><span>${nameMarkup(names[c]!)}</span></th>`)}<th scope="col"><span>right, %</span></th></tr></thead>
<tbody>${tested.map((truth) => html`<tr><th scope="row">${nameMarkup(names[truth]!)}</th>${tested.map((guess) => cell(truth, guess))}<td class="number">${percent(classes[truth]!.accuracy)}</td></tr>\n`)}</tbody>
</table></div>`;
}

function mostConfused(names: readonly string[], counts: readonly (readonly number[])[]): Markup {
  const pairs = counts
    .flatMap((row, truth) => row.map((count, guess) => ({ truth, guess, count })))
    .filter(({ truth, guess, count }) => truth !== guess && count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, MOST_CONFUSED);
  return html`<table class="plain"><caption>${names.length} classes are too many for a matrix; these are confused most.</caption><thead><tr><th scope="col">True label</th><th scope="col">Taken for</th><th scope="col">Videos</th></tr></thead><tbody>${pairs.map(
    ({ truth, guess, count }) =>
      html`<tr><th scope="row">${nameMarkup(names[truth]!)}</th><td>${nameMarkup(names[guess]!)}</td><td class="number">${count}</td></tr>`,
  )}</tbody></table>`;
}

function recallTables(answers: readonly Answer[]): Markup {
  const results = answers as readonly { run: string; result: EvaluationResult<RetrievalScore> }[];
  return html`${(['label', 'instance'] as const).map((kind) => {
    const first = results[0]!.result.trained[kind];
    if (!first) return null;
    const ks = Object.keys(first.recall);
    const row = (
      name: Markup | string,
      recall: Readonly<Record<string, number>>,
      median: number | null | undefined,
    ) =>
      html`<tr><th scope="row">${name}</th>${ks.map((k) => html`<td class="number">${percent(recall[k])}</td>`)}<td class="number">${median ?? '-'}</td></tr>\n`;
    const rows = results.flatMap(({ run, result }) =>
      scoresOf(result).flatMap(([name, score]) =>
        score[kind]
          ? [row(html`${nameMarkup(run)}, ${name}`, score[kind].recall, score[kind].medianRank)]
          : [],
      ),
    );
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Recall, ${kind}"><table class="plain"><caption>${kind === 'label' ? 'A video of the same label' : 'Another moment of the same video'} among the k nearest, % of ${first.queries} queries</caption>
<thead><tr><th scope="col">Encoder</th>${ks.map((k) => html`<th scope="col">k = ${k}</th>`)}<th scope="col">Median place</th></tr></thead><tbody>${rows}${row('chance', first.chance, null)}</tbody></table></div>`;
  })}`;
}
