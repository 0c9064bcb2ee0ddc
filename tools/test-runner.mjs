// What `npm test` and `npm run test:cuda` share: suites that are run one after another, and the count line.
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { log, root, ToolError } from './common.mjs';

export const count = { passed: 0, failed: 0, skipped: 0 };

// What the tests leave behind goes with this folder: they make temporary folders by the hundred.
const scratch = mkdtempSync(join(tmpdir(), 'vssl-test-'));
chmodSync(scratch, 0o711); // some tests look at a folder in it as another user
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

/** Of every suite. */
export const env = { ...process.env, TMPDIR: scratch };
// Odd files and real clips: more is tested where they are, nothing depends on them.
const shared = join(root, '../shared/data');
if (!env.VSSL_TEST_DATA && existsSync(shared)) env.VSSL_TEST_DATA = shared;

/** Runs a program, hands each line of its stdout to `onLine`, resolves with its exit code. */
export function stream(program, args, onLine) {
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
export async function check(name, program, args) {
  const lines = [];
  const code = await stream(program, args, (line) => lines.push(line));
  if (code === 0) count.passed++;
  else {
    count.failed++;
    console.log(`${lines.join('\n')}\nFAILED ${name} (${code})`);
  }
}

/** Format and lint of all that is not C++. */
export const checkBiome = () =>
  check('biome', process.execPath, [
    'node_modules/@biomejs/biome/bin/biome',
    'check',
    '--error-on-warnings',
    '.',
  ]);

/** What was not tried, and why. */
export function skip(why) {
  log(why);
  count.skipped++;
}

/** C++ suites, programs in `folder` whose last line counts. `launcher`: a program, with arguments, that runs them. */
export async function runSuites(folder, suites, launcher = []) {
  for (const suite of suites) {
    log(`C++ tests: ${suite}`);
    let last = '';
    const [program, ...args] = [...launcher, join(root, folder, suite)];
    const code = await stream(program, args, (line) => {
      if (last) console.log(last);
      last = line;
    });
    const counts = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\r?$/.exec(last);
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

/** AVA with these arguments. */
export async function runAva(args) {
  log('TypeScript tests');
  let failing = false;
  const failed = count.failed;
  const onLine = (line) => {
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
  };
  const code = await stream(
    process.execPath,
    ['node_modules/ava/entrypoints/cli.mjs', '--tap', ...args],
    onLine,
  );
  if (code !== 0 && count.failed === failed) {
    count.failed++;
    console.log(`FAILED ava ended with ${code}`);
  }
}

/** Each step in turn, whatever became of the one before; then the count. */
export async function runSteps(steps) {
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      count.failed++;
      console.log(`FAILED ${step.name}: ${error.message}`);
    }
  }
  const { passed, failed, skipped } = count;
  if (failed > 0 || passed + skipped === 0) process.exitCode = 1;
  console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
}
