/** Curves of runs, from the lines of their metrics.jsonl. */
import { html, type Markup } from '../report/html.js';
import { type ChartLine, type ChartPoint, legend, lineChart } from '../report/line-chart.js';
import type { Metrics } from '../train/read-metrics.js';
import type { ReadRun } from './read-run.js';

/** Places of a line that is drawn: more than a screen's pixels show nothing more. */
const PLACES = 240;

/** Entries of a step's line that are no loss. */
const NO_LOSS = ['step', 'epoch', 'lr', 'gradNorm', 'clips', 'evaluation', 'clipsPerSecond'];
const isLoss = (name: string) => !NO_LOSS.includes(name) && !/(Seconds|Bytes|Share)$/.test(name);

interface Curve {
  readonly name: string;
  readonly title: string;
  readonly share?: boolean;
  value(line: Metrics): unknown;
}

/** Losses, rates, and what evaluations during training gave. */
export function learningCharts(runs: readonly ReadRun[], prefix = ''): Markup {
  const names = new Set<string>();
  const evaluated = new Map<string, Curve>();
  for (const line of runs.flatMap(({ metrics }) => metrics))
    for (const [name, value] of Object.entries(line)) {
      if (typeof value !== 'number') continue;
      const { evaluation } = line;
      if (typeof evaluation === 'string') addEvaluation(evaluated, evaluation, name);
      else if (isLoss(name)) names.add(name);
    }
  const losses = [...names].sort((a, b) => Number(b === 'loss') - Number(a === 'loss'));
  const curves: Curve[] = [
    ...losses.map((name) => stepCurve(name, name === 'loss' ? 'Loss' : `Loss: ${name}`)),
    ...evaluated.values(),
    stepCurve('lr', 'Learning rate'),
    stepCurve('gradNorm', 'Norm of the gradient'),
  ];
  return charts(runs, curves, prefix);
}

/** How fast the runs went, and what they waited for. */
export function speedCharts(runs: readonly ReadRun[], prefix = ''): Markup {
  const wait = ({ dataSeconds, stepSeconds }: Metrics) =>
    typeof dataSeconds === 'number' && typeof stepSeconds === 'number'
      ? dataSeconds / Math.max(1e-9, dataSeconds + stepSeconds)
      : undefined;
  const memory = (key: string) => (line: Metrics) =>
    typeof line[key] === 'number' && line[key] > 0 ? line[key] / 2 ** 20 : undefined;
  return charts(
    runs,
    [
      stepCurve('clipsPerSecond', 'Clips a second'),
      { name: 'wait', title: 'Share of the time that waited for data', share: true, value: wait },
      { ...stepCurve('othersShare', 'Share of the processors that other programs took'), share: true },
      { name: 'memory', title: 'Memory of the process, MB', value: memory('rssBytes') },
      { name: 'device', title: 'Memory of the GPU, MB', value: memory('deviceBytes') },
    ],
    prefix,
  );
}

const stepCurve = (name: string, title: string): Curve => ({
  ...{ name, title },
  value: (line) => (line.evaluation === undefined ? line[name] : undefined),
});

const WORDS: Readonly<Record<string, string>> = { meanClassAccuracy: 'accuracy, mean of the classes' };

function addEvaluation(found: Map<string, Curve>, evaluation: string, name: string): void {
  if (name === 'step' || name === 'epoch') return;
  const key = `${evaluation}-${name}`;
  const value = (line: Metrics) => (line.evaluation === evaluation ? line[name] : undefined);
  const title = `${evaluation === 'knn' ? 'kNN' : evaluation}: ${WORDS[name] ?? name}`;
  found.set(key, { name: key, title, share: /accuracy/i.test(name), value });
}

function charts(runs: readonly ReadRun[], curves: readonly Curve[], prefix: string): Markup {
  const drawn = curves.flatMap((curve) => {
    const { name, title, share } = curve;
    const lines = runs.map(
      (run, color): ChartLine => ({ name: run.name, color, points: pointsOf(run, curve) }),
    );
    if (lines.every(({ points }) => points.length === 0)) return [];
    const id = `chart-${prefix}${[...name].map((c) => (/\w/.test(c) ? c : '-')).join('')}`;
    return [lineChart({ id, title, share, x: 'step', lines })];
  });
  if (drawn.length === 0) return html`<p class="quiet">No step has been logged yet.</p>`;
  return html`${runs.length > 1 && legend(runs.map(({ name }) => name))}<div class="charts">${drawn}</div>`;
}

/** The values of a run in as many buckets of equal steps as are drawn at most. */
function pointsOf({ metrics }: ReadRun, { value }: Curve): ChartPoint[] {
  const points = metrics.flatMap((line) => {
    const y = value(line);
    return typeof y === 'number' && Number.isFinite(y) ? [{ x: line.step, y }] : [];
  });
  return thin(points);
}

export function thin(
  points: readonly { readonly x: number; readonly y: number }[],
  most = PLACES,
): ChartPoint[] {
  const [first, last] = [points[0]?.x ?? 0, points.at(-1)?.x ?? 0];
  const width = points.length <= most ? 0 : (last - first) / most;
  const buckets = new Map<number, { x: number; y: number; low: number; high: number; count: number }>();
  points.forEach(({ x, y }, i) => {
    const bucket = width > 0 ? Math.min(most - 1, Math.floor((x - first) / width)) : i;
    const known = buckets.get(bucket) ?? { x: 0, y: 0, low: y, high: y, count: 0 };
    buckets.set(bucket, {
      ...{ x: known.x + x, y: known.y + y, count: known.count + 1 },
      ...{ low: Math.min(known.low, y), high: Math.max(known.high, y) },
    });
  });
  return [...buckets.values()].map(({ x, y, low, high, count }) => ({
    x: x / count,
    y: y / count,
    low,
    high,
  }));
}
