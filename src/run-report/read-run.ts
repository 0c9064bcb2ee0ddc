/** What a run folder tells a report. Whole lines and files alone are read, so that a run under way can be shown too. */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseJson, readJson, readJsonLines } from '../config/json.js';
import { isRecord, type RawConfig } from '../config/raw.js';
import type { BatchPlan } from '../data/plan.js';
import { VsslError } from '../errors.js';
import { readEvaluations, type WrittenEvaluation } from '../eval/written-evaluation.js';
import type { FailedClipRecord, QuarantineRecord } from '../train/faults.js';
import { type Metrics, readMetrics } from '../train/read-metrics.js';
import { runPaths } from '../train/run-folder.js';
import { isLocked } from '../weights/folder-lock.js';

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
  const metrics = await readMetrics(folder);
  const totalSteps = typeof environment.totalSteps === 'number' ? environment.totalSteps : null;
  const step = metrics.reduce((last, line) => Math.max(last, line.step), 0);
  const finished = totalSteps !== null && step >= totalSteps;
  const plan = await firstPlan(join(folder, 'plans.jsonl'));
  return {
    ...{ name, folder, config, environment, step, totalSteps, metrics, plan },
    state: (await isLocked(folder)) ? 'training' : finished ? 'finished' : 'stopped',
    ...(await readEvaluations(folder)),
    faults: (await readJsonLines(join(folder, 'quarantine.jsonl'))).filter(isFault),
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
  const config = found.isDirectory() ? await readJson(path) : null;
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

function isFault(value: unknown): value is QuarantineRecord | FailedClipRecord {
  return isRecord(value) && typeof value.path === 'string' && typeof value.reason === 'string';
}

/** Plans of a long run are gigabytes: the first line alone is read. */
async function firstPlan(path: string): Promise<BatchPlan | null> {
  if (!(await stat(path).catch(() => null))) return null;
  const input = createReadStream(path);
  try {
    for await (const line of createInterface({ input })) {
      const plan = parseJson(line);
      return isRecord(plan) && Array.isArray(plan.views) ? (plan as unknown as BatchPlan) : null;
    }
    return null;
  } finally {
    input.destroy();
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
