import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { checkOptions } from '../checks.js';
import { bundleAdvice, bundlePlace } from './bundled.js';
import { type DoctorCheck, judge, output } from './doctor-check.js';
import { checkCuda, findFlavour, hasUnusedCuda } from './doctor-cuda.js';
import { checkEngine, checkKernels, checkLibtorch, probeEngine } from './doctor-engine.js';
import { packageRoot, packageVersion } from './load.js';
import { nodeFault } from './node-version.js';
import { platformTag } from './platform.js';

export interface DoctorReport {
  readonly version: string;
  readonly platform: string;
  /** No check is a fault. */
  readonly ok: boolean;
  readonly checks: readonly DoctorCheck[];
}

export interface DoctorOptions {
  /** Runs the engine's numerical self-test, some seconds. Default true. */
  readonly selfTest?: boolean;
  /** Folder whose writability is tested. Default: the current one. */
  readonly folder?: string;
}

/**
 * Looks at everything that the package needs and says what is missing and how to get it. Never throws for a fault and
 * needs no libtorch: the engine is tried in a child process, so that one which does not fit the processor ends there.
 */
export async function doctor(options: DoctorOptions = {}): Promise<DoctorReport> {
  checkOptions(options, ['selfTest', 'folder']);
  const flavour = findFlavour();
  const [engine, unused] = await Promise.all([
    probeEngine(options.selfTest ?? true),
    hasUnusedCuda(flavour) ? probeEngine(false, { VSSL_ENGINE: 'cuda' }) : null,
  ]);
  const built = engine.probe?.info !== undefined;
  const groups = await Promise.all([
    checkNode(),
    checkBundle(),
    checkKernels(),
    checkEngine(engine),
    built ? [] : checkLibtorch(),
    built ? [] : checkPackageFolder(),
    checkCuda(flavour, engine.probe?.info, unused),
    checkThreads(engine.probe?.info?.threads),
    checkFolder(options.folder ?? process.cwd()),
    ...tools.map((tool) => checkTool(tool, built)),
  ]);
  const checks = groups.flat();
  return {
    version: packageVersion,
    platform: platformTag(),
    ok: checks.every((check) => check.status !== 'fault'),
    checks,
  };
}

function checkNode(): DoctorCheck {
  const { node, napi } = process.versions;
  const found = `${process.version}, Node-API ${napi}, ${platformTag()}`;
  const details = { node, napi: Number(napi ?? 0) };
  return judge('Node.js', nodeFault() === null, found, 'fault', 'install Node.js 20.17 or newer', details);
}

function checkBundle(): DoctorCheck[] {
  const bundle = bundlePlace();
  if (bundle === null) return [];
  const found = `taken into a bundle (in ${bundle}), without its addons, tools and scripts`;
  return [judge('package', false, found, 'fault', bundleAdvice)];
}

/** `threads`: those that libtorch would use. */
async function checkThreads(threads: number | undefined): Promise<DoctorCheck> {
  const visible = availableParallelism();
  const quota = await cpuQuota();
  const usable = Math.max(1, Math.min(visible, Math.floor(quota ?? visible)));
  const limited = quota !== null && quota < visible ? `, limited to ${quota} by the container` : '';
  const memory = `${(totalmem() / 2 ** 30).toFixed(1)} GiB of memory`;
  const found = `${cpus()[0]?.model.trim() ?? 'unknown'}, ${visible} threads${limited}, ${memory}`;
  const remedy = `libtorch would use ${threads} threads: set train.threads to ${usable}`;
  const good = threads === undefined || threads <= usable;
  return judge('processor', good, found, 'note', remedy, { visible, quota, usable });
}

/** Processors that the cgroup allows, null without a limit. */
async function cpuQuota(): Promise<number | null> {
  try {
    const [quota, period] = (await readFile('/sys/fs/cgroup/cpu.max', 'utf8')).trim().split(' ');
    return quota === 'max' ? null : Number(quota) / Number(period);
  } catch {
    return null;
  }
}

/** Builds go into the package itself; told only when one has to be made and cannot. */
async function checkPackageFolder(): Promise<DoctorCheck[]> {
  if (await allows(packageRoot, constants.W_OK)) return [];
  const found = `${packageRoot} is not writable, and the addons are built there`;
  const remedy = 'build as the owner of that folder, or install the package in a project of your own';
  return [judge('package folder', false, found, 'fault', remedy)];
}

async function checkFolder(folder: string): Promise<DoctorCheck> {
  const writable = await allows(folder, constants.W_OK | constants.X_OK);
  const found = `${folder} is ${writable ? '' : 'not '}writable`;
  const remedy = 'run in a folder of your own, or give --out a path that you may write';
  return judge('write access', writable, found, 'note', remedy);
}

function allows(folder: string, mode: number): Promise<boolean> {
  return access(folder, mode).then(
    () => true,
    () => false,
  );
}

interface Tool {
  readonly name: string;
  readonly commands: readonly (readonly [string, ...string[]])[];
  readonly purpose: string;
  readonly remedy: string;
}

/** Needed to build from source only: a note when the engine is there already. */
const tools: readonly Tool[] = [
  {
    name: 'C++ compiler',
    commands: [
      [process.env.CXX || 'c++', '--version'],
      ['g++', '--version'],
      ['clang++', '--version'],
    ],
    purpose: 'builds the addons',
    remedy: 'apt-get install g++',
  },
  {
    name: 'CMake',
    commands: [['cmake', '--version']],
    purpose: 'builds the addons',
    remedy: 'apt-get install cmake',
  },
  {
    name: 'Ninja or make',
    commands: [
      ['ninja', '--version'],
      ['make', '--version'],
    ],
    purpose: 'builds the addons',
    remedy: 'apt-get install ninja-build',
  },
  {
    name: 'FFmpeg development files',
    commands: [['pkg-config', '--modversion', 'libavformat']],
    purpose: 'opens video files',
    remedy: 'apt-get install pkg-config libavformat-dev libavcodec-dev libavutil-dev libswscale-dev',
  },
];

async function checkTool({ name, commands, purpose, remedy }: Tool, built: boolean): Promise<DoctorCheck> {
  for (const [command, ...args] of commands) {
    const text = await output(command, args);
    if (text !== null) return judge(name, true, `${command}: ${text.split('\n')[0]}`, 'fault');
  }
  const found = `not found (${purpose}${built ? '; only needed to build again' : ''})`;
  return judge(name, false, found, built ? 'note' : 'fault', remedy);
}
