/**
 * Addons that were built elsewhere and came in a package of their own. Such an engine may not fit this machine: it is loaded
 * in a child process first, which a signal ends instead of this one, and what came of it is kept.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { messageOf } from '../errors.js';
import { lookForDriver } from './driver.js';
import { cacheFolder, findLibtorch, type Libtorch, mainLibrary } from './libtorch.js';
import { packageFolder } from './places.js';
import { glibcVersion } from './platform.js';
import { packageVersion } from './version.js';

/** What tools/prebuild.mjs writes beside the addon. */
export const PREBUILD_RECORD = 'vssl-prebuild.json';

export interface Prebuild {
  /** Of this package. */
  readonly version: string;
  /** The oldest glibc that it runs with, '2.28'; null where it is not for glibc. */
  readonly glibc: string | null;
  /** That it was built against, '2.13.0+cpu'; null: kernels, which need none. */
  readonly libtorch: string | null;
  /** Of CUDA, that the engine is for; null: none. */
  readonly cuda: string | null;
}

/** Why an addon is not loaded, and what to do. */
export interface PrebuiltFault {
  readonly code: 'version' | 'failed' | 'libtorch';
  readonly message: string;
  readonly remedy: string;
}

/** null: built here. */
export function readPrebuild(addon: string): Prebuild | null {
  try {
    return JSON.parse(readFileSync(join(dirname(addon), PREBUILD_RECORD), 'utf8')) as Prebuild;
  } catch {
    return null;
  }
}

/** The library that has to be in the process before an engine of a package is: it does not know where libtorch is. */
export function libraryFor(addon: string): string | null {
  const prebuild = readPrebuild(addon);
  const libtorch = prebuild?.libtorch ? findLibtorch(prebuild.cuda === null ? 'cpu' : 'cuda') : null;
  return libtorch && mainLibrary(libtorch.prefix, prebuild!.cuda === null ? 'cpu' : 'cuda');
}

/** Why this addon cannot be loaded here; null: it can, or it was built here. Starts a process where that is not known yet. */
export function prebuiltFault(addon: string): PrebuiltFault | null {
  const prebuild = readPrebuild(addon);
  if (prebuild === null) return null;
  const { version, glibc, libtorch, cuda } = prebuild;
  if (version !== packageVersion)
    return {
      code: 'version',
      message: `of version ${version}, and vssl-native is ${packageVersion}`,
      remedy: 'install the two in the same version; delete the lock file if it holds the other one',
    };
  const here = glibcVersion();
  if (glibc !== null && here !== undefined && isOlder(here, glibc))
    return {
      code: 'failed',
      message: `needs glibc ${glibc} or newer, and this system has ${here}`,
      remedy: "build it here: 'npx vssl-native build'",
    };
  return libtorch === null ? null : engineFault(addon, libtorch, cuda);
}

function engineFault(addon: string, wanted: string, cuda: string | null): PrebuiltFault | null {
  const setup = `npx vssl-native setup${cuda === null ? '' : ' --cuda'}`;
  let found: Libtorch | null;
  try {
    found = findLibtorch(cuda === null ? 'cpu' : 'cuda');
  } catch (error) {
    return { code: 'libtorch', message: messageOf(error), remedy: `unset that, and give '${setup}'` };
  }
  const series = wanted.split('.').slice(0, 2).join('.');
  if (found === null)
    return {
      code: 'libtorch',
      message: `needs libtorch ${series}, which was not found (LIBTORCH, Torch_DIR, ${cacheFolder()})`,
      remedy: `get it: '${setup}'`,
    };
  if (found.version.split('.').slice(0, 2).join('.') !== series)
    return {
      code: 'libtorch',
      message: `needs libtorch ${series}, and that in ${found.prefix} (${found.source}) is ${found.version}`,
      remedy: `unset ${found.source} and give '${setup}'; or build an engine for that one: 'npx vssl-native build'`,
    };
  const fault = verdictOn(addon, found, cuda === null ? 'cpu' : 'cuda');
  return fault === null
    ? null
    : { code: 'failed', message: fault, remedy: "build it here: 'npx vssl-native setup --build'" };
}

/** '2.9' is older than '2.28'. */
export function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, 'en', { numeric: true }) < 0;
}

interface Verdict {
  /** What it holds for: another engine, libtorch, Node, processor or driver is another matter. */
  readonly facts: string;
  readonly fault: string | null;
}

/** Whether the engine loads, from the last time or tried now. null: it does. */
function verdictOn(addon: string, { prefix, version }: Libtorch, flavour: 'cpu' | 'cuda'): string | null {
  const library = mainLibrary(prefix, flavour);
  const driver = flavour === 'cuda' ? lookForDriver().version : null;
  const facts = JSON.stringify([
    ...[stampOf(addon), version, library, stampOf(library), process.version],
    ...[cpus()[0]?.model, driver],
  ]);
  const file = join(cacheFolder(), 'engine-verdicts.json');
  const kept = readVerdicts(file);
  if (kept[addon]?.facts === facts) return kept[addon].fault;
  const { fault, isCertain } = tryInChild(addon, library);
  if (isCertain) keepVerdicts(file, { ...kept, [addon]: { facts, fault } });
  return fault;
}

function stampOf(file: string): string {
  const { size, mtimeMs } = statSync(file);
  return `${size} ${mtimeMs}`;
}

function readVerdicts(file: string): Record<string, Verdict> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, Verdict>;
  } catch {
    return {};
  }
}

/** Where the cache cannot be written, each process tries for itself. */
function keepVerdicts(file: string, verdicts: Record<string, Verdict>): void {
  const present = Object.entries(verdicts).filter(([addon]) => existsSync(addon));
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.${process.pid}`, `${JSON.stringify(Object.fromEntries(present), null, 2)}\n`);
    renameSync(`${file}.${process.pid}`, file);
  } catch {
    // a full disk, or somebody else's
  }
}

const TRIAL_MS = 120_000;

function tryInChild(addon: string, library: string): { fault: string | null; isCertain: boolean } {
  const child = join(packageFolder() ?? '', 'dist', 'esm', 'native', 'try-engine.js');
  const { status, signal, stderr, error } = spawnSync(process.execPath, [child, addon, library], {
    ...{ encoding: 'utf8', timeout: TRIAL_MS, stdio: ['ignore', 'ignore', 'pipe'] },
    env: { ...process.env, ELECTRON_RUN_AS_NODE: '1', NODE_OPTIONS: '' },
  });
  if (status === 0) return { fault: null, isCertain: true };
  if (error) return { fault: `it could not be tried: ${error.message}`, isCertain: false };
  const why = signal === 'SIGILL' ? ': this processor lacks instructions that it needs' : '';
  const last = stderr.trim().split('\n').at(-1) ?? '';
  return {
    fault: signal ? `the process that loaded it died of ${signal}${why}` : `it does not load: ${last}`,
    // the system ends processes for reasons of its own
    isCertain: signal !== 'SIGKILL' && signal !== 'SIGTERM',
  };
}
