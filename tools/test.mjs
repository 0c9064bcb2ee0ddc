// npm test: set-up, then all tests (C++ suites, AVA), then the count line `N passed, N failed, N skipped`.
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { cmakeBuild } from './build-native.mjs';
import { filesUnder, have, log, main, root, ToolError } from './common.mjs';
import { locateLibtorch } from './locate-libtorch.mjs';
import { setup } from './setup.mjs';

const count = { passed: 0, failed: 0, skipped: 0 };
// What the tests leave behind goes with this folder: they make temporary folders by the hundred.
const scratch = mkdtempSync(join(tmpdir(), 'vssl-test-'));
chmodSync(scratch, 0o711); // some tests look at a folder in it as another user
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
const env = { ...process.env, TMPDIR: scratch };
// Odd files and real clips: more is tested where they are, nothing depends on them.
const shared = join(root, '../shared/data');
if (!env.VSSL_TEST_DATA && existsSync(shared)) env.VSSL_TEST_DATA = shared;

/** Runs a program, hands each line of its stdout to `onLine`, resolves with its exit code. */
function stream(program, args, onLine) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      lines.forEach(onLine);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (rest) onLine(rest);
      resolve(signal ?? code);
    });
  });
}

/** A program that must end with exit code 0 counts as one test. */
async function check(name, program, args) {
  const lines = [];
  const code = await stream(program, args, (line) => lines.push(line));
  if (code === 0) count.passed++;
  else {
    count.failed++;
    console.log(`${lines.join('\n')}\nFAILED ${name} (${code})`);
  }
}

async function style() {
  if (existsSync(join(root, 'node_modules/.bin/biome')))
    await check('biome', 'node_modules/.bin/biome', ['check', '--error-on-warnings', '.']);
  if (have('clang-format')) {
    const sources = filesUnder('native').filter((file) => /\.(h|cpp|inl|cu|cuh)$/.test(file));
    await check('clang-format', 'clang-format', ['--dry-run', '-Werror', ...sources]);
  } else {
    log('clang-format is not installed: the C++ format was not checked');
    count.skipped++;
  }
}

async function cpp() {
  cmakeBuild({ libtorch: locateLibtorch().prefix, target: 'vssl_tests' });
  const suites = filesUnder('native/tests').filter((file) => file.endsWith('_test.cpp'));
  for (const suite of suites.map((file) => basename(file, '.cpp'))) {
    log(`C++ tests: ${suite}`);
    let last = '';
    const code = await stream(join(root, 'build/cmake', suite), [], (line) => {
      if (last) console.log(last);
      last = line;
    });
    const counts = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(last);
    if (!counts || (code !== 0 && counts[2] === '0')) {
      count.failed++;
      console.log(`${last}\nFAILED ${suite}: ended with ${code} and without a count of failures`);
      continue;
    }
    count.passed += Number(counts[1]);
    count.failed += Number(counts[2]);
    count.skipped += Number(counts[3] ?? 0);
    console.log(`${suite}: ${last}`);
  }
}

async function ava() {
  log('TypeScript tests');
  let failing = false;
  const code = await stream(
    process.execPath,
    ['node_modules/ava/entrypoints/cli.mjs', '--tap', ...process.argv.slice(2)],
    (line) => {
      const result = /^(not )?ok \d+ (?:- )?(.*)$/.exec(line);
      if (!result) {
        if (failing && !line.startsWith('1..')) console.log(line);
        return;
      }
      failing = Boolean(result[1]);
      if (/# (SKIP|TODO)\b/i.test(result[2])) {
        count.skipped++;
        console.log(`skipped: ${result[2]}`);
      } else if (failing) {
        count.failed++;
        console.log(`FAILED ${result[2]}`);
      } else count.passed++;
    },
  );
  if (code !== 0 && count.failed === 0) {
    count.failed++;
    console.log(`FAILED ava ended with ${code}`);
  }
}

await main(async () => {
  await setup();
  const steps = [style, cpp, ava];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      count.failed++;
      console.log(`FAILED ${step.name}: ${error.message}`);
    }
  }
  if (count.failed > 0) process.exitCode = 1;
  if (count.passed === 0) process.exitCode = 1;
  console.log(
    `${count.passed} passed, ${count.failed} failed${count.skipped ? `, ${count.skipped} skipped` : ''}`,
  );
});
