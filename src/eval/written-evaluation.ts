/** Results of evaluations, read back from their files. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson } from '../config/json.js';
import { isRecord } from '../config/raw.js';
import type { EvaluationResult } from './evaluation-result.js';
import type { LowshotScore } from './lowshot.js';
import type { ClassificationScore } from './protocols.js';
import type { RetrievalScore } from './scores.js';

/** As its file has it; files of earlier versions lack `question` and `tested`. */
export type WrittenEvaluation =
  | EvaluationResult<ClassificationScore>
  | EvaluationResult<LowshotScore>
  | EvaluationResult<RetrievalScore>;

/** The result that a file holds; null when it holds none. */
export async function readEvaluation(path: string): Promise<WrittenEvaluation | null> {
  const value = await readJson(path);
  return isEvaluation(value) ? value : null;
}

/** The results in a run folder. Files of the name that hold none, or half of one, come as warnings. */
export async function readEvaluations(
  folder: string,
): Promise<{ readonly evaluations: readonly WrittenEvaluation[]; readonly warnings: readonly string[] }> {
  const evaluations: WrittenEvaluation[] = [];
  const warnings: string[] = [];
  for (const name of (await readdir(folder)).sort()) {
    if (!/^eval-.*\.json$/.test(name)) continue;
    const path = join(folder, name);
    const found = await readEvaluation(path);
    if (found) evaluations.push(found);
    else warnings.push(`${path} holds no evaluation, or half of one, and is left out`);
  }
  return { evaluations, warnings };
}

/** What every table needs; a file that somebody wrote is no reason to fail. */
function isEvaluation(value: unknown): value is WrittenEvaluation {
  if (!isRecord(value)) return false;
  const { protocol, trained, data, settings, encoder } = value;
  if (!isRecord(trained) || ![data, settings, encoder].every(isRecord)) return false;
  if (protocol === 'retrieval') return isRecord(trained.instance);
  if (protocol === 'lowshot') return Array.isArray(trained.shots);
  return (
    typeof protocol === 'string' &&
    typeof trained.accuracy === 'number' &&
    Array.isArray(trained.confusion) &&
    Array.isArray(trained.classes)
  );
}
