// The tables of README.md and docs/kernels.md are made from the committed results.
import { spawnSync } from 'node:child_process';
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
