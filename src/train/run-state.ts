import { createHash } from 'node:crypto';
import type { ResolvedConfig } from '../config/schema.js';
import type { ClipCounts } from '../data/clip-ledger.js';
import type { Manifest } from '../data/rows.js';
import { VsslError } from '../errors.js';
import { type Checkpoint, latestCheckpoint, listCheckpoints, readCheckpoint } from '../weights/checkpoint.js';
import { readEncoderDescription } from '../weights/encoder-file.js';
import { readSafetensorsMetadata } from '../weights/safetensors.js';
import type { QuarantineRecord } from './faults.js';
import { checkSameConfig, type RunPaths, runPaths } from './run-folder.js';

/**
 * What a checkpoint knows beside the engine's tensors. The sampler and every random draw are functions of the seed and
 * the step, so the files known to be bad, and the clips that failed, are the only things about the data that have to be
 * remembered.
 */
export interface RunState {
  readonly config: ResolvedConfig;
  /** Epoch of the last step. */
  readonly epoch: number;
  readonly totalSteps: number;
  /** Of the list of videos: resuming on another list would be another run. */
  readonly videos: string;
  /** Encoder file whose weights the run began with. */
  readonly init?: string;
  /** Threads of the network: with another number the last bits differ. */
  readonly threads: number;
  /** Ranks that trained together: with another number the last bits differ. Absent where there was one. */
  readonly ranks?: number;
  /** Files found bad by the batches up to this step, in order. */
  readonly quarantine: readonly QuarantineRecord[];
  /** Clips of each video that failed and that were loaded up to this step. Absent in runs of earlier versions. */
  readonly clips?: ClipCounts;
}

/** Every checkpoint has it, and of ten million rows it takes seconds. */
const fingerprints = new WeakMap<Manifest, string>();

/** Names of the rows and their windows, in order. */
export function videosFingerprint(manifest: Manifest): string {
  const known = fingerprints.get(manifest);
  if (known !== undefined) return known;
  const hash = createHash('sha256');
  const { rows } = manifest;
  for (let i = 0; i < rows.length; i += 1024) {
    const lines = rows
      .slice(i, i + 1024)
      .map(({ id, start, end }) => `${JSON.stringify([id, start ?? null, end ?? null])}\n`);
    hash.update(lines.join(''));
  }
  const fingerprint = `sha256:${hash.digest('hex')}`;
  fingerprints.set(manifest, fingerprint);
  return fingerprint;
}

/**
 * The checkpoint to go on from; null when there is none. `auto`: the last whole one in the run folder; otherwise the
 * named file. Throws ERR_VSSL_RESUME_MISMATCH when the run's configuration was another, or `init` is given and is not the
 * file that it began with.
 */
export async function findCheckpoint(
  paths: RunPaths,
  resume: string,
  config: ResolvedConfig,
  init: string | undefined,
  onDamaged: (error: VsslError) => void,
): Promise<Checkpoint<RunState> | null> {
  if (resume === 'never') return null;
  const inFolder = await latestCheckpoint<RunState>(paths.checkpoints, onDamaged);
  const checkSame = (from: string, { state }: Checkpoint<RunState>) =>
    checkSameConfig(from, comparable(state.config, state.init), comparable(config, init ?? state.init));
  if (inFolder) checkSame(paths.folder, inFolder);
  if (resume === 'auto') return inFolder;
  const named = await readCheckpoint<RunState>(resume);
  checkSame(resume, named);
  return named;
}

/** Whether the run has done `target` steps or all of its own, and its weights are those of the last of them. */
export async function isDone(
  paths: RunPaths,
  at: Pick<Checkpoint<RunState>, 'step' | 'state'>,
  target: number | undefined,
): Promise<boolean> {
  const { totalSteps } = at.state;
  if (at.step < Math.min(totalSteps, target ?? totalSteps)) return false;
  return await readEncoderDescription(paths.weights).then(
    ({ step }) => step === at.step,
    () => false,
  );
}

/**
 * How far the run in a folder has come, as far as that is seen without its videos and the engine: null where there is no
 * checkpoint that can be read. Throws ERR_VSSL_RESUME_MISMATCH when it was made with another configuration.
 */
export async function lookAtRun(
  folder: string,
  config: ResolvedConfig,
  maxSteps?: number,
): Promise<{ readonly step: number; readonly done: boolean } | null> {
  const paths = runPaths(folder);
  const last = (await listCheckpoints(paths.checkpoints)).at(-1);
  // what is wrong with one is said when the run goes on
  const metadata = last && (await readSafetensorsMetadata(last.path).catch(() => null));
  if (!metadata?.state) return null;
  const state = JSON.parse(metadata.state) as RunState;
  checkSameConfig(folder, comparable(state.config, undefined), comparable(config, undefined));
  return { step: last!.step, done: await isDone(paths, { step: last!.step, state }, maxSteps) };
}

export function checkSameVideos(folder: string, state: RunState, manifest: Manifest): void {
  if (state.videos === videosFingerprint(manifest)) return;
  throw new VsslError(
    'ERR_VSSL_RESUME_MISMATCH',
    `the run in ${folder} was made with other videos than data.path (${manifest.spec}) holds now: files were added, removed or renamed. Restore them to go on with it, give another --out for a new run, or --resume never to replace it`,
    { details: { folder, keys: ['data.path'] } },
  );
}

/** A run folder may be moved, so where it is does not count. */
function comparable(config: ResolvedConfig, init: string | undefined): unknown {
  return { ...config, out: null, init };
}
