import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { checkText } from '../checks.js';
import { messageOf, VsslError } from '../errors.js';
import type { EngineAddon, KernelsAddon } from './bindings.js';
import { bundleAdvice, bundlePlace } from './bundled.js';
import { here } from './here.js';
import { packageRoot } from './package-root.js';
import { platformTag } from './platform.js';

export { packageRoot } from './package-root.js';
export { packageVersion } from './version.js';

type AddonName = 'kernels' | 'engine';

/** One place that was looked at, and what was found there. */
export interface LoadAttempt {
  readonly path: string;
  readonly code: 'loaded' | 'absent' | 'version' | 'failed';
  readonly message: string;
}

const API_VERSION = { kernels: 2, engine: 3 } as const;
const loaded = new Map<AddonName, unknown>();
/** The engine that was asked for by its path; else it is the package's own. */
let chosenEngine: string | null = null;

/**
 * Makes this file the engine of the process: the one that `vssl-native build --methods DIR` makes, DIR/build/
 * vssl_engine.node. To be called before anything loads the engine. Throws ERR_VSSL_NO_BINARY when there is no such file,
 * and ERR_VSSL_USAGE when another engine is loaded, or was asked for, already.
 */
export function useEngine(path: string): void {
  const file = resolve(checkText('path', 'the file of an engine addon', path));
  if (file === chosenEngine) return;
  const other = chosenEngine ?? (loaded.has('engine') ? "the package's own" : null);
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
  chosenEngine = file;
}

/** Loads vssl_kernels.node. Throws ERR_VSSL_NO_BINARY, ERR_VSSL_BUNDLED, ERR_VSSL_LOAD or ERR_VSSL_VERSION_MISMATCH. */
export function loadKernels(): KernelsAddon {
  return load('kernels') as KernelsAddon;
}

/** Loads vssl_engine.node, and libtorch with it. Same errors. Nothing loads it until it is asked for. */
export function loadEngine(): EngineAddon {
  return load('engine') as EngineAddon;
}

/**
 * As loadEngine, but the event loop goes on meanwhile: the files are opened, and libtorch sets itself up, on another
 * thread first.
 */
export async function openEngine(): Promise<EngineAddon> {
  if (!loaded.has('engine')) {
    const path = candidates('engine', createRequire(resolve(here, 'load.js'))).find((file) =>
      existsSync(file),
    );
    // What is wrong with a file is for loadEngine to say.
    const kernels = path && tryLoad('kernels').addon;
    if (kernels) await (kernels as KernelsAddon).preloadAsync(path).catch(() => {});
  }
  return loadEngine();
}

/**
 * Loads the engine, and libtorch with it, without holding up the event loop, so that a server can have it in place
 * before the first request. Loading happens by itself otherwise. Throws ERR_VSSL_NO_BINARY, ERR_VSSL_LOAD or
 * ERR_VSSL_VERSION_MISMATCH.
 */
export async function preload(): Promise<void> {
  await openEngine();
}

/** Tries every place and tells what happened, without throwing (for `doctor`). */
export function tryLoad(name: AddonName): { addon?: unknown; attempts: LoadAttempt[] } {
  const done = loaded.get(name);
  if (done)
    return { addon: done, attempts: [{ path: 'this process', code: 'loaded', message: 'already loaded' }] };
  // a bundle has no place of its own: what it can find is what the process can
  const require = createRequire(resolve(here, 'load.js'));
  const attempts: LoadAttempt[] = [];
  for (const path of candidates(name, require)) {
    if (!existsSync(path)) {
      attempts.push({ path, code: 'absent', message: 'no such file' });
      continue;
    }
    try {
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

/** Order: VSSL_NATIVE_BINDING (a folder or a file), the local build, the platform package. */
function candidates(name: AddonName, require: NodeJS.Require): string[] {
  if (name === 'engine' && chosenEngine !== null) return [chosenEngine];
  const file = `vssl_${name}.node`;
  const explicit = process.env.VSSL_NATIVE_BINDING;
  const found: string[] = [];
  if (explicit) found.push(explicit.endsWith('.node') ? explicit : join(explicit, file));
  if (explicit?.endsWith('.node') && !explicit.endsWith(file)) found.pop();
  const root = bundlePlace() === null ? packageRoot : installedPackage(require);
  if (root !== null) found.push(join(root, 'build', 'Release', file));
  const platformPackage =
    name === 'kernels' ? `@vssl-native/${platformTag()}` : `@vssl-native/engine-${platformTag()}`;
  try {
    found.push(require.resolve(`${platformPackage}/${name}.node`));
  } catch {
    // not installed: the local build is the other way
  }
  return found;
}

/** The folder of the package where it is installed beside a bundle; null where it is not. */
function installedPackage(require: NodeJS.Require): string | null {
  try {
    return dirname(require.resolve('vssl-native/package.json'));
  } catch {
    return null;
  }
}

function load(name: AddonName): unknown {
  const { addon, attempts } = tryLoad(name);
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
  const version = attempts.find((a) => a.code === 'version');
  const own =
    name === 'engine' && chosenEngine !== null ? ` --methods ${dirname(dirname(chosenEngine))}` : '';
  const rebuild = `rebuild with 'npx vssl-native build${own}'`;
  const [code, next] = failed
    ? (['ERR_VSSL_LOAD', `${rebuild}, and see 'npx vssl-native doctor'`] as const)
    : version
      ? (['ERR_VSSL_VERSION_MISMATCH', rebuild] as const)
      : ([
          'ERR_VSSL_NO_BINARY',
          "build it with 'npx vssl-native setup' (gets libtorch, builds from source)",
        ] as const);
  throw new VsslError(code, `the ${name} addon could not be loaded. Tried:\n${tried}\nWhat to do: ${next}`, {
    details: { attempts },
  });
}
