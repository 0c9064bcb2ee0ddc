/**
 * Shards that commands print, as files: each command runs once, and what it prints is read from a folder from then on, as
 * with `cache_dir` of webdataset. So a pipe is a data set like any other: any sample at any time, in any order.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { throwIfAborted } from '../../checks.js';
import { messageOf, VsslError } from '../../errors.js';
import { fsPath } from '../file-names.js';
import { expandBraces } from './find-shards.js';
import { pipeToFile } from './pipe-to-file.js';

/** Commands that run at once. */
const AT_ONCE = 4;

export interface FetchOptions {
  /** Where shards stay, and are found again; null: in a folder that goes with the process. */
  readonly cache: string | null;
  /** Bytes of all shards, at most. */
  readonly mostBytes: number;
  /** Shards whose commands fail are left out. */
  readonly skipsFailed: boolean;
  readonly signal: AbortSignal | undefined;
}

export interface FetchedShard {
  /** The same on any machine. */
  readonly name: string;
  readonly path: string;
}

export interface FetchedShards {
  readonly shards: readonly FetchedShard[];
  /** Of commands that failed. */
  readonly faults: readonly VsslError[];
}

/** Of each command of this process once, whoever asks: an evaluation reads what its training read. */
const fetched = new Map<string, Promise<FetchedShards>>();

/** Of all commands that the braces of `command` make. Throws what pipeToFile throws, and ERR_VSSL_DATA beyond the bound. */
export async function fetchShards(command: string, options: FetchOptions): Promise<FetchedShards> {
  const key = JSON.stringify([command, options.cache, options.skipsFailed]);
  const known = fetched.get(key);
  if (known) return await known;
  const fetching = fetchAll(command, options);
  fetched.set(key, fetching);
  fetching.catch(() => fetched.delete(key));
  return await fetching;
}

async function fetchAll(command: string, options: FetchOptions): Promise<FetchedShards> {
  const { cache, mostBytes, skipsFailed, signal } = options;
  const folder = cache === null ? temporaryFolder() : await makeFolder(resolve(cache));
  const stop = new AbortController();
  const signals = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  let bytes = 0;
  const onBytes = (count: number) => {
    bytes += count;
    if (bytes > mostBytes) throw tooMany(mostBytes);
  };
  const commands = expandBraces(command);
  const names = shardNames(commands);
  const shards = new Array<FetchedShard | null>(commands.length).fill(null);
  const faults: VsslError[] = [];
  let next = 0;
  const work = async () => {
    for (let i = next++; i < commands.length; i = next++) {
      const [name, own] = [names[i]!, commands[i]!];
      const path = join(folder, cache === null ? name : cachedName(name, own));
      const held = await stat(fsPath(path)).catch(() => null);
      if (held) onBytes(held.size);
      try {
        if (!held) await fetchOne(own, path, { name, onBytes, signal: signals });
        shards[i] = { name, path };
      } catch (error) {
        if (!(skipsFailed && error instanceof VsslError && error.details.shard === name)) throw error;
        faults.push(error);
      }
    }
  };
  const failures: unknown[] = [];
  const orStop = (error: unknown) => {
    failures.push(error);
    stop.abort();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, () => work().catch(orStop)));
  if (failures.length > 0) {
    if (cache === null) rmSync(folder, { recursive: true, force: true });
    throwIfAborted(signal); // a stream that is stopped says so in words of its own
    throw failures[0];
  }
  return { shards: shards.filter((shard) => shard !== null), faults };
}

/** A file has its name when it is whole. */
async function fetchOne(
  command: string,
  path: string,
  options: Parameters<typeof pipeToFile>[2],
): Promise<void> {
  const part = `${path}.${process.pid}.part`;
  try {
    await pipeToFile(command, part, options);
    await rename(fsPath(part), fsPath(path));
  } catch (error) {
    await rm(fsPath(part), { force: true });
    throw asWriteError(path, error);
  }
}

/** A system's error says that what was printed cannot be kept; others are as they are. */
function asWriteError(path: string, error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).syscall === undefined) return error;
  return new VsslError(
    'ERR_VSSL_WRITE',
    `cannot write ${path}: ${messageOf(error)}; name a folder with room for all shards: pipe?cache=FOLDER:COMMAND`,
    { details: { path }, cause: error },
  );
}

async function makeFolder(folder: string): Promise<string> {
  await mkdir(fsPath(folder), { recursive: true }).catch((error) => {
    throw asWriteError(folder, error);
  });
  return folder;
}

/** The name of a tar file in each command, where they differ; otherwise numbers. */
function shardNames(commands: readonly string[]): string[] {
  const named = commands.map((command) => {
    if (command === '-') return 'stdin.tar';
    return /([\w.+-]*\w)\.tar(?![\w])/.exec(command)?.[0] ?? null;
  });
  if (named.every((name) => name !== null) && new Set(named).size === named.length) return named;
  const digits = String(commands.length - 1).length;
  return commands.map((_, i) => `shard-${String(i).padStart(digits, '0')}.tar`);
}

/** Other commands may name other files of this name. */
function cachedName(name: string, command: string): string {
  const digest = createHash('sha256').update(command).digest('hex').slice(0, 8);
  return `${name.replace(/\.tar$/, '')}-${digest}.tar`;
}

const temporary: string[] = [];

function temporaryFolder(): string {
  if (temporary.length === 0)
    process.on('exit', () => {
      for (const folder of temporary) rmSync(folder, { recursive: true, force: true });
    });
  const folder = mkdtempSync(join(tmpdir(), 'vssl-pipe-'));
  temporary.push(folder);
  return folder;
}

function tooMany(mostBytes: number): VsslError {
  return new VsslError(
    'ERR_VSSL_DATA',
    `the commands print more than ${mostBytes / 1e9} GB; allow more (pipe?most=GB:COMMAND) where the disk has room, or give fewer shards`,
    { details: { mostBytes } },
  );
}
