/** The measures by name. What takes them is loaded when one is taken. */
import { checkBoolean, checkText, requireOptions } from '../checks.js';
import { invalidArgument, VsslError } from '../errors.js';
import { didYouMean } from '../spelling.js';
import type { Measure, MeasureRequest } from './measure.js';

const accuracy = (protocol: 'knn' | 'linear') => async (request: MeasureRequest) => {
  const { evaluate } = await import('./evaluate.js');
  const { trained, warnings, failures } = await evaluate({ ...request, protocol });
  const { accuracy, count, interval } = trained;
  return { value: accuracy, resolution: 1 / count, noise: noiseOf(interval), warnings, failures };
};

/** Among videos of the same label: what hangs on a run's own augmentation would ask each arm another question. */
async function retrieveByLabel(request: MeasureRequest) {
  const { evaluate } = await import('./evaluate.js');
  const { trained, warnings, failures } = await evaluate({ ...request, protocol: 'retrieval' });
  if (trained.label === undefined)
    throw new VsslError('ERR_VSSL_DATA', 'retrieval by label needs labelled videos; this data has no labels');
  const { recall, queries, intervals } = trained.label;
  const noise = noiseOf(intervals[1]!);
  return { value: recall[1]!, resolution: 1 / queries, noise, warnings, failures };
}

/** The standard error that a bootstrap interval over test videos stands for. */
function noiseOf([low, high]: readonly [number, number]): number {
  return (high - low) / (2 * 1.96);
}

/** Shares of right videos, of which 3 points count as no difference. */
const ofLabels = { scale: 100, labels: true, margin: 0.03 } as const;

const MEASURES: Measure[] = [
  { ...ofLabels, name: 'knn', title: 'kNN accuracy, %', run: accuracy('knn') },
  { ...ofLabels, name: 'linear', title: 'linear probe accuracy, %', run: accuracy('linear') },
  { ...ofLabels, name: 'retrieval', title: 'retrieval R@1 (same label), %', run: retrieveByLabel },
  {
    name: 'shift-probe',
    title: 'shift probe, R²',
    run: async (request) => (await import('./shift-measure.js')).measureShift(request),
  },
];

/** The measure that a claim names. Throws ERR_VSSL_INVALID_ARGUMENT with the nearest name. */
export function getMeasure(name: string): Measure {
  const found = MEASURES.find((measure) => measure.name === name);
  if (found) return found;
  const names = measureNames();
  throw invalidArgument('measure', `one of ${names.join(', ')}`, name, didYouMean(name, names));
}

export function measureNames(): string[] {
  return MEASURES.map(({ name }) => name);
}

/**
 * Adds a measure of one's own, which claims can name from then on. Throws ERR_VSSL_INVALID_ARGUMENT for what is no
 * measure and for a name that there is.
 */
export function registerMeasure(measure: Measure): void {
  checkMeasure(measure);
  MEASURES.push({ ...measure });
}

/** What registerMeasure throws, `key` being what the error calls the measure. */
export function checkMeasure(measure: Measure, key = 'measure'): void {
  requireOptions(measure, ['name', 'title', 'scale', 'margin', 'labels', 'version', 'run'], key);
  const { name, title, scale = 1, margin = 0, labels = false, version = 1, run } = measure;
  if (typeof name !== 'string' || !/^[a-z0-9][a-z0-9-]*$/i.test(name))
    throw invalidArgument(`${key}.name`, "letters, digits and '-'", name);
  if (MEASURES.some((other) => other.name === name))
    throw invalidArgument(`${key}.name`, 'a name that no other measure has', name);
  checkText(`${key}.title`, 'what it is called in tables', title);
  if (!Number.isFinite(scale)) throw invalidArgument(`${key}.scale`, 'a finite number', scale);
  if (!(margin >= 0 && margin < Number.POSITIVE_INFINITY))
    throw invalidArgument(`${key}.margin`, 'a finite number from 0', margin);
  if (!Number.isFinite(version)) throw invalidArgument(`${key}.version`, 'a finite number', version);
  checkBoolean(`${key}.labels`, labels);
  if (typeof run !== 'function') throw invalidArgument(`${key}.run`, 'a function', run);
}
