/** The measures by name. What takes them is loaded when one is taken. */
import { checkBoolean, checkText, requireOptions } from '../checks.js';
import { invalidArgument, VsslError } from '../errors.js';
import { didYouMean } from '../spelling.js';
import type { Measure, MeasureRequest } from './measure.js';

const accuracy = (protocol: 'knn' | 'linear') => async (request: MeasureRequest) => {
  const { evaluate } = await import('./evaluate.js');
  const { trained, warnings, failures } = await evaluate({ ...request, protocol });
  return { value: trained.accuracy, resolution: 1 / trained.count, warnings, failures };
};

/** Among videos of the same label: what hangs on a run's own augmentation would ask each arm another question. */
async function retrieveByLabel(request: MeasureRequest) {
  const { evaluate } = await import('./evaluate.js');
  const { trained, warnings, failures } = await evaluate({ ...request, protocol: 'retrieval' });
  if (trained.label === undefined)
    throw new VsslError('ERR_VSSL_DATA', 'retrieval by label needs labelled videos; this data has no labels');
  const { recall, queries } = trained.label;
  return { value: recall[1]!, resolution: 1 / queries, warnings, failures };
}

const MEASURES: Measure[] = [
  { name: 'knn', title: 'kNN accuracy, %', scale: 100, labels: true, run: accuracy('knn') },
  { name: 'linear', title: 'linear probe accuracy, %', scale: 100, labels: true, run: accuracy('linear') },
  {
    name: 'retrieval',
    title: 'retrieval R@1 (same label), %',
    scale: 100,
    labels: true,
    run: retrieveByLabel,
  },
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
  requireOptions(measure, ['name', 'title', 'scale', 'labels', 'version', 'run'], key);
  const { name, title, scale = 1, labels = false, version = 1, run } = measure;
  if (typeof name !== 'string' || !/^[a-z0-9][a-z0-9-]*$/i.test(name))
    throw invalidArgument(`${key}.name`, "letters, digits and '-'", name);
  if (MEASURES.some((other) => other.name === name))
    throw invalidArgument(`${key}.name`, 'a name that no other measure has', name);
  checkText(`${key}.title`, 'what it is called in tables', title);
  if (!Number.isFinite(scale)) throw invalidArgument(`${key}.scale`, 'a finite number', scale);
  if (!Number.isFinite(version)) throw invalidArgument(`${key}.version`, 'a finite number', version);
  checkBoolean(`${key}.labels`, labels);
  if (typeof run !== 'function') throw invalidArgument(`${key}.run`, 'a function', run);
}
