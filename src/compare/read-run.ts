/** What a run folder or an evaluation file tells, as far as it can be read: a run under way can be compared too. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readJson } from '../config/json.js';
import { isRecord, type RawConfig } from '../config/raw.js';
import { readEvaluations, type WrittenEvaluation } from '../eval/written-evaluation.js';
import { type Metrics, metricsFile, readMetrics } from '../train/read-metrics.js';
import { runPaths } from '../train/run-folder.js';

export interface ReadRun {
  readonly folder: string;
  /** null: no config.json yet. */
  readonly config: RawConfig | null;
  /** What it ran with and on. */
  readonly environment: RawConfig | null;
  readonly seed: number | null;
  readonly totalSteps: number | null;
  readonly metrics: readonly Metrics[];
  readonly evaluations: readonly WrittenEvaluation[];
  readonly warnings: readonly string[];
}

/** Whether a folder is that of a run. */
export async function isRun(folder: string): Promise<boolean> {
  const { config, weights } = runPaths(folder);
  return (await isThere(config)) || (await isThere(weights)) || (await isThere(metricsFile(folder)));
}

export async function readRun(folder: string): Promise<ReadRun> {
  const written = await readJson(runPaths(folder).config);
  const { run = null, ...config } = isRecord(written) ? written : {};
  const environment = isRecord(run) ? run : null;
  const seed = isRecord(config.train) ? config.train.seed : null;
  return {
    folder,
    config: isRecord(written) ? config : null,
    environment,
    seed: typeof seed === 'number' ? seed : null,
    totalSteps: typeof environment?.totalSteps === 'number' ? environment.totalSteps : null,
    metrics: await readMetrics(folder),
    ...(await readEvaluations(folder)),
  };
}

export async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

/** Seed folders of a cell: `seed-0`, `seed-1`..., in their order. */
export async function seedFolders(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const seeds = names.filter((name) => /^seed-\d+$/.test(name));
  return seeds
    .sort((a, b) => Number(basename(a).slice(5)) - Number(basename(b).slice(5)))
    .map((name) => join(folder, name));
}
