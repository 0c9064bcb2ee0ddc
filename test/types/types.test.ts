import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

// skipLibCheck is off: the package's own declarations are checked too.
test('consumers of both kinds compile under strict with exact optional properties', async (t) => {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'];
  const target = [
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--lib',
    'es2023,esnext.disposable',
    '--types',
    'node',
  ];
  const files = ['consumer.mts', 'consumer.cts'].map((name) => join(root, 'test/types', name));
  const { stdout } = await run(process.execPath, [tsc, ...strict, ...target, ...files], { cwd: root }).catch(
    (error: { stdout: string }) => error,
  );
  t.is(stdout, '');
});

/** Imports the package and tells what it exports, and which of its addons were loaded by that. */
const report = `
  const addons = process.report.getReport().sharedObjects.filter((path) => /vssl_|libtorch/.test(path));
  console.log(JSON.stringify({ names: Object.keys(vssl).sort(), addons }));
`;

const expected = [
  'VideoEncoder',
  'VsslError',
  'doctor',
  'embedToFile',
  'evaluate',
  'listMethods',
  'listPresets',
  'readSafetensors',
  'train',
  'writeSafetensors',
];

for (const [kind, type, source] of [
  ['an ES module', 'module', "import * as vssl from 'vssl-native';"],
  ['a CommonJS module', 'commonjs', "const vssl = require('vssl-native');"],
] as const)
  test(`${kind} has the same names, and importing loads no addon`, async (t) => {
    t.true(existsSync(join(root, 'dist/cjs/index.js')));
    const { stdout } = await run(process.execPath, [`--input-type=${type}`, '-e', source + report], {
      cwd: root,
    });
    const { names, addons } = JSON.parse(stdout) as { names: string[]; addons: string[] };
    for (const name of expected) t.true(names.includes(name), name);
    t.deepEqual(addons, []);
  });
