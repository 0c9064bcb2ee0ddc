// `npm run test:lancedb`: the tests of the index's store in LanceDB, which `npm test` skips. Its packages (170 MB) are
// put into the cache folder, at a fixed version and without what they can do besides; package.json stays as it is.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { log, main, root, run } from './common.mjs';
import { cacheFolder } from './locate-libtorch.cjs';
import { setup } from './setup.mjs';
import { env, runAva, runSteps } from './test-runner.mjs';

/** The last that runs on Node.js 20, and the newest apache-arrow that it takes. */
const LANCEDB = '0.31.0';
const ARROW = '18.1.0';

/** LanceDB's package for this machine. */
function platformPackage() {
  const { platform, arch } = process;
  const isGlibc = Boolean(process.report.getReport().header.glibcVersionRuntime);
  const kind = { linux: isGlibc ? '-gnu' : '-musl', win32: '-msvc' }[platform] ?? '';
  return `@lancedb/lancedb-${platform}-${arch}${kind}`;
}

/** Folder of the packages. */
function getLancedb() {
  const folder = join(cacheFolder(), `lancedb-${LANCEDB}`);
  const modules = join(folder, 'node_modules');
  if (existsSync(join(modules, platformPackage()))) return modules;
  log(`getting LanceDB ${LANCEDB}`);
  const packages = [
    `@lancedb/lancedb@${LANCEDB}`,
    `${platformPackage()}@${LANCEDB}`,
    `apache-arrow@${ARROW}`,
  ];
  const flags = ['--no-save', '--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund'];
  run('npm', ['install', '--prefix', folder, ...flags, ...packages]);
  return modules;
}

async function ava() {
  await runAva(['build/test/search/lancedb*.test.js']);
}

await main(async () => {
  await setup({ yes: true });
  env.NODE_PATH = [getLancedb(), process.env.NODE_PATH].filter(Boolean).join(delimiter);
  run(process.execPath, [join(root, 'tools/build-ts.mjs'), '--tests']);
  await runSteps([ava]);
});
