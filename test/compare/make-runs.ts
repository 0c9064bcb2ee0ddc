/** Run folders as training and evaluation leave them, without the training. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EvaluationResult } from '#src/eval/evaluation-result.js';
import { scoreClassification } from '#src/eval/metrics.js';
import type { ClassificationScore } from '#src/eval/protocols.js';
import { resolveConfig } from '#src/methods/config.js';

export interface RunParts {
  readonly seed?: number;
  readonly lr?: number;
  readonly batch?: number;
  /** Loss of each step, from 1. */
  readonly losses?: readonly number[];
  readonly clipsPerSecond?: number;
  readonly environment?: Readonly<Record<string, unknown>>;
}

export function makeRun(folder: string, parts: RunParts = {}): void {
  const { seed = 0, lr = 0.05, batch = 4, losses = [3, 2, 1, 1], clipsPerSecond = 100 } = parts;
  mkdirSync(folder, { recursive: true });
  const config = resolveConfig({ method: 'cvrl', out: folder, train: { seed, batch, optimizer: { lr } } });
  const run = { totalSteps: losses.length, started: folder, threads: 2, ...parts.environment };
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, run }));
  const lines = losses.map((loss, i) =>
    JSON.stringify({ step: i + 1, epoch: 0, loss, lr, clipsPerSecond, dataSeconds: 1, stepSeconds: 3 }),
  );
  writeFileSync(join(folder, 'metrics.jsonl'), `${lines.join('\n')}\n`);
}

export interface EvaluationParts {
  readonly question?: string;
  readonly step?: number;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly folds?: string;
  readonly groups?: readonly (string | null)[];
  readonly ids?: readonly string[];
}

/** A kNN result of two classes by turns in which video i is right where `right[i]` is. */
export function knnResult(
  right: readonly boolean[],
  parts: EvaluationParts = {},
): EvaluationResult<ClassificationScore> {
  const { question = 'q', step = 4, settings = { k: 5 }, folds } = parts;
  const ids = parts.ids ?? right.map((_, i) => `video-${i}`);
  const groups = parts.groups ?? ids.map(() => null);
  const classes = right.map((_, i) => i % 2);
  const predictions = classes.map((c, i) => (right[i] ? c : 1 - c));
  const labels = ['down', 'up'];
  const score = scoreClassification(classes, { classes: Int32Array.from(predictions), depth: 1 }, labels);
  return {
    ...{ formatVersion: 1, packageVersion: '0', protocol: 'knn', key: `${question}-${step}`, question },
    encoder: {
      weights: 'run',
      method: 'cvrl',
      step,
      arch: 'r3d_10',
      width: 1,
      dim: 8,
      clip: {} as never,
      input: 'rgb',
    },
    data: {
      ...(folds === undefined ? { train: 'a.csv', test: 'b.csv' } : { data: 'a.csv', folds }),
      videos: 2 * ids.length,
      used: ids.length,
      labels,
    },
    settings,
    tested: { label: { ids, groups, classes } },
    trained: { ...score, folds: [], foldSpread: 0, predictions },
    ...{ failures: [], warnings: [], seconds: 1 },
  };
}

export function writeResult(path: string, result: object): void {
  writeFileSync(path, JSON.stringify(result, null, 2));
}
