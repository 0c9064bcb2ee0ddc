import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { planEvaluationClips } from '../data/clip-plan.js';
import type { EncoderOptions } from '../embed/encoder-options.js';
import { VideoEncoder } from '../embed/video-encoder.js';
import { openFacts } from '../embed/video-facts.js';
import { calibrateEncoder } from '../eval/calibrate.js';
import type { EvaluationData } from '../eval/evaluation-data.js';
import { openEngine } from '../native/load.js';
import { type EncoderDescription, writeEncoderFile } from '../weights/encoder-file.js';

/**
 * Writes weights of the same architecture that nothing has trained, with the BatchNorm statistics of the training videos:
 * what a frozen encoder is held against. Returns `path`.
 */
export async function untrainedWeights(
  path: string,
  description: EncoderDescription,
  data: EvaluationData,
  {
    seed,
    device,
    threads,
    signal,
  }: Pick<EncoderOptions, 'device' | 'threads'> & {
    readonly seed: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<string> {
  const options = { ...(device && { device }), ...(threads && { threads }) };
  const encoder = await VideoEncoder.createLike(description, { ...options, precision: 'fp32', seed });
  const engine = await openEngine(device);
  const loader = engine.createLoader({ threads: threads ?? availableParallelism(), cacheBytes: 0 });
  try {
    const facts = await openFacts(engine);
    const rows = data.trainRows.map((row) => data.rows[row]!);
    await calibrateEncoder(
      encoder,
      loader,
      rows,
      async (row) => {
        const { source, start, end } = row;
        const known = await facts.get(row);
        return planEvaluationClips({ source, facts: known, format: description, windows: 1, start, end })[0]!;
      },
      signal,
    );
    await mkdir(dirname(path), { recursive: true });
    await writeEncoderFile(path, encoder.description, await encoder.weights());
    return path;
  } finally {
    loader.dispose();
    await encoder.dispose();
  }
}
