// Compiles src/ twice (ESM and CommonJS) and test/ once, with tsc alone: addons are found by file path, so no bundler.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const compile = (project) =>
  execFileSync(process.execPath, [tsc, '-p', project], {
    cwd: root,
    stdio: ['ignore', process.stderr, 'inherit'],
  });

const withTests = process.argv.includes('--tests');
for (const folder of ['dist', ...(withTests ? ['build/test'] : [])])
  rmSync(join(root, folder), { recursive: true, force: true });

compile('tsconfig.json');
compile('tsconfig.cjs.json');
mkdirSync(join(root, 'dist/cjs'), { recursive: true });
writeFileSync(join(root, 'dist/cjs/package.json'), '{ "type": "commonjs" }\n');
// CommonJS has no import.meta, and tsc would make require() of import(): this one module differs between the two builds.
writeFileSync(
  join(root, 'dist/cjs/native/here.js'),
  '"use strict";\nexports.here = __dirname;\nexports.importPackage = (name) => import(name);\n',
);
const bin = join(root, 'dist/esm/cli/main.js');
if (existsSync(bin)) chmodSync(bin, 0o755);
if (withTests) compile('tsconfig.test.json');
