/** Curves as a picture of lines, with a slider under it that reads them out: by pointer, by keyboard, to a screen reader. */
import { html, type Markup } from './html.js';
import { nameMarkup } from './names.js';

/** What is drawn at one place: the mean of some values, the least and the greatest of them. */
export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  readonly low: number;
  readonly high: number;
}

export interface ChartLine {
  readonly name: string;
  /** Which of the page's colours and dashes it has. */
  readonly color: number;
  /** By rising x. Values that are not finite are left out. */
  readonly points: readonly ChartPoint[];
}

export interface LineChart {
  /** Of the element; other charts of the page have others. */
  readonly id: string;
  readonly title: string;
  /** What x counts: 'step'. */
  readonly x: string;
  /** Values are shares: shown in per cent. */
  readonly share?: boolean;
  readonly lines: readonly ChartLine[];
}

/** Of the drawing; it scales with the page. */
const [WIDTH, HEIGHT] = [400, 220];
const PLOT = { left: 50, right: 392, top: 8, bottom: 192 } as const;

/** Which line is whose, for all charts that have the same lines. */
export function legend(names: readonly string[]): Markup {
  return html`<p class="legend">${names.map((name, i) => html`<span class="key c${i % COLORS}">${nameMarkup(name)}</span> `)}</p>`;
}

/** A figure with a heading, the drawing and its slider. */
export function lineChart({ id, title, x, share = false, lines }: LineChart): Markup {
  const drawn = lines
    .map((line) => ({ ...line, points: line.points.filter(({ y }) => Number.isFinite(y)) }))
    .filter(({ points }) => points.length > 0);
  if (drawn.length === 0)
    return html`<figure class="chart" id="${id}"><figcaption><b>${title}</b></figcaption><p class="quiet">No values yet.</p></figure>`;
  const all = drawn.flatMap(({ points }) => points);
  const [first, last] = [Math.min(...all.map((one) => one.x)), Math.max(...all.map((one) => one.x))];
  const scaleX = axis(first, last, PLOT.left, PLOT.right, 5);
  const scaleY = axis(...valueRange(all, share), PLOT.bottom, PLOT.top, 4);
  const told = drawn.map(({ name, points }) => ({
    name,
    x: points.map((one) => one.x),
    y: points.map(({ y }) => Number(y.toPrecision(5))),
  }));
  const data = JSON.stringify({ x, share, left: PLOT.left / WIDTH, right: PLOT.right / WIDTH, lines: told });
  return html`<figure class="chart" id="${id}" data-chart="${data}">
<figcaption><b>${title}</b></figcaption>
<div class="plot"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${inWords(title, x, drawn, share)}">
${scaleY.ticks.map((tick) => html`<path class="grid" d="M${PLOT.left} ${at(scaleY.place(tick))}H${PLOT.right}"/><text x="${PLOT.left - 8}" y="${at(scaleY.place(tick) + 4)}" text-anchor="end">${figure(tick, share)}</text>`)}
${scaleX.ticks.map((tick) => html`<text x="${at(scaleX.place(tick))}" y="${PLOT.bottom + 20}" text-anchor="middle">${figure(tick)}</text>`)}
${drawn.map((line) => lineOf(line, scaleX.place, scaleY.place))}
</svg><div class="cross" hidden></div></div>
<input class="scrub" id="${id}-scrub" type="range" min="${first}" max="${last}" step="any" value="${last}" aria-label="${title}: ${x}">
<output for="${id}-scrub" class="readout">${readout(told, share, x, last)}</output>
</figure>`;
}

/** Colours of lines and labels that a page has; the next one is the first again. */
export const COLORS = 8;

interface Axis {
  readonly ticks: readonly number[];
  place(value: number): number;
}

function axis(first: number, last: number, from: number, to: number, count: number): Axis {
  const span = last - first || 1;
  return {
    ticks: niceTicks(first, last, count),
    place: (value) => from + ((value - first) / span) * (to - from),
  };
}

/** Round numbers from `first` to `last`, about `count` of them. */
export function niceTicks(first: number, last: number, count: number): number[] {
  if (!(last > first)) return [first];
  const rough = (last - first) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999)!;
  const ticks: number[] = [];
  for (let k = Math.ceil(first / step - 1e-9); k * step <= last + step * 1e-9; k++)
    ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
}

/** From the least to the greatest value that is drawn, with some room; lone peaks do not press the rest flat. */
function valueRange(points: readonly ChartPoint[], share: boolean): [number, number] {
  if (share) return [0, Math.max(...points.map(({ y }) => y), 0.01)];
  const means = points.map(({ y }) => y).sort((a, b) => a - b);
  const [least, most] = [means[0]!, means.at(-1)!];
  const room = (most - least || Math.abs(most) || 1) * 0.06;
  // what is never negative begins at 0 where that costs little
  const low = least >= 0 && least < (most - least) * 0.6 ? 0 : least - room;
  return [low, most + room];
}

function lineOf({ points, color }: ChartLine, x: Axis['place'], y: Axis['place']): Markup {
  const clamp = (value: number) => Math.min(PLOT.bottom, Math.max(PLOT.top, y(value)));
  const along = (list: readonly ChartPoint[], of: (point: ChartPoint) => number) =>
    list.map((point) => `${at(x(point.x))} ${at(clamp(of(point)))}`).join('L');
  const band = `M${along(points, ({ high }) => high)}L${along([...points].reverse(), ({ low }) => low)}Z`;
  const dot =
    points.length === 1
      ? html`<circle cx="${at(x(points[0]!.x))}" cy="${at(clamp(points[0]!.y))}" r="3"/>`
      : null;
  const wide = points.some(({ low, high }) => high > low);
  return html`<g class="line c${color % COLORS}">${wide && html`<path class="band" d="${band}"/>`}<path d="M${along(points, (point) => point.y)}"/>${dot}</g>`;
}

const at = (value: number) => value.toFixed(1);

/** What a screen reader says of the picture. */
function inWords(title: string, x: string, lines: readonly ChartLine[], share: boolean): string {
  const of = ({ name, points }: ChartLine) =>
    `${name} from ${figure(points[0]!.y, share)} at ${x} ${figure(points[0]!.x)} to ${figure(points.at(-1)!.y, share)} at ${x} ${figure(points.at(-1)!.x)}`;
  return `${title}: ${lines.map(of).join('; ')}`;
}

interface Told {
  readonly name: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** The values at a place; the page's script says the same of others. */
function readout(lines: readonly Told[], share: boolean, x: string, place: number): string {
  const values = lines.map(({ name, x: xs, y }) => {
    const nearest = xs.reduce(
      (best, one, i) => (Math.abs(one - place) < Math.abs(xs[best]! - place) ? i : best),
      0,
    );
    return `${lines.length > 1 ? `${name} ` : ''}${figure(y[nearest]!, share)}`;
  });
  return `${x} ${figure(place)}: ${values.join(', ')}`;
}

/** A number as a reader wants it: three or four digits, a share in per cent. */
export function figure(value: number, share = false): string {
  if (!Number.isFinite(value)) return String(value);
  if (share) return `${Number((100 * value).toFixed(1))} %`;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1).replace('e+', 'e');
  if (Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(size >= 1000 ? 6 : 4)));
}

/** Colours of the light page, then of the dark one; on their page all of them have a contrast of 4.5 or more. */
const LIGHT = ['#1f5fae', '#a8480a', '#14692f', '#8a3ea8', '#a3241c', '#0b6a75', '#7a5a00', '#5a6068'];
const DARK = ['#7db4f5', '#f0a35e', '#6fcf8b', '#cf9be8', '#ff9088', '#5cc8d4', '#d9bd5a', '#a4abb5'];
const DASHES = ['none', '7 3', '2 3', '10 3 2 3', '5 2', '12 4', '1 4', '8 2 2 2'];

const colorRules = (colors: readonly string[]) => colors.map((color, i) => `--c${i}: ${color};`).join(' ');

export const CHART_STYLES = `
:root { ${colorRules(LIGHT)} }
@media (prefers-color-scheme: dark) { :root { ${colorRules(DARK)} } }
${LIGHT.map((_, i) => `.c${i} { --color: var(--c${i}); }`).join('\n')}
${DASHES.map((dash, i) => `.line.c${i} path { stroke-dasharray: ${dash}; }`).join('\n')}
.chart { margin: 0; padding: .9rem 1rem .75rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px; min-width: 0; }
.chart figcaption { padding: 0; font-size: .9rem; display: flex; flex-wrap: wrap; justify-content: space-between; gap: .1rem 1rem; margin-bottom: .4rem; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1.25rem; font-size: .9rem; }
.key { color: var(--quiet); overflow-wrap: anywhere; } .key::before { content: ""; display: inline-block; width: 1.1rem; height: 3px; border-radius: 2px; background: var(--color); margin-right: .4rem; vertical-align: .2em; }
.plot { position: relative; } .plot svg { display: block; width: 100%; height: auto; }
.plot text { font-size: 12px; fill: var(--quiet); font-variant-numeric: tabular-nums; }
.grid { stroke: var(--line); stroke-width: 1; }
.line path { fill: none; stroke: var(--color); stroke-width: 2; stroke-linejoin: round; } .line circle { fill: var(--color); }
.line .band { fill: var(--color); opacity: .16; stroke: none; }
.cross { position: absolute; top: 4%; bottom: 12%; width: 1px; background: var(--quiet); pointer-events: none; }
.scrub { display: block; appearance: none; background: none; margin: .1rem calc(2% - 6px) 0 calc(12.5% - 6px); width: calc(85.5% + 12px); height: 1.1rem; cursor: ew-resize; }
.scrub::-webkit-slider-runnable-track { height: 2px; background: var(--line); } .scrub::-moz-range-track { height: 2px; background: var(--line); }
.scrub::-webkit-slider-thumb { appearance: none; width: 12px; height: 12px; margin-top: -5px; border-radius: 50%; background: var(--quiet); } .scrub::-moz-range-thumb { width: 12px; height: 12px; border: 0; border-radius: 50%; background: var(--quiet); }
.scrub:focus::-webkit-slider-thumb, .chart:hover .scrub::-webkit-slider-thumb { background: var(--accent); }
.readout { display: block; font-size: .85rem; color: var(--quiet); font-variant-numeric: tabular-nums; margin-top: .25rem; overflow-wrap: anywhere; }
`;
