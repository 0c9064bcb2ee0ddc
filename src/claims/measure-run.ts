/**
 * The measures of a run, kept beside its weights with everything that they hang on: a kept one is taken again only where
 * all of it is the same.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { VideoRow } from '../data/rows.js';
import { dataFingerprint } from '../data/source-key.js';
import type { EncoderOptions, Precision } from '../embed/encoder-options.js';
import { weightsFile } from '../embed/open-encoder.js';
import { invalidArgument } from '../errors.js';
import type { DataOptions } from '../eval/evaluation-data.js';
import type { Measurement } from '../eval/measure.js';
import { getMeasure } from '../eval/measures.js';
import { EVALUATION_PRECISION } from '../eval/precision.js';
import { chooseDevice } from '../native/device.js';
import { openEngine, packageVersion } from '../native/load.js';
import { runWriteError } from '../train/run-log.js';
import { writeFileAtomic } from '../weights/atomic-write.js';
import { fileDigest } from '../weights/file-digest.js';
import { CLAIMS_FORMAT_VERSION } from './result.js';

/** What measures, and on which videos; the same for all runs of a call. */
export interface MeasuredWith {
  readonly packageVersion: string;
  /** Versions of libtorch and FFmpeg, and the instructions that libtorch uses. */
  readonly engine: string;
  /** Any GPU is as good as another. */
  readonly device: 'cpu' | 'cuda';
  readonly precision: Precision;
  /** Of what the rows say and of the state of all files. */
  readonly videos: string;
}

export async function describeMeasuring(
  rows: readonly VideoRow[],
  { device = 'auto', precision = EVALUATION_PRECISION }: Pick<EncoderOptions, 'device' | 'precision'>,
): Promise<MeasuredWith> {
  const engine = await openEngine(device);
  const { torchVersion, libavVersion, cpuCapability } = engine.info();
  return {
    packageVersion,
    engine: `libtorch ${torchVersion} ${cpuCapability}, FFmpeg ${libavVersion}`,
    device: chooseDevice(engine, device) === 'cpu' ? 'cpu' : 'cuda',
    precision,
    videos: await dataFingerprint(rows),
  };
}

/** The measure of a finished run. Throws what the measure throws, ERR_VSSL_INVALID_ARGUMENT when it gives no number. */
export async function measureRun(
  measure: string,
  run: string,
  data: DataOptions,
  measuring: MeasuredWith,
  {
    device,
    threads,
    precision = EVALUATION_PRECISION,
    signal,
  }: EncoderOptions & { readonly signal?: AbortSignal },
): Promise<Measurement> {
  const file = join(run, `measure-${measure}.json`);
  const kept = await readFile(file, 'utf8').then(JSON.parse, () => null);
  const weights = await fileDigest(await weightsFile(run));
  const { version, run: take } = getMeasure(measure);
  const made = { formatVersion: CLAIMS_FORMAT_VERSION, ...measuring, weights, measure, version, data };
  const isSame = Object.entries(made).every(([key, value]) => isDeepStrictEqual(kept?.[key], value));
  if (isSame) return kept;
  const request = { run, ...data, device, threads, precision, signal };
  const { value, resolution, noise = 0, warnings = [], failures = [] } = await take(request);
  if (!Number.isFinite(value))
    throw invalidArgument(`the value of the measure '${measure}'`, 'a finite number', value);
  if (!(resolution >= 0))
    throw invalidArgument(`the resolution of the measure '${measure}'`, 'a number from 0', resolution);
  if (!(noise >= 0)) throw invalidArgument(`the noise of the measure '${measure}'`, 'a number from 0', noise);
  const measured = { ...made, value, resolution, noise, warnings, failures };
  await writeMeasures(run, file, measured);
  return measured;
}

/** Writes what a run folder, or the folder of all runs, keeps of measures. Throws what a run throws that cannot write. */
export async function writeMeasures(folder: string, file: string, result: object): Promise<void> {
  await writeFileAtomic(file, `${JSON.stringify(result, null, 2)}\n`).catch((error) => {
    throw runWriteError(folder, error, file);
  });
}
