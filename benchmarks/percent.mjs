// Shares as the tables show them, in percent.
import { meanAndSpread } from '../dist/esm/eval/metrics.js';

export const percent = (value) => (100 * value).toFixed(1);

/** The mean, with the deviation where there are several values; '' of none. */
export function percentSpread(values) {
  if (values.length === 0) return '';
  const { mean, std } = meanAndSpread(values);
  return values.length === 1 ? percent(mean) : `${percent(mean)} ± ${percent(std)}`;
}

/** A mean with its interval where that is known, as `meanInterval` gives them. */
export function percentInterval({ mean, interval }) {
  return `${percent(mean)}${interval === null ? '' : ` (${interval.map(percent).join(' to ')})`}`;
}
