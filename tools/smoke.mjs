// `node tools/smoke.mjs npm|pnpm|yarn|bundlers|electron [--nodes 20,22,24] VERSION|FILE...`: installs vssl-native (a published
// version, or tarballs) in an empty project as a stranger does, with scripts and without, and uses the kernels as both kinds of
// module, or in what bundlers make of them. Where no engine is, asking for one has to say how to get it. --nodes: with these
// Node.js as well, which npx gets.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { log, main, run, ToolError } from './common.mjs';

const use = 'Math.sign(ntXent(new Float32Array(16).fill(1), { rows: 4, dim: 4 }).loss)';
const programs = {
  'use.cjs': `const { ntXent } = require('vssl-native/kernels'); console.log(process.version, ${use});\n`,
  'use.mjs': `import { ntXent } from 'vssl-native/kernels'; console.log(process.version, ${use});\n`,
  'engine.mjs': `
import { VideoEncoder } from 'vssl-native';
const encoder = await VideoEncoder.create({ arch: 'r3d_10', width: 0.25, seed: 1 }).catch((error) => error);
if (encoder instanceof VideoEncoder) await encoder.dispose();
else if (!/npx vssl-native setup/.test(encoder.message)) throw encoder;
else console.log(encoder.message);
`,
  'main.cjs': `const { app } = require('electron'); require('./use.cjs'); app.exit(0);\n`,
  'webpack.config.cjs': `module.exports = {
  mode: 'production', target: 'node', entry: './use.mjs', output: { path: __dirname, filename: 'webpack.cjs' },
  externals: ({ request }, done) => (/^vssl-native/.test(request) ? done(null, 'commonjs ' + request) : done()),
};\n`,
};
const plain = ['use.cjs', 'use.mjs', 'engine.mjs'];

/**
 * What installs, by package manager: once as it is, once without the scripts of packages, once from the lock file alone; and
 * the files that are run after each.
 */
const installs = {
  npm: (what) => [
    [['npm', 'install', ...what], plain],
    [['npm', 'ci'], plain],
    [['npm', 'install', '--ignore-scripts', ...what], plain],
  ],
  pnpm: (what) => [
    [['npx', '--yes', 'pnpm@10', 'add', ...what], plain],
    [['npx', '--yes', 'pnpm@10', 'install', '--frozen-lockfile', '--ignore-scripts'], plain],
  ],
  yarn: (what) => [
    [['npx', '--yes', 'yarn@1', 'add', ...what], plain],
    [['npx', '--yes', 'yarn@1', 'install', '--frozen-lockfile', '--ignore-scripts'], plain],
  ],
  bundlers: (what) => [
    [['npm', 'install', 'esbuild', 'webpack', 'webpack-cli', ...what], plain],
    [
      [
        'npx',
        'esbuild',
        'use.mjs',
        '--bundle',
        '--platform=node',
        '--external:vssl-native',
        '--outfile=esbuild.cjs',
      ],
      ['esbuild.cjs'],
    ],
    [['npx', 'webpack'], ['webpack.cjs']],
  ],
  electron: (what) => [[['npm', 'install', 'electron', ...what], []]],
};

await main(async () => {
  const { values, positionals } = parseArgs({
    options: { nodes: { type: 'string' } },
    allowPositionals: true,
  });
  const [manager, ...given] = positionals;
  if (!(manager in installs) || given.length === 0)
    throw new ToolError(`expected one of ${Object.keys(installs).join(', ')}, and a version or tarballs`, 2);
  const what = given.map((one) => (existsSync(one) ? resolve(one) : `vssl-native@${one.replace(/^v/, '')}`));
  const nodes = [
    [process.execPath],
    ...(values.nodes ?? '')
      .split(',')
      .filter(Boolean)
      .map((version) => ['npx', '--yes', '-p', `node@${version}`, 'node']),
  ];
  const project = mkdtempSync(join(tmpdir(), 'vssl-smoke-'));
  try {
    writeFileSync(join(project, 'package.json'), '{ "name": "app", "private": true }\n');
    for (const [name, source] of Object.entries(programs)) writeFileSync(join(project, name), source);
    const options = { cwd: project, shell: process.platform === 'win32' };
    for (const [[program, ...args], files] of installs[manager](what)) {
      log([program, ...args].join(' '));
      run(program, args, options);
      for (const file of files)
        for (const [node, ...rest] of nodes)
          run(node, [...rest, file], rest.length > 0 ? options : { cwd: project });
    }
    if (manager === 'electron') run('npx', ['electron', '--no-sandbox', 'main.cjs'], options);
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
});
