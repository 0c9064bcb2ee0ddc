/** The log of a run's numbers, read back. */
import { join } from 'node:path';
import { readJsonLines } from '../config/json.js';
import { isRecord } from '../config/raw.js';

/** A line of metrics.jsonl, as it was read. */
export type Metrics = Readonly<Record<string, unknown>> & { readonly step: number };

export function metricsFile(folder: string): string {
  return join(folder, 'metrics.jsonl');
}

/** The whole lines of a run folder; the last may be half written. */
export async function readMetrics(folder: string): Promise<Metrics[]> {
  return (await readJsonLines(metricsFile(folder))).filter(isMetrics);
}

const isMetrics = (value: unknown): value is Metrics => isRecord(value) && typeof value.step === 'number';
