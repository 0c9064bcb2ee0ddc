// What a whole run of each NAME-tiny takes and does to its loss: `train` as a user calls it, on the motion benchmark, with
// every core. Writes benchmarks/results/runs.json and the table of docs/results.md. Let nothing else run beside it.
//
//   node benchmarks/runs.mjs [--methods a,b] [--work DIR]    --methods prints and writes nothing
//   node benchmarks/runs.mjs --table [--check]
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cli, methodNames } from './cli.mjs';
import { fillPage, markdown, root } from './page.mjs';

const file = join(root, 'benchmarks/results/runs.json');
const DATA = 'synthetic:motion?split=train&count=480';
/** The loss is told as the mean over these tenths of a run. */
const TENTHS = [1, 2, 6, 10];

const { values: flags } = parseArgs({
  options: {
    methods: { type: 'string' },
    work: { type: 'string', default: join(root, 'runs/tiny') },
    table: { type: 'boolean' },
    check: { type: 'boolean' },
  },
});

const mean = (numbers) => numbers.reduce((a, b) => a + b, 0) / numbers.length;

function measure(method) {
  const run = join(flags.work, method);
  rmSync(run, { recursive: true, force: true });
  const started = performance.now();
  const trained = cli(['train', '--preset', `${method}-tiny`, '--data', DATA, '--out', run]);
  const seconds = (performance.now() - started) / 1000;
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  const metrics = lines.map((line) => JSON.parse(line));
  const tenth = (i) =>
    mean(
      metrics.filter(({ step }) => Math.ceil((10 * step) / trained.totalSteps) === i).map(({ loss }) => loss),
    );
  return { name: `${method}-tiny`, steps: trained.stepsDone, seconds, loss: TENTHS.map(tenth) };
}

function table({ cpu, threads, rows }) {
  const columns = ['preset', 'steps', 'whole run', 'loss, 1st tenth', '2nd', '6th', 'last'];
  const cells = rows.map(({ name, steps, seconds, loss }) => [
    ...[name, steps, `${seconds.toFixed(0)} s`],
    ...loss.map((one) => one.toFixed(2)),
  ]);
  return `${markdown(columns, cells)}\n\n(${cpu}, ${threads} threads.)\n`;
}

if (!flags.table) {
  const names = flags.methods?.split(',') ?? methodNames();
  const result = {
    ...{ format: 'vssl-native runs', formatVersion: 1, data: DATA },
    ...{ cpu: cpus()[0]?.model, threads: cpus().length, date: new Date().toISOString().slice(0, 10) },
    rows: names.map(measure),
  };
  console.log(table(result));
  if (!flags.methods) writeFileSync(file, `${JSON.stringify(result, null, 1)}\n`);
}
if (!flags.methods && existsSync(file))
  fillPage('docs/results.md', 'runs', table(JSON.parse(readFileSync(file, 'utf8'))), flags.check);
