/** Child process that loads an engine of a package: its file, and the library that has to be there before it. */
import type { EngineAddon } from './bindings.js';
import { loadKernels } from './load.js';
import { ownRequire } from './places.js';

const [addon, library] = process.argv.slice(2) as [string, string];
try {
  loadKernels().preload(library);
  (ownRequire()(addon) as EngineAddon).info();
} catch (error) {
  console.error(String((error as Error).message).split('\n')[0]);
  process.exitCode = 1;
}
