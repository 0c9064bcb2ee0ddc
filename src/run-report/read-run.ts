/** What a run folder tells a report. Whole lines and files alone are read, so that a run under way can be shown too. */
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { isRecord, type RawConfig } from '../config/raw.js';
import type { BatchPlan } from '../data/plan.js';
import { VsslError } from '../errors.js';
import type { AnyEvaluationResult } from '../eval/evaluate.js';
import type { FailedClipRecord, QuarantineRecord } from '../train/faults.js';
import { runPaths } from '../train/run-folder.js';
import { isLocked } from '../weights/folder-lock.js';

export type WrittenEvaluation = AnyEvaluationResult;

/** A line of metrics.jsonl, as it was read. */
export type Metrics = Readonly<Record<string, unknown>> & { readonly step: number };

export interface ReadRun {
  /** Of all runs of a report, each has another: the end of its path. */
  readonly name: string;
  /** As it was given. */
  readonly folder: string;
  readonly config: RawConfig;
  /** What it ran with and on. */
  readonly environment: RawConfig;
  /** training: a process is at it; stopped: none is, and steps are left. */
  readonly state: 'finished' | 'training' | 'stopped';
  readonly step: number;
  readonly totalSteps: number | null;
  readonly metrics: readonly Metrics[];
  readonly evaluations: readonly WrittenEvaluation[];
  readonly faults: readonly (QuarantineRecord | FailedClipRecord)[];
  /** The first batch of plans.jsonl; null without one. */
  readonly plan: BatchPlan | null;
  /** Whether there are weights to embed with. */
  readonly hasWeights: boolean;
  readonly warnings: readonly string[];
}

/** Throws ERR_VSSL_FILE for a folder that is not there, and ERR_VSSL_USAGE for what is no run or is named twice. */
export async function readRuns(folders: readonly string[]): Promise<ReadRun[]> {
  const whole = folders.map((folder) => resolve(folder));
  const twice = whole.find((folder, i) => whole.indexOf(folder) < i);
  if (twice !== undefined) throw new VsslError('ERR_VSSL_USAGE', `the run ${twice} is given twice`);
  const names = shortNames(whole);
  return await Promise.all(folders.map((folder, i) => readRun(folder, names[i]!)));
}

/** The ends of the paths, as long as it takes for all to differ. */
export function shortNames(folders: readonly string[]): string[] {
  for (let parts = 1; ; parts++) {
    const names = folders.map((folder) => folder.split('/').filter(Boolean).slice(-parts).join('/'));
    if (new Set(names).size === folders.length) return names;
  }
}

async function readRun(folder: string, name: string): Promise<ReadRun> {
  const written = await readConfig(folder);
  const { run = {}, ...config } = written;
  const environment = isRecord(run) ? run : {};
  const warnings: string[] = [];
  const metrics = (await readLines(join(folder, 'metrics.jsonl'))).filter(isMetrics);
  const totalSteps = typeof environment.totalSteps === 'number' ? environment.totalSteps : null;
  const step = metrics.reduce((last, line) => Math.max(last, line.step), 0);
  const finished = totalSteps !== null && step >= totalSteps;
  const plan = await firstPlan(join(folder, 'plans.jsonl'));
  return {
    ...{ name, folder, config, environment, step, totalSteps, metrics, plan, warnings },
    state: (await isLocked(folder)) ? 'training' : finished ? 'finished' : 'stopped',
    evaluations: await readEvaluations(folder, warnings),
    faults: (await readLines(join(folder, 'quarantine.jsonl'))).filter(isFault),
    hasWeights: (await stat(runPaths(folder).weights).catch(() => null)) !== null,
  };
}

async function readConfig(folder: string): Promise<RawConfig> {
  const found = await stat(folder).catch(() => null);
  const details = { folder };
  if (!found)
    throw new VsslError('ERR_VSSL_FILE', `there is no run folder ${folder}; train --out makes one`, {
      details,
    });
  const path = found.isDirectory() ? runPaths(folder).config : folder;
  const config = found.isDirectory() ? parse(await readFile(path, 'utf8').catch(() => '')) : null;
  if (isRecord(config) && typeof config.method === 'string') return config;
  const runs = found.isDirectory() ? await runsWithin(folder) : [];
  const advice =
    runs.length > 0
      ? `there are runs within it: give ${runs.join(' ')}`
      : 'give a folder that train --out has made, where config.json is';
  const what = found.isDirectory() ? 'holds no config.json of a run' : 'is a file';
  throw new VsslError('ERR_VSSL_USAGE', `expected a run folder, but ${folder} ${what}: ${advice}`, {
    details,
  });
}

async function runsWithin(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(() => [])).sort();
  const found: string[] = [];
  for (const name of names.slice(0, 100))
    if (await stat(runPaths(join(folder, name)).config).catch(() => null)) found.push(join(folder, name));
  return found.slice(0, 5);
}

async function readEvaluations(folder: string, warnings: string[]): Promise<WrittenEvaluation[]> {
  const found: WrittenEvaluation[] = [];
  for (const name of (await readdir(folder)).sort()) {
    if (!/^eval-.*\.json$/.test(name)) continue;
    const value = parse(await readFile(join(folder, name), 'utf8').catch(() => ''));
    if (isEvaluation(value)) found.push(value);
    else warnings.push(`${join(folder, name)} holds no evaluation, or half of one, and is left out`);
  }
  return found;
}

/** What every table needs; a file that somebody wrote is no reason to fail. */
function isEvaluation(value: unknown): value is WrittenEvaluation {
  if (!isRecord(value) || typeof value.protocol !== 'string') return false;
  const { trained, data, settings, encoder } = value;
  if (!isRecord(trained) || !isRecord(data) || !isRecord(settings) || !isRecord(encoder)) return false;
  return value.protocol === 'retrieval'
    ? isRecord(trained.instance)
    : typeof trained.accuracy === 'number' &&
        Array.isArray(trained.confusion) &&
        Array.isArray(trained.classes);
}

const isMetrics = (value: unknown): value is Metrics => isRecord(value) && typeof value.step === 'number';

function isFault(value: unknown): value is QuarantineRecord | FailedClipRecord {
  return isRecord(value) && typeof value.path === 'string' && typeof value.reason === 'string';
}

async function readLines(path: string): Promise<unknown[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').map(parse);
}

/** Plans of a long run are gigabytes: the first line alone is read. */
async function firstPlan(path: string): Promise<BatchPlan | null> {
  if (!(await stat(path).catch(() => null))) return null;
  const input = createReadStream(path);
  try {
    for await (const line of createInterface({ input })) {
      const plan = parse(line);
      return isRecord(plan) && Array.isArray(plan.views) ? (plan as unknown as BatchPlan) : null;
    }
    return null;
  } finally {
    input.destroy();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What a run was trained on: two runs of the same are told together. */
export function dataOf({ config, environment }: ReadRun): string {
  const data = isRecord(config.data) ? config.data : {};
  const path = typeof data.path === 'string' ? data.path : 'unknown data';
  // the same list, given from another folder or by another name, is another one here: nobody can tell
  return typeof environment.videos === 'number' ? `${path} (${environment.videos} videos)` : path;
}

/** Throws ERR_VSSL_USAGE when the runs were trained on different data: their losses cannot be held against each other. */
export function checkSameData(runs: readonly ReadRun[]): void {
  const [first, ...others] = runs;
  const other = others.find((run) => dataOf(run) !== dataOf(first!));
  if (!other) return;
  throw new VsslError(
    'ERR_VSSL_USAGE',
    `the runs were trained on different data, so that their losses say nothing of each other: ${first!.name} on ` +
      `${dataOf(first!)}, ${other.name} on ${dataOf(other)}. Give a report of each, or --separate for one in which each ` +
      'run has curves of its own',
    { details: { runs: [first!.folder, other.folder] } },
  );
}
