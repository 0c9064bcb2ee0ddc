/** Methods of one's own, from a module or from every module of a folder. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf, VsslError } from '../errors.js';
import { isMethod } from '../methods/method.js';
import { registerMethod } from '../methods/registry.js';
import { useEngine } from '../native/load.js';

/**
 * Registers the methods that the modules of `path` export, and takes the engine that `vssl-native build --methods` made
 * beside them. Throws ERR_VSSL_METHOD naming the file, ERR_VSSL_USAGE when there is no such file.
 */
export async function loadMethods(path: string): Promise<void> {
  if (!existsSync(path))
    throw new VsslError('ERR_VSSL_USAGE', `--methods: there is no file or folder ${path}`);
  const isFolder = statSync(path).isDirectory();
  const files = isFolder ? modulesIn(path) : [path];
  const found = new Map<unknown, string>();
  for (const file of files) {
    // What a CommonJS module exports is its default.
    const exported = await importFrom(file);
    for (const value of [exported, exported.default].flatMap((it) => [it, ...Object.values(it ?? {})]))
      if (isMethod(value) && !found.has(value)) found.set(value, file);
  }
  if (found.size === 0)
    throw new VsslError(
      'ERR_VSSL_METHOD',
      `${path} exports no method; expected a module (.js, .mjs, .cjs) with 'export default defineMethod({ ... })'`,
      { details: { file: path } },
    );
  for (const [method, file] of found) registerMethod(method as Parameters<typeof registerMethod>[0], file);
  const engine = join(isFolder ? path : dirname(path), 'build', 'vssl_engine.node');
  if (existsSync(engine)) useEngine(engine);
}

function modulesIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => /\.(js|mjs|cjs)$/.test(name));
  return names.sort().map((name) => join(folder, name));
}

async function importFrom(file: string): Promise<Record<string, object | undefined>> {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    const { code, details } =
      error instanceof VsslError ? error : { code: 'ERR_VSSL_METHOD' as const, details: {} };
    throw new VsslError(code, `${file}: ${messageOf(error)}`, {
      details: { ...details, file },
      cause: error,
    });
  }
}
