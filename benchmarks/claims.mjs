// Trains the arms of each method's claims on the motion benchmark (`eval claims`), keeps the outcome as
// benchmarks/results/claims/METHOD.json and writes the tables of docs/methods/METHOD.md. An arm that is trained is not
// trained again, and a method whose outcome is there is left alone: delete the file to make it anew.
//
//   node benchmarks/claims.mjs [--methods a,b] [--threads N] [--work DIR]
//   node benchmarks/claims.mjs --table            writes the tables from the committed results
//   node benchmarks/claims.mjs --table --check    ends with 1 when one is out of date
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cli, methodNames } from './cli.mjs';
import { fillPage, markdown, root } from './page.mjs';
import { percent, percentInterval } from './percent.mjs';

const results = join(root, 'benchmarks/results/claims');
// In the benchmark's 2 seconds clips of 1.6 can be 0.4 apart at most, and snippets overlap: too little for claims that
// are about times.
const DATA = 'synthetic:motion?count=480&seconds=6';
const BUDGET = 120;
const SEEDS = 3;

const { values: flags } = parseArgs({
  options: {
    methods: { type: 'string' },
    threads: { type: 'string' },
    work: { type: 'string', default: join(root, 'runs/claims') },
    table: { type: 'boolean' },
    check: { type: 'boolean' },
  },
});

const fileOf = (method) => join(results, `${method}.json`);

function runOne(method) {
  if (existsSync(fileOf(method))) return;
  const outcome = cli([
    ...['eval', 'claims', '--method', method, '--data', DATA, '--budget', `${BUDGET}`, '--seeds', `${SEEDS}`],
    ...['--out', join(flags.work, method), ...(flags.threads ? ['--threads', flags.threads] : [])],
  ]);
  const kept = {
    format: 'vssl-native claims',
    formatVersion: 1,
    ...{ method, preset: outcome.preset, data: DATA, budget: BUDGET, seeds: SEEDS },
    ...{ interval: outcome.interval, cpu: cpus()[0]?.model, date: new Date().toISOString().slice(0, 10) },
    claims: outcome.claims.map(({ name, statement, measure, arms, pairs, verdict }) => ({
      ...{ name, statement, measure },
      arms: arms.map((arm) => ({ name: arm.name, values: arm.values })),
      ...{ pairs, verdict },
    })),
  };
  mkdirSync(results, { recursive: true });
  writeFileSync(fileOf(method), `${JSON.stringify(kept, null, 1)}\n`);
}

const TITLES = { linear: 'linear probe, %', knn: 'kNN, %', 'shift-probe': 'shift probe, R², %' };

function table({ budget, seeds, data, interval, claims }) {
  const arm = ({ name, values }) => {
    const there = values.filter((value) => value !== null);
    const mean = there.reduce((a, b) => a + b, 0) / there.length;
    return `${name} ${there.length > 0 ? percent(mean) : 'failed'}`;
  };
  const pair = ({ difference: mean, interval, seeds }) =>
    seeds === 0 ? '-' : percentInterval({ mean, interval });
  const rows = claims.map((claim) => [
    `${claim.statement} (\`${claim.name}\`)`,
    TITLES[claim.measure] ?? claim.measure,
    claim.arms.map(arm).join(' > '),
    claim.pairs.map(pair).join('; '),
    `**${claim.verdict}**`,
  ]);
  const columns = ['claim', 'measure', 'arms in the order claimed', 'difference of neighbours', 'here'];
  const made = `\`${data}\`, ${budget} steps an arm, ${seeds} seeds; intervals: ${interval}.`;
  return `${markdown(columns, rows, 3)}\n\n(${made})\n`;
}

function writeTables() {
  for (const method of methodNames().filter((name) => existsSync(fileOf(name)))) {
    const outcome = JSON.parse(readFileSync(fileOf(method), 'utf8'));
    fillPage(`docs/methods/${method}.md`, 'claims', table(outcome), flags.check);
  }
}

if (!flags.table) for (const method of flags.methods?.split(',') ?? methodNames()) runOne(method);
writeTables();
