// benchmarks/gpu.sh where there is no GPU: its stages, and what it leaves behind.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { packageRoot } from '#src/native/load.js';

const run = (...args: string[]) =>
  spawnSync('bash', [join(packageRoot, 'benchmarks', 'gpu.sh'), ...args], { encoding: 'utf8' });

test('unknown stages and options are named, with those that there are', (t) => {
  for (const args of [['--only', 'build,paint'], ['--from', 'paint'], ['--faster']]) {
    const { status, stdout } = run(...args);
    t.is(status, 2, args.join(' '));
    t.regex(stdout, /unknown (stage paint|option --faster); stages: build kernels engine/);
  }
});

test('a dry run does its stages, in a table and in JSON, and fails for none that lacks a device alone', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gpu-script-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const { status, stdout } = run('--dry-run', '--only', 'train', folder);
  const { stages } = JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8'));
  t.is(stages.length, 1);
  t.is(stages[0].stage, 'train');
  t.true(['skipped', 'dry run: no device'].includes(stages[0].state), stages[0].state);
  t.is(status, 0, stdout);
  t.regex(readFileSync(join(folder, 'table.txt'), 'utf8'), /^train /);
});
