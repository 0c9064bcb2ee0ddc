import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { checkDevice, checkText, type DeviceChoice } from '../checks.js';
import { messageOf, VsslError } from '../errors.js';
import type { EngineAddon, KernelsAddon } from './bindings.js';
import { bundleAdvice, bundlePlace } from './bundled.js';
import { chooseDevice } from './device.js';
import { chooseFlavour, lookAround } from './flavour.js';
import { nodeFault } from './node-version.js';
import {
  type AddonName,
  addonPlaces,
  engineInProcess,
  type Flavour,
  ownEngine,
  ownRequire,
  setOwnEngine,
} from './places.js';
import { libraryFor, prebuiltFault } from './prebuilt.js';

export { packageRoot } from './package-root.js';
export { packageVersion } from './version.js';

/** One place that was looked at, and what was found there. */
export interface LoadAttempt {
  readonly path: string;
  readonly code: 'loaded' | 'absent' | 'version' | 'failed' | 'libtorch';
  readonly message: string;
  /** What to do, where it is known better than from the code. */
  readonly remedy?: string;
}

const API_VERSION = { kernels: 3, engine: 3 } as const;
const loaded = new Map<AddonName, unknown>();

/**
 * Makes this file the engine of the process: the one that `vssl-native build --methods DIR` makes, DIR/build/
 * vssl_engine.node. To be called before anything loads the engine. Throws ERR_VSSL_NO_BINARY when there is no such file,
 * and ERR_VSSL_USAGE when another engine is loaded, or was asked for, already.
 */
export function useEngine(path: string): void {
  const file = resolve(checkText('path', 'the file of an engine addon', path));
  const before = ownEngine();
  if (file === before) return;
  const other = before ?? (loaded.has('engine') ? "the package's own" : null);
  if (other !== null)
    throw new VsslError(
      'ERR_VSSL_USAGE',
      `the engine cannot be ${file}: a process has one, and it is ${other} already; build all methods into one engine`,
      { details: { path: file } },
    );
  if (!existsSync(file))
    throw new VsslError(
      'ERR_VSSL_NO_BINARY',
      `there is no engine ${file}; build it with 'npx vssl-native build --methods ${dirname(dirname(file))}'`,
      { details: { path: file } },
    );
  setOwnEngine(file);
}

/** Loads vssl_kernels.node. Throws ERR_VSSL_NO_BINARY, ERR_VSSL_BUNDLED, ERR_VSSL_LOAD, ERR_VSSL_VERSION_MISMATCH or ERR_VSSL_ENVIRONMENT. */
export function loadKernels(): KernelsAddon {
  return load('kernels', 'auto') as KernelsAddon;
}

/**
 * Loads vssl_engine.node, and libtorch with it. Nothing loads it until it is asked for; the first `device` decides which
 * build of it the process has. Same errors, and ERR_VSSL_CUDA_UNAVAILABLE where it is seen that there is no such device.
 */
export function loadEngine(device: DeviceChoice = 'auto'): EngineAddon {
  return load('engine', device) as EngineAddon;
}

/**
 * As loadEngine, but the event loop goes on meanwhile: the files are opened, and libtorch sets itself up, on another
 * thread first.
 */
export async function openEngine(device: DeviceChoice = 'auto'): Promise<EngineAddon> {
  checkDevice('device', device);
  if (!loaded.has('engine')) {
    const path = placesFor('engine', device).find((file) => existsSync(file));
    // What is wrong with a file is for loadEngine to say.
    const kernels = path && tryLoad('kernels').addon;
    if (kernels && prebuiltFault(path) === null)
      for (const file of [libraryFor(path), path])
        if (file !== null) await (kernels as KernelsAddon).preloadAsync(file).catch(() => {});
  }
  return loadEngine(device);
}

/**
 * Loads the engine, and libtorch with it, without holding up the event loop, so that a server can have it in place
 * before the first request. Loading happens by itself otherwise. `device`: where networks are going to run, which decides
 * whether it is the engine for the CPU or for CUDA. Throws ERR_VSSL_NO_BINARY, ERR_VSSL_LOAD, ERR_VSSL_VERSION_MISMATCH or
 * ERR_VSSL_CUDA_UNAVAILABLE.
 */
export async function preload(device: DeviceChoice = 'auto'): Promise<void> {
  chooseDevice(await openEngine(device), device);
}

/** Tries every place and tells what happened, without throwing (for `doctor`). */
export function tryLoad(
  name: AddonName,
  device: DeviceChoice = 'auto',
): { addon?: unknown; attempts: LoadAttempt[] } {
  const done = loaded.get(name);
  if (done)
    return { addon: done, attempts: [{ path: 'this process', code: 'loaded', message: 'already loaded' }] };
  const require = ownRequire();
  const attempts: LoadAttempt[] = [];
  for (const path of placesFor(name, device)) {
    if (!existsSync(path)) {
      attempts.push({ path, code: 'absent', message: 'no such file' });
      continue;
    }
    try {
      const fault = prebuiltFault(path);
      if (fault !== null) {
        attempts.push({ path, ...fault });
        continue;
      }
      const library = libraryFor(path);
      if (library !== null) loadKernels().preload(library);
      const addon = require(path) as Record<string, unknown>;
      const version = addon[name === 'kernels' ? 'kernelApiVersion' : 'engineApiVersion'];
      if (version !== API_VERSION[name]) {
        attempts.push({
          path,
          code: 'version',
          message: `interface version ${String(version)}, this package needs ${API_VERSION[name]}`,
        });
        continue;
      }
      attempts.push({ path, code: 'loaded', message: 'loaded' });
      loaded.set(name, addon);
      if (name === 'engine' && isMainThread)
        process.once('exit', (code) => (addon as unknown as EngineAddon).leaving(code));
      return { addon, attempts };
    } catch (error) {
      attempts.push({
        path,
        code: 'failed',
        message: messageOf(error),
      });
    }
  }
  return { attempts };
}

/** Two engines in one process are two libtorches in one: where there is one, of whichever thread, it is this one's too. */
function placesFor(name: AddonName, device: DeviceChoice): string[] {
  if (name === 'kernels') return addonPlaces(name);
  const present = ownEngine() === null ? engineInProcess() : null;
  return present === null ? addonPlaces(name, chooseFlavour(device, lookAround()).flavour) : [present];
}

function load(name: AddonName, device: DeviceChoice): unknown {
  const done = loaded.get(name);
  if (done) return done; // each call of a kernel comes by here
  const wrongNode = nodeFault();
  if (wrongNode !== null)
    throw new VsslError('ERR_VSSL_ENVIRONMENT', `${wrongNode}; install a newer Node.js`);
  const { addon, attempts } = tryLoad(name, device);
  if (addon) return addon;
  const bundle = bundlePlace();
  if (bundle !== null && attempts.every(({ code }) => code === 'absent'))
    throw new VsslError(
      'ERR_VSSL_BUNDLED',
      `vssl-native was taken into a bundle (in ${bundle}), and its addons cannot be found from there: ${bundleAdvice}`,
      { details: { bundle, attempts } },
    );
  const tried = attempts.map((a) => `  ${a.path}: ${a.message}`).join('\n');
  const failed = attempts.find((a) => a.code === 'failed');
  const libtorch = attempts.find((a) => a.code === 'libtorch');
  const version = attempts.find((a) => a.code === 'version');
  const flavour = name === 'engine' ? chooseFlavour(device, lookAround()).flavour : 'cpu';
  const rebuild = `rebuild with 'npx vssl-native build${buildFlags(name, flavour)}'`;
  const [code, next] = failed
    ? (['ERR_VSSL_LOAD', failed.remedy ?? `${rebuild}, and see 'npx vssl-native doctor'`] as const)
    : libtorch
      ? (['ERR_VSSL_LIBTORCH', libtorch.remedy] as const)
      : version
        ? (['ERR_VSSL_VERSION_MISMATCH', version.remedy ?? rebuild] as const)
        : (['ERR_VSSL_NO_BINARY', wayToGet(name, flavour)] as const);
  const other = flavour === 'cuda' ? '; VSSL_ENGINE=cpu takes the engine for the CPU instead' : '';
  throw new VsslError(
    code,
    `the ${name} addon could not be loaded. Tried:\n${tried}\nWhat to do: ${next}${other}`,
    {
      details: { attempts },
    },
  );
}

function wayToGet(name: AddonName, flavour: Flavour): string {
  const setup = `'npx vssl-native setup${flavour === 'cuda' ? ' --cuda' : ''}'`;
  return name === 'engine'
    ? `get it with ${setup} (it gets libtorch, and the engine of this system or builds it)`
    : `install vssl-native with its optional dependencies (no --omit=optional), or build it with ${setup}`;
}

/** Of the command that builds the addon again. */
function buildFlags(name: AddonName, flavour: Flavour): string {
  const own = name === 'engine' ? ownEngine() : null;
  return `${own === null ? '' : ` --methods ${dirname(dirname(own))}`}${flavour === 'cuda' ? ' --cuda' : ''}`;
}
