/** What a report is asked for. */
import { checkBoolean, checkCount, checkSignal, checkText, requireOptions } from '../checks.js';
import type { EncoderOptions } from '../embed/encoder-options.js';
import { invalidArgument } from '../errors.js';

export interface ReportOptions extends EncoderOptions {
  /** Run folders; a run under way can be among them. */
  readonly runs: readonly string[];
  /** The HTML file. */
  readonly out: string;
  /** Videos of the map: a folder, manifest or source. Default: those that the first run was trained on. */
  readonly data?: string;
  /** Of them, this many are shown, evenly spread; 0: no map. Default 300. */
  readonly clips?: number;
  /** Runs of different data in one report, each with curves of its own. Default false: they are refused. */
  readonly separate?: boolean;
  /** Bytes that the file may have: pictures get smaller until all of them fit. Default 15e6. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

export const REPORT_OPTIONS = [
  ...['runs', 'out', 'data', 'clips', 'separate', 'maxBytes', 'signal', 'onProgress'],
  ...['device', 'threads', 'precision'],
];

/** Charts and tables take some: a page without any picture has to fit. */
const LEAST_BYTES = 500_000;
const MOST_CLIPS = 10_000;

/** With defaults. Throws ERR_VSSL_INVALID_ARGUMENT. */
export function checkReportOptions(options: ReportOptions, more: readonly string[] = []) {
  requireOptions(options, [...REPORT_OPTIONS, ...more]);
  const { runs, out, data, clips = 300, separate = false, maxBytes = 15e6 } = options;
  if (!Array.isArray(runs) || runs.length === 0)
    throw invalidArgument('runs', 'a list with at least one run folder', runs);
  for (const run of runs) checkText('runs', 'paths of run folders', run);
  checkText('out', 'a file name', out);
  if (data !== undefined) checkText('data', 'a folder, a manifest or a data source', data);
  checkCount('clips', clips, 0, MOST_CLIPS);
  checkBoolean('separate', separate);
  checkCount('maxBytes', maxBytes, LEAST_BYTES);
  checkSignal(options.signal);
  return { ...options, clips, separate, maxBytes };
}
