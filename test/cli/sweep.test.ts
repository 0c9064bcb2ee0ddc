// The commands sweep, compare and init as they are typed.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { stringify } from 'yaml';
import { scratch, writeSquareVideo } from '../embed/make-videos.js';
import { tinyConfig } from '../helpers/tiny-run.js';

const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const { folder, file, remove } = scratch();
test.after.always(remove);

const env = { ...process.env, NO_COLOR: '1', VSSL_ENGINE: 'cpu' };
const cli = (...args: string[]) =>
  spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env, cwd: folder });

test.before(async () => {
  for (let i = 0; i < 6; i++) await writeSquareVideo(file(`v${i}.avi`), (k) => [k, 4 * i]);
  writeFileSync(file('all.csv'), ['path', ...[0, 1, 2, 3, 4, 5].map((i) => `v${i}.avi`)].join('\n'));
  writeFileSync(file('base.yaml'), stringify(tinyConfig({ train: { steps: 3, threads: 1 } })));
});

const sweepArgs = (out: string, ...more: string[]) =>
  ['sweep', '--config', 'base.yaml', '--data', 'all.csv', '--out', out, ...more] as const;

test.serial(
  'sweep: a table on stdout, one object with --json, exit 1 when a run failed; compare takes its folder',
  (t) => {
    const first = cli(...sweepArgs('swept', '--grid', 'train.optimizer.lr=0.01,0.05', '--jobs', '2'));
    t.is(first.status, 0, first.stderr);
    t.regex(first.stdout, /^train\.optimizer\.lr +seeds +loss +clips\/s\n-+/);
    t.regex(first.stdout, /\n0\.01 +1 of 1 /);
    t.regex(first.stderr, /run 1 of 2: train\.optimizer\.lr=0\.01, seed 0\n/);
    const compared = cli('compare', 'swept', '--points', '3');
    t.is(compared.status, 0, compared.stderr);
    t.regex(compared.stdout, /\nconfiguration .*\n-.*\ntrain\.optimizer\.lr +/);
    t.regex(compared.stdout, /\nloss +to 1 +to 2 +to 3\n/);
    t.regex(compared.stdout, /[▁▂▃▄▅▆▇█]{3}/);
    const parsed = JSON.parse(cli('compare', 'swept', '--json').stdout) as { arms: unknown[] };
    t.true(parsed.arms.length >= 2);
    const json = cli(...sweepArgs('swept', '--grid', 'train.optimizer.lr=0.01,1e30', '--json'));
    t.is(json.status, 1);
    t.is(json.stdout.trim().split('\n').length, 1);
    const { found, failures } = JSON.parse(json.stdout) as { found: number; failures: { code: string }[] };
    t.deepEqual([found, failures.map(({ code }) => code)], [1, ['ERR_VSSL_NON_FINITE']]);
  },
);

test.serial('wrong usage ends with 2, with the nearest name, and trains nothing', (t) => {
  const cases: [readonly string[], RegExp][] = [
    [
      sweepArgs('no', '--grid', 'train.optimzer.lr=1'),
      /\(--grid train\.optimzer\.lr\).*did you mean 'train\.optimizer'/,
    ],
    [sweepArgs('no', '--grid', 'train.batch=2', '--grid', 'train.batch=3'), /stands twice in the grid/],
    [sweepArgs('no', '--grid', 'train.batch'), /--grid key=value,value/],
    [sweepArgs('no', '--eval', 'knnn'), /there is no 'knnn'; expected knn, linear, retrieval/],
    [['sweep', '--config', 'base.yaml', '--data', 'all.csv'], /--out/],
    [['compare', 'v0.avi'], /holds no evaluation/],
    [['compare'], /missing required argument 'run'/],
    [['init'], /--data/],
    [['init', '--data', 'all.csv', '--out', 'base.yaml'], /is there already.*--force/],
  ];
  for (const [args, message] of cases) {
    const { status, stderr } = cli(...args);
    t.is(status, 2, args.join(' '));
    t.regex(stderr, message, args.join(' '));
  }
  t.false(existsSync(file('no')));
});

test.serial('Ctrl-C stops all runs with a checkpoint, exit 130, and the same command goes on', async (t) => {
  const args = sweepArgs(
    'stopped',
    '--set',
    'train.steps=400',
    '--grid',
    'train.optimizer.lr=0.01,0.05',
    '--jobs',
    '2',
  );
  const child = spawn(process.execPath, [main, ...args], {
    env,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const metrics = file('stopped/train.optimizer.lr=0.01/seed-0/metrics.jsonl');
  const limit = performance.now() + 120_000;
  while (!existsSync(metrics) || readFileSync(metrics, 'utf8').split('\n').length < 4) {
    if (performance.now() > limit) break;
    await delay(50);
  }
  child.kill('SIGINT');
  t.is(await ended, 130, said);
  t.regex(said, /the same command goes on from there.*\[ERR_VSSL_ABORTED\]/);
  const checkpoints = readdirSync(file('stopped/train.optimizer.lr=0.01/seed-0/checkpoints'));
  t.true(checkpoints.length > 0);
  const again = cli(...args, '--max-steps', '3');
  t.is(again.status, 0, again.stderr);
  t.regex(again.stderr, /going on after step \d+|trained already/);
});

test.serial('init writes a file that train takes as it is', (t) => {
  const made = cli('init', '--data', 'all.csv', '--out', 'made.yaml');
  t.is(made.status, 0, made.stderr);
  t.regex(
    made.stdout,
    /made\.yaml: cvrl-tiny for 6 videos\nnext: npx vssl-native train --config made\.yaml --out run/,
  );
  const shown = cli('init', '--data', 'all.csv', '--out', '-');
  t.is(shown.stdout, readFileSync(file('made.yaml'), 'utf8'));
  const { status, stderr } = cli('train', '--config', 'made.yaml', '--out', 'from-init', '--max-steps', '1');
  t.is(status, 0, stderr);
});
