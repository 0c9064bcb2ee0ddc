// npm test: set-up, then all tests (C++ suites, AVA), then the count line `N passed, N failed, N skipped`.
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cmakeBuild } from './build-native.mjs';
import { filesUnder, have, main, root } from './common.mjs';
import { locateLibtorch } from './locate-libtorch.cjs';
import { setup } from './setup.mjs';
import { check, checkBiome, count, runAva, runSteps, runSuites, skip } from './test-runner.mjs';

async function style() {
  if (existsSync(join(root, 'node_modules/@biomejs/biome'))) await checkBiome();
  if (have('clang-format')) {
    const sources = filesUnder('native').filter((file) => /\.(h|cpp|inl|cu|cuh)$/.test(file));
    await check('clang-format', 'clang-format', ['--dry-run', '-Werror', ...sources]);
  } else skip('clang-format is not installed: the C++ format was not checked');
}

async function cpp() {
  cmakeBuild({ libtorch: locateLibtorch().prefix, target: 'vssl_tests' });
  const suites = filesUnder('native/tests').filter((file) => file.endsWith('_test.cpp'));
  await runSuites(
    'build/cmake',
    suites.map((file) => basename(file, '.cpp')),
  );
}

async function ava() {
  await runAva(process.argv.slice(2));
}

await main(async () => {
  await setup({ yes: true });
  await runSteps([style, cpp, ava]);
  if (count.passed === 0) process.exitCode = 1;
});
