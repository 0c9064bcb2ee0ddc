/** Many runs from one configuration: every combination of a grid with every seed, each an ordinary run folder. */
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import {
  checkCount,
  checkOneOf,
  checkOptions,
  checkSignal,
  checkText,
  LIMITS,
  requireOptions,
} from '../checks.js';
import { invalidArgument, VsslError } from '../errors.js';
import { type DataOptions, labelledRows, loadEvaluationData } from '../eval/evaluation-data.js';
import type { Protocol } from '../eval/evaluation-options.js';
import { chooseTestData } from '../eval/test-data.js';
import type { TrainConfig } from '../methods/config.js';
import { packageVersion } from '../native/load.js';
import { makeOutFolder } from '../train/run-folder.js';
import { runWriteError } from '../train/run-log.js';
import { lockFolder } from '../weights/folder-lock.js';
import type { Grid } from './grid.js';
import { planSweep } from './plan-sweep.js';
import { SWEEP_FORMAT_VERSION, type SweepEvent, type SweepResult } from './result.js';
import { Runs } from './runs.js';
import { markdownOf, summarise } from './summarise.js';
import { checkSameBase, writeBases, writeSweepFile } from './sweep-file.js';

export interface SweepOptions {
  /** What the cells are laid over: a configuration, or a file, and a preset, and `a.b=c` on top, as for loadConfig. */
  readonly config?: TrainConfig;
  readonly file?: string;
  readonly preset?: string;
  readonly set?: readonly string[];
  /** Values that each key takes in turn; `preset` and `method` may be keys too. Default: none, seeds alone. */
  readonly grid?: Grid;
  /** Seeds 0 .. seeds - 1 of each cell. Default 1. */
  readonly seeds?: number;
  /** Folder of the cells: `OUT/KEY=VALUE,.../seed-0`. */
  readonly out: string;
  /** Videos to train on; `data.path` in the configuration otherwise. */
  readonly data?: string;
  /** Runs that are trained at once, each in a process of its own with its share of the processors. Default 1. */
  readonly jobs?: number;
  /** Processors for all of them together. Default: all. */
  readonly threads?: number;
  /** Stops each run when so many steps are done; the schedule stays that of the whole run. */
  readonly maxSteps?: number;
  /** Evaluations of each run. Default none. */
  readonly evaluate?: readonly Protocol[];
  /** Labelled videos that test; those of `labelled` train the probes. */
  readonly test?: string;
  /** Column, or COLUMN:K, of `labelled` whose values are held out in turn instead. */
  readonly folds?: string;
  /** Labelled videos, where those that are trained on have no labels. Default: `data`. */
  readonly labelled?: string;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: SweepEvent) => void;
}

const KNOWN = (
  'config file preset set grid seeds out data jobs threads maxSteps evaluate test folds labelled signal ' +
  'onEvent'
).split(' ');

/**
 * Trains what is missing and evaluates it. A run that is done is not done again, one that was broken off goes on, one
 * that fails is noted and stops no other; when the signal is aborted, each stops with a checkpoint. Throws
 * ERR_VSSL_CONFIG for a wrong key or value of the base or the grid and ERR_VSSL_RESUME_MISMATCH when the folder's sweep,
 * or one of its runs, had another configuration, all before anything is trained; ERR_VSSL_LOCKED; what is wrong with the
 * installation; the signal's reason.
 */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  requireOptions(options, KNOWN);
  const { grid = {}, seeds = 1, evaluate = [], data, maxSteps } = options;
  checkNumbers(options);
  const signal = checkSignal(options.signal) ?? new AbortController().signal;
  const out = resolve(checkText('out', 'a folder', options.out));
  const { config, file, preset, set } = options;
  if (config === undefined && file === undefined && preset === undefined && !grid.preset && !grid.method)
    throw new VsslError('ERR_VSSL_USAGE', 'say what to train: config, file or preset, or a grid of presets');
  const plan = planSweep({ config, file, preset, set }, grid, data, out);
  const tested = await testData(options, plan.cells[0]!.config.data.path!);
  await checkSameBase(out, plan.bases);
  const jobs = options.jobs ?? 1;
  const runs = new Runs(plan.cells, {
    ...{ seeds, maxSteps, signal, jobs, protocols: evaluate, data: tested },
    cores: Math.max(1, Math.floor((options.threads ?? availableParallelism()) / jobs)),
    onEvent: options.onEvent ?? (() => {}),
  });
  await runs.look();
  await makeOutFolder(out);
  const lock = await lockFolder(out, { doing: 'sweeping in', advice: 'choose another --out' }).catch(
    (error) => {
      throw runWriteError(out, error);
    },
  );
  try {
    await writeBases(out, plan.bases);
    await runs.all();
    const result: SweepResult = {
      formatVersion: SWEEP_FORMAT_VERSION,
      packageVersion,
      ...{ out, grid, seeds, data: tested },
      interval: `± is half of a 95 % interval of the mean over seeds, Student t; accuracies in percent`,
      cells: await Promise.all(plan.cells.map((cell) => summarise(cell, runs.doneOf(cell)))),
      ...{ trained: runs.trained, found: runs.found, failures: runs.failures },
      files: { markdown: join(out, 'table.md'), json: join(out, 'table.json') },
    };
    await writeSweepFile(out, result.files.json, result);
    await writeSweepFile(out, result.files.markdown, markdownOf(result));
    return result;
  } finally {
    await lock.release();
  }
}

function checkNumbers({ grid, seeds, jobs, threads, maxSteps, evaluate, onEvent }: SweepOptions): void {
  checkOptions(grid, Object.keys(grid ?? {}), 'grid');
  if (seeds !== undefined) checkCount('seeds', seeds, 1, LIMITS.seeds);
  if (jobs !== undefined) checkCount('jobs', jobs, 1, LIMITS.threads);
  if (threads !== undefined) checkCount('threads', threads, 1, LIMITS.threads);
  if (maxSteps !== undefined) checkCount('maxSteps', maxSteps);
  if (onEvent !== undefined && typeof onEvent !== 'function')
    throw invalidArgument('onEvent', 'a function', onEvent);
  if (evaluate === undefined) return;
  if (!Array.isArray(evaluate)) throw invalidArgument('evaluate', 'a list of protocols', evaluate);
  for (const protocol of evaluate) checkOneOf('evaluate', protocol, ['knn', 'linear', 'retrieval']);
}

/** What tests; looked at before anything is trained. */
async function testData(
  { evaluate = [], test, folds, labelled }: SweepOptions,
  trained: string,
): Promise<DataOptions | null> {
  if (evaluate.length === 0) {
    if (test ?? folds ?? labelled)
      throw new VsslError(
        'ERR_VSSL_USAGE',
        'test data is given, but nothing that is tested; say what: evaluate (--eval knn,linear)',
      );
    return null;
  }
  const data = await chooseTestData({ data: labelled ?? trained, test, folds });
  const evaluation = await loadEvaluationData(data);
  if (evaluate.some((protocol) => protocol !== 'retrieval')) labelledRows(evaluation);
  return data;
}
