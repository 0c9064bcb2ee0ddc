/** Where the addons may be. */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { bundlePlace } from './bundled.js';
import { here } from './here.js';
import { packageRoot } from './package-root.js';
import { platformTag } from './platform.js';

export type AddonName = 'kernels' | 'engine';

/** The engine is built for the CPU, and for CUDA as well where that was asked for. */
export type Flavour = 'cpu' | 'cuda';

/** The folder of the engine for CUDA, beside that for the CPU. */
const CUDA = 'cuda';

let own: string | null = null;

/** The engine that was asked for by its path; null: it is the package's. */
export function ownEngine(): string | null {
  return own;
}

export function setOwnEngine(path: string): void {
  own = path;
}

/** `require` of this package; a bundle has no place of its own: what it can find is what the process can. */
export function ownRequire(): NodeJS.Require {
  return createRequire(resolve(here, 'load.js'));
}

/**
 * The files that may be the addon, in the order in which they count: VSSL_NATIVE_BINDING (a folder or a file), the local
 * build, the platform package; or the engine that was asked for, with that for CUDA beside it.
 */
export function addonPlaces(name: AddonName, flavour: Flavour = 'cpu'): string[] {
  const below = flavour === 'cuda' ? CUDA : '';
  if (name === 'engine' && own !== null)
    return flavour === 'cuda' ? [join(dirname(own), CUDA, basename(own)), own] : [own];
  const file = `vssl_${name}.node`;
  const explicit = process.env.VSSL_NATIVE_BINDING;
  const found: string[] = [];
  if (explicit?.endsWith(file)) found.push(explicit);
  else if (explicit && !explicit.endsWith('.node')) found.push(join(explicit, below, file));
  const require = ownRequire();
  const root = packageFolder();
  if (root !== null) found.push(join(root, 'build', 'Release', below, file));
  const kind = name === 'kernels' ? '' : flavour === 'cuda' ? 'engine-cuda-' : 'engine-';
  try {
    found.push(require.resolve(`@vssl-native/${kind}${platformTag()}/${name}.node`));
  } catch {
    // not installed: the local build is the other way
  }
  return found;
}

/** Those of them that are for CUDA. */
export function cudaPlaces(): string[] {
  return addonPlaces('engine', 'cuda').filter((path) => path !== own || basename(dirname(path)) === CUDA);
}

/** The folder of the package, also where it is installed beside a bundle; null where it is not. */
export function packageFolder(): string | null {
  if (bundlePlace() === null) return packageRoot;
  try {
    return dirname(ownRequire().resolve('vssl-native/package.json'));
  } catch {
    return null;
  }
}

/** The engine that another thread, or the package's other build, has in this process; null: none that can be seen. */
export function engineInProcess(): string | null {
  let maps: string;
  try {
    maps = readFileSync('/proc/self/maps', 'utf8');
  } catch {
    return null;
  }
  if (!maps.includes('/vssl_engine.node')) return null;
  const mapped = new Set(maps.split('\n').map((line) => line.slice(line.indexOf('/'))));
  const known = [...addonPlaces('engine', 'cpu'), ...addonPlaces('engine', 'cuda')];
  return known.find((path) => existsSync(path) && mapped.has(realpathSync(path))) ?? null;
}
