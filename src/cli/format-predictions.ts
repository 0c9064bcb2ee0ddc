import { relative } from 'node:path';
import type { PredictResult } from '../predict/predict-videos.js';
import type { PredictedVideo } from '../predict/predictions-file.js';
import { formatTable, percent, right } from './table.js';

/** What `predict` prints: what the classifier is worth, how many videos got which label, and which to label next. */
export function formatPredictions(result: PredictResult): string {
  const { predictions, suggestions, failures, out, model, known, seconds } = result;
  const parts = [describeClassifier(result)];
  if (predictions.length > 0) parts.push(formatLabels(result));
  if (known)
    parts.push(
      `of ${known.clips} videos whose label the data tells, ${percent(known.accuracy)} % are right at a mean confidence of ${percent(known.confidence)} % (calibration error ${percent(known.expectedCalibrationError)} %)`,
    );
  if (suggestions.length > 0) {
    const rows = suggestions.map(({ path, guess, confidence }) => [shown(path), guess, percent(confidence)]);
    const columns = [{ title: 'label these next' }, { title: 'guess' }, right('confidence, %')];
    parts.push(formatTable(columns, rows));
  }
  const left = failures.length > 0 ? `, ${failures.length} could not be used` : '';
  const where = out === undefined ? '' : ` in ${out}`;
  const files = [
    ...(predictions.length > 0 ? [`${predictions.length} videos${where}${left}`] : []),
    ...(model === undefined || result.labelled === null ? [] : [`the classifier in ${model}`]),
  ];
  return `${parts.join('\n\n')}\n\n${files.join(', ')} (${seconds.toFixed(1)} s)`;
}

/** As one would type it, where it lies below the folder that one is in. */
function shown(path: string): string {
  const inside = relative('.', path);
  return inside === '' || inside.startsWith('..') ? path : inside;
}

function describeClassifier({ classes, labelled, heldOut }: PredictResult): string {
  const from = labelled === null ? 'a classifier that was kept' : `${labelled} labelled clips`;
  const how = heldOut.byGroup ? 'held out by groups' : 'held out in turn';
  return `${classes.length} classes from ${from}; ${how}, ${percent(heldOut.accuracy)} % of the labelled clips are told right at a mean confidence of ${percent(heldOut.confidence)} %`;
}

/** Videos of each label, with their mean confidence. */
function formatLabels({ predictions, classes }: PredictResult): string {
  const line = (name: string, of: readonly PredictedVideo[]) => {
    const sure = of.flatMap(({ confidence }) => confidence ?? []);
    const mean = sure.length === 0 ? null : sure.reduce((a, b) => a + b, 0) / sure.length;
    return [name, String(of.length), percent(mean)];
  };
  const some = (name: string, of: readonly PredictedVideo[]) => (of.length > 0 ? [line(name, of)] : []);
  const rows = [
    ...classes.map((name) =>
      line(
        name,
        predictions.filter(({ by, label }) => by === 'model' && label === name),
      ),
    ),
    ...some(
      '(not sure enough)',
      predictions.filter(({ by, guess }) => by === null && guess !== null),
    ),
    ...some(
      '(labelled by hand)',
      predictions.filter(({ by }) => by === 'hand'),
    ),
  ];
  return formatTable([{ title: 'label' }, right('videos'), right('mean confidence, %')], rows);
}
