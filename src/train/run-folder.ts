/** The folder of a run: where its files are, what it was made with, and how it is taken, continued or started anew. */
import { execFile } from 'node:child_process';
import { mkdir, rm, stat } from 'node:fs/promises';
import { cpus, hostname, platform, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { diffConfigs } from '../config/diff.js';
import type { ResolvedConfig } from '../config/schema.js';
import { VsslError } from '../errors.js';
import type { EngineAddon } from '../native/bindings.js';
import { packageRoot, packageVersion } from '../native/load.js';
import { writeFileAtomic } from '../weights/atomic-write.js';
import { listCheckpoints, removeTemporaryFiles } from '../weights/checkpoint.js';
import { removeRunLog, runWriteError } from './run-log.js';

export interface RunPaths {
  readonly folder: string;
  readonly config: string;
  readonly checkpoints: string;
  readonly weights: string;
  /** Exported encoders other than the first. */
  readonly encoders: string;
  /** What was in the batch that gave a loss or gradient that is not finite. */
  readonly nonFinite: string;
  /** What is known of the video files, by size and modification time. */
  readonly videoIndex: string;
}

export function runPaths(folder: string): RunPaths {
  return {
    folder,
    config: join(folder, 'config.json'),
    checkpoints: join(folder, 'checkpoints'),
    weights: join(folder, 'weights.safetensors'),
    encoders: join(folder, 'encoders'),
    nonFinite: join(folder, 'nonfinite.json'),
    videoIndex: join(folder, 'video-index.jsonl'),
  };
}

/** Makes the folder of a run. Throws what makeOutFolder throws. */
export async function makeRunFolder(paths: RunPaths): Promise<void> {
  await makeOutFolder(paths.folder);
  await makeOutFolder(paths.checkpoints);
}

/** Makes a folder for runs. Throws ERR_VSSL_RUN_WRITE when it cannot be made or is not a folder. */
export async function makeOutFolder(folder: string): Promise<void> {
  try {
    await makeFolders(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOTDIR' || code === 'EEXIST'
        ? 'a part of that path is a file'
        : code === 'ENOSPC'
          ? 'the disk is full (ENOSPC)'
          : `it is not writable (${code ?? String(error)})`;
    throw new VsslError(
      'ERR_VSSL_RUN_WRITE',
      `the run folder ${folder} cannot be made: ${why}; choose another --out`,
      { details: { folder, systemCode: code }, cause: error },
    );
  }
}

/**
 * Like mkdir with `recursive`, which in Node 20 never returns where the system answers ENOENT for a parent that is there
 * (as /proc does).
 */
async function makeFolders(path: string): Promise<void> {
  const parent = dirname(path);
  if (parent !== path && !(await stat(parent).catch(() => null))) await makeFolders(parent);
  await mkdir(path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error;
  });
}

/** Removes what killed processes left half written. Only under the folder's lock. */
export async function cleanRunFolder(paths: RunPaths): Promise<void> {
  for (const folder of [paths.folder, paths.checkpoints, paths.encoders]) await removeTemporaryFiles(folder);
}

/** Removes the files of an earlier run, and nothing that training did not write. Only under the folder's lock. */
export async function emptyRunFolder(paths: RunPaths): Promise<void> {
  try {
    for (const path of [paths.weights, paths.config, paths.nonFinite]) await rm(path, { force: true });
    for (const { path } of await listCheckpoints(paths.checkpoints)) await rm(path, { force: true });
    await rm(paths.encoders, { recursive: true, force: true });
    await removeRunLog(paths.folder);
  } catch (error) {
    throw runWriteError(paths.folder, error);
  }
}

/** The resolved configuration at the top, so that the file reads as one; what it ran with and on under `run`. */
export async function writeRunConfig(
  paths: RunPaths,
  config: ResolvedConfig,
  run: Readonly<Record<string, unknown>>,
): Promise<void> {
  try {
    await writeFileAtomic(paths.config, `${JSON.stringify({ ...config, run }, null, 2)}\n`);
  } catch (error) {
    throw runWriteError(paths.folder, error, paths.config);
  }
}

/** Throws ERR_VSSL_RESUME_MISMATCH naming every key that differs from the run's own configuration. */
export function checkSameConfig(folder: string, before: unknown, now: unknown): void {
  const different = diffConfigs(before, now);
  if (different.length === 0) return;
  const list = different.map(({ key, a, b }) => `${key} (${show(a)} there, ${show(b)} now)`).join(', ');
  throw new VsslError(
    'ERR_VSSL_RESUME_MISMATCH',
    `${folder} holds a run whose configuration differs: ${list}. Give the same configuration to go on with it, another --out for a new run, or --resume never to replace it`,
    { details: { folder, keys: different.map(({ key }) => key) } },
  );
}

function show(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(value);
}

/** Versions, git hash and hardware, as they are at the start of a run. */
export async function describeEnvironment(engine: EngineAddon): Promise<Readonly<Record<string, unknown>>> {
  const info = engine.info();
  return {
    versions: {
      'vssl-native': packageVersion,
      node: process.versions.node,
      libtorch: info.torchVersion,
      libav: info.libavVersion,
      ...(info.cudaBuilt && { cuda: info.cudaVersion, cudnn: info.cudnnVersion }),
    },
    gitHash: await gitHash(),
    hardware: {
      host: hostname(),
      system: `${platform()} ${release()} ${process.arch}`,
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryBytes: totalmem(),
      cpuCapability: info.cpuCapability,
      cudaAvailable: info.cudaAvailable,
      gpus: info.cudaDevices,
    },
    started: new Date().toISOString(),
    command: process.argv.slice(1),
  };
}

/** Of the package's own source; null when it is installed without its history. `+` marks uncommitted changes. */
async function gitHash(): Promise<string | null> {
  if (!(await stat(join(packageRoot, '.git')).catch(() => null))) return null;
  const git = (...args: string[]) =>
    promisify(execFile)('git', ['-C', packageRoot, ...args], { timeout: 5000 });
  try {
    const hash = (await git('rev-parse', 'HEAD')).stdout.trim();
    const changed = (await git('status', '--porcelain', '--untracked-files=no')).stdout.trim();
    return hash + (changed ? '+' : '');
  } catch {
    return null;
  }
}
