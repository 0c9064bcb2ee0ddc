/** Everything that a measure's value hangs on: a value that is kept is taken again only where all of it is the same. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { VideoRow } from '../data/rows.js';
import { dataFingerprint } from '../data/source-key.js';
import { chooseDevice, type EncoderOptions, weightsFile } from '../embed/encoder-options.js';
import { openEngine, packageVersion } from '../native/load.js';

/** What measures, and on which videos; the same for all runs of a call. */
export interface MeasuredWith {
  readonly packageVersion: string;
  /** Versions of libtorch and FFmpeg, and the instructions that libtorch uses. */
  readonly engine: string;
  readonly device: 'cpu' | 'cuda';
  readonly precision: 'fp32' | 'bf16';
  /** Of what the rows say and of the state of all files. */
  readonly videos: string;
}

export async function describeMeasuring(
  rows: readonly VideoRow[],
  { device = 'auto', precision = 'fp32' }: Pick<EncoderOptions, 'device' | 'precision'>,
): Promise<MeasuredWith> {
  const engine = await openEngine();
  const { torchVersion, libavVersion, cpuCapability } = engine.info();
  return {
    packageVersion,
    engine: `libtorch ${torchVersion} ${cpuCapability}, FFmpeg ${libavVersion}`,
    device: chooseDevice(engine, device),
    precision,
    videos: await dataFingerprint(rows),
  };
}

/** Digest of the weights that a run folder exports. */
export async function weightsDigest(run: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(await weightsFile(run))) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}
