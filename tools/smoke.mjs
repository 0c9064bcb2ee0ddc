// `node tools/smoke.mjs npm|pnpm|yarn|electron VERSION|FILE...`: installs vssl-native (a published version, or tarballs) in an
// empty project as a stranger does, with scripts and without, and uses the kernels as both kinds of module.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { log, main, run, ToolError } from './common.mjs';

const use = 'Math.sign(ntXent(new Float32Array(16).fill(1), { rows: 4, dim: 4 }).loss)';
const programs = {
  'use.cjs': `const { ntXent } = require('vssl-native/kernels'); console.log(${use});\n`,
  'use.mjs': `import { ntXent } from 'vssl-native/kernels'; console.log(${use});\n`,
  'main.cjs': `const { app } = require('electron'); require('./use.cjs'); app.exit(0);\n`,
};

/** What installs, by package manager: once as it is, once without the scripts of packages, once from the lock file alone. */
const installs = {
  npm: (what) => [
    ['npm', 'install', ...what],
    ['npm', 'ci'],
    ['npm', 'install', '--ignore-scripts', ...what],
  ],
  pnpm: (what) => [['npx', '--yes', 'pnpm@10', 'add', ...what]],
  yarn: (what) => [['npx', '--yes', 'yarn@1', 'add', ...what]],
  electron: (what) => [['npm', 'install', 'electron', ...what]],
};

await main(async () => {
  const [manager, ...given] = process.argv.slice(2);
  if (!(manager in installs) || given.length === 0)
    throw new ToolError('expected npm, pnpm, yarn or electron, and a version or tarballs', 2);
  const what = given.map((one) => (existsSync(one) ? resolve(one) : `vssl-native@${one.replace(/^v/, '')}`));
  const project = mkdtempSync(join(tmpdir(), 'vssl-smoke-'));
  try {
    writeFileSync(join(project, 'package.json'), '{ "name": "app", "private": true }\n');
    for (const [name, source] of Object.entries(programs)) writeFileSync(join(project, name), source);
    const options = { cwd: project, shell: process.platform === 'win32' };
    for (const [program, ...args] of installs[manager](what)) {
      log([program, ...args].join(' '));
      run(program, args, options);
      for (const name of ['use.cjs', 'use.mjs']) run(process.execPath, [name], { cwd: project });
    }
    if (manager === 'electron') run('npx', ['electron', '--no-sandbox', 'main.cjs'], options);
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
});
