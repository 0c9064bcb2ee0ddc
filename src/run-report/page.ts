/** The page of a report: its sections, in the order in which they are read. */
import { html, htmlPage, type Markup } from '../report/html.js';
import { CHART_STYLES } from '../report/line-chart.js';
import { MOVING_STYLES, movingPicture, noPicture, stillSwitch } from '../report/moving.js';
import { nameMarkup, printable } from '../report/names.js';
import type { ThumbnailOrReason } from '../report/thumbnails.js';
import type { ShownSample } from './augmentations.js';
import { learningCharts, speedCharts } from './curves.js';
import { evaluationSection } from './evaluations.js';
import { type ClipMap, mapSection, retrievalSection, spriteRules } from './map.js';
import { PAGE_SCRIPT } from './page-script.js';
import { PAGE_STYLES } from './page-styles.js';
import { dataOf, type ReadRun } from './read-run.js';
import { configSection, quarantineSection, runTable } from './run-table.js';

export interface ReportContent {
  readonly runs: readonly ReadRun[];
  /** Curves of each run by itself. */
  readonly separate: boolean;
  readonly map: ClipMap | null;
  readonly views: readonly { readonly run: string; readonly samples: readonly ShownSample[] }[];
  readonly warnings: readonly string[];
}

export interface Section {
  readonly id: string;
  readonly title: string;
  readonly markup: Markup;
}

/** What follows the run folders: the sections that a server sends anew while runs go on. */
export function changingSections({
  runs,
  separate,
  warnings,
}: Pick<ReportContent, 'runs' | 'separate' | 'warnings'>): Section[] {
  const own = (charts: typeof learningCharts) =>
    separate && runs.length > 1
      ? html`${runs.map((run, i) => html`<h3>${nameMarkup(run.name)}</h3>${charts([run], `${i}-`)}`)}`
      : charts(runs);
  const notes = [...warnings, ...runs.flatMap((run) => run.warnings)];
  return [
    section(
      'runs',
      'Runs',
      html`${runTable(runs)}${notes.length > 0 && html`<ul class="notes">${notes.map((note) => html`<li>${nameMarkup(note)}</li>`)}</ul>`}`,
    ),
    section('learning', 'Learning', own(learningCharts)),
    section('speed', 'Speed', own(speedCharts)),
    section('evaluations', 'Evaluations', evaluationSection(runs)),
    section('quarantine', 'Files left out', quarantineSection(runs)),
    section('config', 'Configuration', configSection(runs)),
  ];
}

function section(id: string, title: string, content: Markup): Section {
  return {
    id,
    title,
    markup: html`<section id="${id}" aria-labelledby="${id}-title">\n<h2 id="${id}-title">${title}</h2>\n${content}\n</section>\n`,
  };
}

/** The whole page as one file; `live`: as a server gives it at this version, which sends newer sections. */
export function reportPage(content: ReportContent, { live }: { readonly live?: number } = {}): string {
  const { runs, map, views } = content;
  const changing = changingSections(content);
  const still = [
    ...(map
      ? [
          section('map', 'Map of clips', mapSection(map)),
          section('retrieval', 'Nearest clips', retrievalSection(map)),
        ]
      : []),
    ...(views.some(({ samples }) => samples.length > 0)
      ? [section('views', 'What augmentation does', viewsSection(views))]
      : []),
  ];
  const after = changing.findIndex(({ id }) => id === 'quarantine');
  const sections = [...changing.slice(0, after), ...still, ...changing.slice(after)];
  const title = runs.length === 1 ? `Report of ${printable(runs[0]!.name)}` : `Report of ${runs.length} runs`;
  const body = html`<header>
<h1>${title}</h1>
<p class="quiet">Trained on ${[...new Set(runs.map(dataOf))].map((data, i) => html`${i > 0 && '; '}${nameMarkup(data)}`)}.</p>
${live !== undefined && html`<p id="live" role="status" data-version="${live}">Following the runs.</p>`}
<nav aria-label="Sections">${sections.map(({ id, title: name }) => html`<a href="#${id}">${name}</a> `)}</nav>
${stillSwitch}
</header>
${sections.map(({ markup }) => markup)}
${map && spriteRules(map)}`;
  const styles = MOVING_STYLES + CHART_STYLES + PAGE_STYLES;
  return htmlPage({ title, styles, body, script: PAGE_SCRIPT, live: live !== undefined });
}

/** Samples of each run: the whole picture with the part that is cut out, and each view. */
function viewsSection(views: ReportContent['views']): Markup {
  const picture = (made: ThumbnailOrReason, said: string) =>
    'thumbnail' in made ? movingPicture(made.thumbnail, said) : noPicture(made.reason);
  const sample = ({ path, before, views: all }: ShownSample) => html`<div class="sample">
<figure class="card">${picture(before, `${printable(path)}, as it is`)}<figcaption><p class="name">As it is</p><p class="within" title="${printable(path)}">${nameMarkup(path.slice(path.lastIndexOf('/') + 1))}</p></figcaption></figure>
${all.map(
  ({ name, done, crop, after }) =>
    html`<figure class="card">${picture(after, `${name}: ${done.join(', ')}`)}<figcaption><div class="cut">${cutOut(crop, before)}<div><p class="name">${name}</p><p class="within">${done.join(', ')}</p></div></div></figcaption></figure>\n`,
)}</div>\n`;
  return html`<p class="quiet">The first clips that the runs draw, and the views that they make of them: the small frame shows which part of the picture a view is.</p>
${views.map(({ run, samples }) => html`${views.length > 1 && html`<h3>${nameMarkup(run)}</h3>`}<div class="samples">${samples.map(sample)}</div>`)}`;
}

/** A frame of the picture's shape, the crop filled. */
function cutOut([x0, y0, x1, y1]: ShownSample['views'][number]['crop'], before: ThumbnailOrReason): Markup {
  const ratio = 'thumbnail' in before ? before.thumbnail.width / before.thumbnail.height : 1;
  const percent = (share: number) => `${(100 * share).toFixed(1)}%`;
  const inner = `left:${percent(x0)};top:${percent(y0)};width:${percent(x1 - x0)};height:${percent(y1 - y0)}`;
  return html`<div class="frame" style="aspect-ratio:${ratio.toFixed(3)}" aria-hidden="true"><i style="${inner}"></i></div>`;
}
