/** The runs at a glance, what their configurations differ in, and each configuration whole. */
import { isRecord, type RawConfig } from '../config/raw.js';
import { html, type Markup } from '../report/html.js';
import { COLORS, figure } from '../report/line-chart.js';
import { nameMarkup, printable } from '../report/names.js';
import { dataOf, type ReadRun } from './read-run.js';

const STATES = { finished: 'finished', training: 'still training', stopped: 'stopped early' } as const;

export function runTable(runs: readonly ReadRun[]): Markup {
  const several = new Set(runs.map(dataOf)).size > 1;
  const heads = [
    'Run',
    'Method',
    'Network',
    'State',
    'Steps',
    'Loss',
    'Clips a second',
    'Waited for data',
    'Left out',
  ];
  if (several) heads.push('Data');
  return html`<div class="scroll" tabindex="0" role="region" aria-label="The runs"><table class="plain">
<thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
<tbody>${runs.map((run, i) => rowOf(run, i, several))}</tbody>
</table></div>`;
}

function rowOf(run: ReadRun, i: number, several: boolean): Markup {
  const { name, folder, config, state, step, totalSteps, faults } = run;
  const model = isRecord(config.model) ? config.model : {};
  const files = faults.filter(({ what }) => what === 'file').length;
  return html`<tr><th scope="row" title="${printable(folder)}"><span class="key c${i % COLORS}">${nameMarkup(name)}</span></th>
<td>${nameMarkup(String(config.method))}</td><td>${nameMarkup(`${model.arch ?? '?'}, width ${model.width ?? '?'}`)}</td>
<td class="state-${state}">${STATES[state]}</td><td class="number">${step}${totalSteps !== null && ` of ${totalSteps}`}</td>
<td class="number">${orDash(lastLoss(run))}</td><td class="number">${orDash(throughput(run))}</td>
<td class="number">${orDash(dataWait(run), true)}</td>
<td>${files === 0 ? 'nothing' : `${files} ${files === 1 ? 'file' : 'files'}`}</td>${several && html`<td>${nameMarkup(dataOf(run))}</td>`}</tr>
`;
}

const orDash = (value: number | null, share = false) =>
  value === null ? '-' : figure(Number(value.toPrecision(4)), share);

function numbers({ metrics }: ReadRun, key: string): number[] {
  return metrics.flatMap((line) => {
    const value = line.evaluation === undefined ? line[key] : undefined;
    return typeof value === 'number' ? [value] : [];
  });
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Mean over the last tenth of its lines. */
export function lastLoss(run: ReadRun): number | null {
  const all = numbers(run, 'loss');
  const last = all.slice(-Math.max(1, Math.round(all.length / 10)));
  return last.length === 0 ? null : sum(last) / last.length;
}

/** Median: the first steps, and those beside an evaluation, are slower. */
function throughput(run: ReadRun): number | null {
  const rates = numbers(run, 'clipsPerSecond').sort((a, b) => a - b);
  return rates[rates.length >> 1] ?? null;
}

function dataWait(run: ReadRun): number | null {
  const [data, step] = [sum(numbers(run, 'dataSeconds')), sum(numbers(run, 'stepSeconds'))];
  return data + step > 0 ? data / (data + step) : null;
}

/** Keys that not all runs set alike, then the whole of each. */
export function configSection(runs: readonly ReadRun[]): Markup {
  const flat = runs.map(({ config }) => leavesOf(config));
  const keys = [...new Set(flat.flatMap((leaves) => [...leaves.keys()]))].sort();
  const different = keys.filter(
    (key) => key !== 'out' && new Set(flat.map((leaves) => leaves.get(key))).size > 1,
  );
  const table =
    runs.length > 1 &&
    (different.length === 0
      ? html`<p>The runs have the same configuration.</p>`
      : html`<div class="scroll" tabindex="0" role="region" aria-label="Where the configurations differ"><table class="plain"><thead><tr><th scope="col">Key</th>${runs.map(({ name }) => html`<th scope="col">${nameMarkup(name)}</th>`)}</tr></thead>
<tbody>${different.map((key) => html`<tr><th scope="row">${nameMarkup(key)}</th>${flat.map((leaves) => html`<td>${nameMarkup(leaves.get(key) ?? 'absent')}</td>`)}</tr>`)}</tbody></table></div>`);
  return html`${table}
${runs.map(({ name, config, environment }) => html`<details><summary>${nameMarkup(name)}: the whole configuration</summary><pre tabindex="0">${JSON.stringify({ ...config, run: environment }, null, 2)}</pre></details>`)}`;
}

/** Every value that is no section, by its whole key, as text; a list is one value. */
function leavesOf(config: RawConfig, prefix = ''): Map<string, string> {
  const leaves = new Map<string, string>();
  for (const [name, value] of Object.entries(config)) {
    const key = prefix + name;
    if (isRecord(value)) for (const [inner, leaf] of leavesOf(value, `${key}.`)) leaves.set(inner, leaf);
    else leaves.set(key, JSON.stringify(value));
  }
  return leaves;
}

/** Files that were left out, and why; clips that another video's stood in for are counted. */
export function quarantineSection(runs: readonly ReadRun[]): Markup {
  const all = runs.flatMap((run) => run.faults.map((fault) => ({ run, fault })));
  const files = all.filter(({ fault }) => fault.what === 'file');
  const clips = all.length - files.length;
  if (all.length === 0) return html`<p>Every file could be used.</p>`;
  const shown = files.slice(0, MOST_FILES);
  return html`<p>${files.length} ${files.length === 1 ? 'file was' : 'files were'} left out of training${clips > 0 && `; ${clips} clips of other files could not be decoded, and another video stood in for each`}.</p>
${
  shown.length > 0 &&
  html`<div class="scroll" tabindex="0" role="region" aria-label="Files that were left out"><table class="plain"><thead><tr>${runs.length > 1 && html`<th scope="col">Run</th>`}<th scope="col">File</th><th scope="col">Why</th><th scope="col">Found</th></tr></thead><tbody>
${shown.map(
  ({ run, fault: { path, code, reason, step, where } }) =>
    html`<tr>${runs.length > 1 && html`<td>${nameMarkup(run.name)}</td>`}<th scope="row">${nameMarkup(path)}</th><td>${nameMarkup(reason)}<br><code>${code}</code>${where >= 0 && ` at ${figure(where)} s`}</td><td>${step === 0 ? 'before the first step' : `at step ${step}`}</td></tr>\n`,
)}</tbody></table></div>${files.length > MOST_FILES && html`<p class="quiet">${files.length - MOST_FILES} more are in quarantine.jsonl of the runs.</p>`}`
}`;
}

const MOST_FILES = 200;
