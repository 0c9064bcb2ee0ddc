/** Where libtorch is: asked of the tool that setup and the build ask. */
import { join } from 'node:path';
import { coded } from '../errors.js';
import { type Flavour, ownRequire, packageFolder } from './places.js';

/** A libtorch that was found. */
export interface Libtorch {
  readonly prefix: string;
  /** '2.13.0+cpu', or 'unknown'. */
  readonly version: string;
  /** Of CUDA, that it is for; null: none. */
  readonly cuda: string | null;
  /** What named it: LIBTORCH, cache... */
  readonly source: string;
}

interface Locator {
  locateLibtorch(explicit: undefined, flavour: Flavour): Libtorch | undefined;
  mainLibrary(prefix: string): string | undefined;
  cacheFolder(): string;
}

/** The tool; null in a bundle without the package beside it. */
function locator(): Locator | null {
  const folder = packageFolder();
  return folder === null ? null : (ownRequire()(join(folder, 'tools', 'locate-libtorch.cjs')) as Locator);
}

/** Where libtorch, and what is known of engines, is kept; '' where there is no package to ask. */
export function cacheFolder(): string {
  return locator()?.cacheFolder() ?? '';
}

/** The library of a libtorch that brings all others into a process. */
export function mainLibrary(prefix: string, flavour: Flavour): string {
  if (flavour === 'cuda') return join(prefix, 'lib', 'libtorch_cuda.so');
  return locator()?.mainLibrary(prefix) ?? '';
}

/** Throws ERR_VSSL_LIBTORCH where a variable names a folder that is none. */
export function findLibtorch(flavour: Flavour = 'cpu'): Libtorch | null {
  return coded(() => locator()?.locateLibtorch(undefined, flavour) ?? null);
}
