// npm run build: both addons and the TypeScript; with --cuda, the engine for CUDA as well. Skips what is up to date.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildNative, buildOptions } from './build-native.mjs';
import { filesUnder, fingerprint, isProgram, log, main, root, run } from './common.mjs';

/** Compiles src/ and test/ unless nothing changed since the last time. */
export function buildTypeScript() {
  if (!existsSync(join(root, 'src')) || !existsSync(join(root, 'node_modules/typescript'))) return;
  const record = join(root, 'build/typescript.txt');
  const inputs = [
    'tsconfig.base.json',
    'tsconfig.json',
    'tsconfig.cjs.json',
    'tsconfig.test.json',
    'tools/build-ts.mjs',
  ];
  const print = fingerprint([...inputs, 'package.json', ...filesUnder('src'), ...filesUnder('test')]);
  const built = ['dist/esm/cli/main.js', 'dist/cjs/index.js', 'build/test'].every((file) =>
    existsSync(join(root, file)),
  );
  if (built && existsSync(record) && readFileSync(record, 'utf8') === print) return;
  log('compiling TypeScript');
  run(process.execPath, ['tools/build-ts.mjs', '--tests']);
  mkdirSync(join(root, 'build'), { recursive: true });
  writeFileSync(record, print);
}

export async function buildAll(options = {}) {
  buildNative(options);
  if (!options.methods) buildTypeScript();
}

if (isProgram(import.meta.url))
  await main(async () => await buildAll(buildOptions({ methods: { type: 'string' } })));
