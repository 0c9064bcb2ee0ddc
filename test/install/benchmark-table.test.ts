// The tables of README.md and of docs are made from the committed results.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

test('the tables agree with benchmarks/results', (t) => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'benchmarks/table.mjs'), '--check'], {
    encoding: 'utf8',
  });
  t.is(status, 0, stderr);
});

test('the tables of docs agree with benchmarks/results, whose files name no path', (t) => {
  const scripts = ['systems.mjs', 'runs.mjs', 'claims.mjs', 'scaling.mjs', 'predict.mjs'];
  for (const script of [...scripts, 'index-speed.mjs', 'search.mjs']) {
    const args = [join(root, 'benchmarks', script), '--table', '--check'];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    t.is(status, 0, stderr);
  }
  const folder = join(root, 'benchmarks/results/systems');
  for (const name of existsSync(folder) ? readdirSync(folder) : [])
    t.notRegex(readFileSync(join(folder, name), 'utf8'), /"\/|[A-Za-z]:\\/, name);
});
