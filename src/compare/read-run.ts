/** What a run folder or an evaluation file tells, as far as it can be read: a run under way can be compared too. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isRecord, type RawConfig } from '../config/raw.js';
import type { EvaluationResult } from '../eval/evaluation-result.js';
import type { LowshotScore } from '../eval/lowshot.js';
import type { ClassificationScore } from '../eval/protocols.js';
import type { RetrievalScore } from '../eval/scores.js';
import { runPaths } from '../train/run-folder.js';

/** A result as its file has it; files of earlier versions lack what only later ones keep. */
type WrittenAs<Score> = Omit<EvaluationResult<Score>, 'question' | 'tested' | 'file'> &
  Partial<Pick<EvaluationResult<Score>, 'question' | 'tested'>>;
export type WrittenEvaluation =
  | WrittenAs<ClassificationScore>
  | WrittenAs<LowshotScore>
  | WrittenAs<RetrievalScore>;

export type Metrics = Readonly<Record<string, unknown>> & { readonly step: number };

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
  const warnings: string[] = [];
  const written = await readJson(runPaths(folder).config);
  const { run = null, ...config } = isRecord(written) ? written : {};
  const environment = isRecord(run) ? run : null;
  const seed = isRecord(config.train) ? config.train.seed : null;
  const evaluations: WrittenEvaluation[] = [];
  for (const name of (await readdir(folder)).sort()) {
    if (!/^eval-.*\.json$/.test(name)) continue;
    const found = await readEvaluation(join(folder, name));
    if (found) evaluations.push(found);
    else warnings.push(`${join(folder, name)} holds no evaluation, or half of one, and is left out`);
  }
  return {
    folder,
    config: isRecord(written) ? config : null,
    environment,
    seed: typeof seed === 'number' ? seed : null,
    totalSteps: typeof environment?.totalSteps === 'number' ? environment.totalSteps : null,
    metrics: await readMetrics(metricsFile(folder)),
    evaluations,
    warnings,
  };
}

/** The result that a file holds; null when it holds none. */
export async function readEvaluation(path: string): Promise<WrittenEvaluation | null> {
  const value = await readJson(path);
  if (!isRecord(value) || typeof value.protocol !== 'string') return null;
  const parts = ['trained', 'data', 'settings', 'encoder'];
  return parts.every((part) => isRecord(value[part])) ? (value as unknown as WrittenEvaluation) : null;
}

/** Its whole lines; the last may be half written. */
async function readMetrics(path: string): Promise<Metrics[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const value = parse(line);
    return isRecord(value) && typeof value.step === 'number' ? [value as Metrics] : [];
  });
}

async function readJson(path: string): Promise<unknown> {
  return parse(await readFile(path, 'utf8').catch(() => ''));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function metricsFile(folder: string): string {
  return join(folder, 'metrics.jsonl');
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
