/** What a trained classifier makes of videos: class probabilities, averaged over several views of each. */
import { availableParallelism } from 'node:os';
import { clipFormatOf, planEvaluationClips } from '../data/clip-plan.js';
import type { VideoRow } from '../data/rows.js';
import { type ExtractedFeatures, extractFeatures } from '../embed/extract-features.js';
import { openFacts } from '../embed/video-facts.js';
import { VsslError } from '../errors.js';
import { openEngine } from '../native/load.js';
import { deviceOfRun } from '../train/device-of-run.js';
import { openSession } from '../train/open-session.js';
import { SINGLE } from '../train/ranks.js';
import { runPaths } from '../train/run-folder.js';
import type { RunState } from '../train/run-state.js';
import { latestCheckpoint } from '../weights/checkpoint.js';

/** Name of the engine's classifier of a method that learns labels. */
const CLASSIFIER = 'classifier';

export interface TestOptions {
  readonly windows: number;
  readonly crops: 1 | 3;
  readonly classes: number;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Probabilities (usable rows, classes) by the last checkpoint of a run: the mean over windows and crops. */
export async function testClassifier(
  folder: string,
  rows: readonly VideoRow[],
  { windows, crops, classes, threads, signal, onProgress }: TestOptions,
): Promise<ExtractedFeatures> {
  const checkpoint = await latestCheckpoint<RunState>(runPaths(folder).checkpoints, () => {});
  if (!checkpoint)
    throw new VsslError('ERR_VSSL_FILE', `${folder} holds no checkpoint to test`, {
      details: { path: folder },
    });
  const { config } = checkpoint.state;
  const engine = await openEngine(config.train.device);
  if (threads !== undefined) engine.setThreads(threads);
  const device = deviceOfRun(engine, config, SINGLE, () => {});
  const state = checkpoint.tensors;
  const session = await openSession(engine, config, {
    device,
    accumulate: 1,
    state,
    group: SINGLE,
    init: null,
  });
  const loader = engine.createLoader({
    threads: threads ?? availableParallelism(),
    cacheBytes: 256 * 2 ** 20,
    packs: device !== 'cpu',
  });
  try {
    const facts = await openFacts(engine);
    const format = clipFormatOf(config);
    return await extractFeatures(rows, {
      loader,
      planClips: async (row) => {
        const { source, start, end } = row;
        const known = await facts.get(row);
        return { clip: planEvaluationClips({ source, facts: known, format, windows, crops, start, end }) };
      },
      embedders: [
        { embed: async (batch) => softmaxRows(await session.embed(batch, 'clip', CLASSIFIER), classes) },
      ],
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    });
  } finally {
    loader.dispose();
    session.dispose();
  }
}

/** Each row of `classes` logits as probabilities, in place. */
export function softmaxRows(logits: Float32Array, classes: number): Float32Array {
  for (let at = 0; at < logits.length; at += classes) {
    const row = logits.subarray(at, at + classes);
    const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    let sum = 0;
    for (let c = 0; c < classes; c++) {
      row[c] = Math.exp(row[c]! - most);
      sum += row[c]!;
    }
    for (let c = 0; c < classes; c++) row[c]! /= sum;
  }
  return logits;
}
