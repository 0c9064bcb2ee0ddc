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
  const measured = ['systems', 'runs', 'claims', 'scaling', 'predict', 'index-speed', 'search', 'finetune'];
  for (const name of measured) {
    const args = [join(root, 'benchmarks', `${name}.mjs`), '--table', '--check'];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    t.is(status, 0, stderr);
  }
  const folder = join(root, 'benchmarks/results/systems');
  for (const name of existsSync(folder) ? readdirSync(folder) : [])
    t.notRegex(readFileSync(join(folder, name), 'utf8'), /"\/|[A-Za-z]:\\/, name);
});
