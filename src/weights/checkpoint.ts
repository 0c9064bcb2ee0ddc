/**
 * Full training state in one safetensors file a checkpoint: the engine's tensors, and the data state as JSON in the
 * metadata, under one checksum. Written to a temporary name, synced and renamed; older ones are removed only after
 * that. So at least one whole checkpoint is there at any moment, once there has been one.
 */
import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VsslError } from '../errors.js';
import type { NamedTensor } from '../native/bindings.js';
import { TEMPORARY_SUFFIX, type WriteOperations, writeReason } from './atomic-write.js';
import { readSafetensors, writeSafetensors } from './safetensors.js';

/** Version of the checkpoint's layout. Other versions are refused: a run is resumed with the version that made it. */
export const CHECKPOINT_FORMAT_VERSION = 1;
const FORMAT = 'vssl-checkpoint';
const NAME = /^step-(\d{9,})\.safetensors$/;

export interface Checkpoint<State = unknown> {
  /** Training steps done. */
  readonly step: number;
  /** All that TypeScript must know to go on: plain JSON. */
  readonly state: State;
  /** What NativeSession.exportState gave. */
  readonly tensors: readonly NamedTensor[];
}

export interface CheckpointEntry {
  readonly path: string;
  readonly step: number;
}

export function checkpointPath(folder: string, step: number): string {
  return join(folder, `step-${String(step).padStart(9, '0')}.safetensors`);
}

/**
 * Writes a checkpoint and removes all but the last `keep` ones. Throws ERR_VSSL_CHECKPOINT_WRITE (full disk, no
 * permission, I/O error); every checkpoint that was there before then still is.
 */
export async function writeCheckpoint(
  folder: string,
  checkpoint: Checkpoint,
  options: { readonly keep: number; readonly operations?: WriteOperations },
): Promise<string> {
  const { step, tensors } = checkpoint;
  const path = checkpointPath(folder, step);
  const state = JSON.stringify(checkpoint.state);
  const metadata = {
    format: FORMAT,
    format_version: String(CHECKPOINT_FORMAT_VERSION),
    step: String(step),
    state,
    checksum: checksumOf(step, state, tensors),
  };
  try {
    await writeSafetensors(path, tensors, metadata, options.operations);
  } catch (error) {
    throw await writeError(folder, path, step, error);
  }
  const all = await listCheckpoints(folder);
  // By step, but never the one just written: after a fall-back to an earlier one there may be later, damaged ones.
  const older = all.filter((entry) => entry.step !== step);
  const surplus = older.slice(0, Math.max(0, all.length - Math.max(1, options.keep)));
  for (const entry of surplus) await rm(entry.path, { force: true }).catch(() => {});
  return path;
}

/**
 * Reads and verifies one checkpoint. Throws ERR_VSSL_CHECKPOINT when it is damaged, no checkpoint at all, or of
 * another format version; ERR_VSSL_FILE when it cannot be opened.
 */
export async function readCheckpoint<State>(path: string): Promise<Checkpoint<State>> {
  const file = await readSafetensors(path).catch((error) => {
    if (error instanceof VsslError && error.code === 'ERR_VSSL_SAFETENSORS')
      throw damaged(path, error.message, error);
    throw error;
  });
  const { metadata, tensors } = file;
  if (metadata.format !== FORMAT)
    throw damaged(path, `its metadata says format '${metadata.format ?? 'none'}', expected '${FORMAT}'`);
  if (metadata.format_version !== String(CHECKPOINT_FORMAT_VERSION))
    throw otherVersion(path, metadata.format_version);
  const step = Number(metadata.step);
  if (!Number.isSafeInteger(step) || step < 0) throw damaged(path, `its step is '${metadata.step}'`);
  if (checksumOf(step, metadata.state ?? '', tensors) !== metadata.checksum)
    throw damaged(path, 'its checksum does not match its content');
  return { step, state: JSON.parse(metadata.state!) as State, tensors };
}

/** In ascending order of steps. An absent folder has none. */
export async function listCheckpoints(folder: string): Promise<CheckpointEntry[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  return names
    .flatMap((name) => {
      const match = NAME.exec(name);
      return match ? [{ path: join(folder, name), step: Number(match[1]) }] : [];
    })
    .sort((a, b) => a.step - b.step);
}

/**
 * The last whole checkpoint, or null when the folder has none at all. A damaged one is told to `onDamaged` and passed
 * over for the one before; when all are damaged, or one is of another format version, that is an error
 * (ERR_VSSL_CHECKPOINT): starting again from nothing must be asked for.
 */
export async function latestCheckpoint<State>(
  folder: string,
  onDamaged: (error: VsslError) => void = () => {},
): Promise<(Checkpoint<State> & { readonly path: string }) | null> {
  const entries = await listCheckpoints(folder);
  for (const { path } of [...entries].reverse()) {
    try {
      return { ...(await readCheckpoint<State>(path)), path };
    } catch (error) {
      if (!(error instanceof VsslError) || error.code !== 'ERR_VSSL_CHECKPOINT') throw error;
      if ('formatVersion' in error.details) throw error;
      onDamaged(error);
    }
  }
  if (entries.length === 0) return null;
  throw new VsslError(
    'ERR_VSSL_CHECKPOINT',
    `none of the ${entries.length} checkpoints in ${folder} is whole; start again with --resume never and another --out, or remove them`,
    { details: { folder } },
  );
}

/** Removes what a killed process left half written. Only for the process that holds the run folder's lock. */
export async function removeTemporaryFiles(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names)
    if (name.endsWith(TEMPORARY_SUFFIX)) await rm(join(folder, name), { force: true }).catch(() => {});
}

function checksumOf(step: number, state: string, tensors: readonly NamedTensor[]): string {
  const hash = createHash('sha256');
  const add = (text: string) => hash.update(`${Buffer.byteLength(text)}:`).update(text);
  add(String(step));
  add(state);
  for (const { name, dtype, shape, data } of tensors) {
    add(name);
    add(`${dtype} ${shape.join(' ')} ${data.byteLength}`);
    hash.update(data);
  }
  return `sha256:${hash.digest('hex')}`;
}

async function writeError(folder: string, path: string, step: number, error: unknown): Promise<VsslError> {
  const before = (await listCheckpoints(folder).catch(() => [])).at(-1);
  const code = (error as NodeJS.ErrnoException).code;
  const why = code === 'ENOENT' ? 'the run folder has been removed (ENOENT)' : writeReason(error);
  const last = before
    ? `the last whole checkpoint is that of step ${before.step}`
    : 'there is no earlier checkpoint';
  return new VsslError(
    'ERR_VSSL_CHECKPOINT_WRITE',
    `the checkpoint of step ${step} could not be written to ${path}: ${why}; ${last}. Put that right and give the same command again to go on from there`,
    { details: { path, step, systemCode: code, lastStep: before?.step }, cause: error },
  );
}

function otherVersion(path: string, found = 'absent'): VsslError {
  return new VsslError(
    'ERR_VSSL_CHECKPOINT',
    `checkpoint ${path} cannot be used: its format version is ${found}, this package reads ${CHECKPOINT_FORMAT_VERSION}; ` +
      'go on with the version of the package that wrote it, or start again with --resume never',
    { details: { path, formatVersion: found } },
  );
}

function damaged(path: string, why: string, cause?: unknown): VsslError {
  return new VsslError('ERR_VSSL_CHECKPOINT', `checkpoint ${path} cannot be used: ${why}`, {
    details: { path },
    cause,
  });
}
