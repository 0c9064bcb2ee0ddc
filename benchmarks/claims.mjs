// Trains the arms of each method's claims on the motion benchmark (`eval claims`), keeps the outcome as
// benchmarks/results/claims/METHOD.json and writes the tables of docs/methods/METHOD.md. All methods are judged together:
// one deviation, one family of tests. An arm that is trained is not trained again, and a method whose outcome is there is
// left alone: delete the file to make it anew.
//
//   node benchmarks/claims.mjs [--methods a,b] [--threads N] [--work DIR]
//   node benchmarks/claims.mjs --table            writes the tables from the committed results
//   node benchmarks/claims.mjs --table --check    ends with 1 when one is out of date
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { judgeClaims } from '../dist/esm/claims/judge.js';
import { cli, methodNames } from './cli.mjs';
import { fillPage, markdown, root } from './page.mjs';
import { percent, percentInterval } from './percent.mjs';

const results = join(root, 'benchmarks/results/claims');
// In the benchmark's 2 seconds clips of 1.6 can be 0.4 apart at most, and snippets overlap: too little for claims that
// are about times. Each seed has videos of its own.
const DATA = 'synthetic:motion?count=480&seconds=6&seed={seed}';
const TEST = 'synthetic:motion?split=test&count=1920&seconds=6&seed={seed}';
const BUDGET = 120;
/** No seed with which anything was tried before. */
const FIRST_SEED = 3;
const SEEDS = 3;
/** What each paper is about, with more seeds: chosen before the first run. */
const MORE_SEEDS = 8;
const MORE = {
  cvrl: ['consistent-augmentation', 'temporal-and-spatial'],
  simclr: ['crop-and-colour'],
  moco: ['momentum', 'shuffled-norm'],
  videomoco: ['drop-and-decay'],
  cate: ['time-encoding', 'flip-encoding'],
  modist: ['cross-modal', 'shifted'],
  tcgl: ['all-over-order', 'motion-over-pictures'],
};

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
  const evaluate = (seeds, claims) =>
    cli([
      ...['eval', 'claims', '--method', method, '--data', DATA, '--test', TEST, '--budget', `${BUDGET}`],
      ...['--first-seed', `${FIRST_SEED}`, '--seeds', `${seeds}`, '--out', join(flags.work, method)],
      ...(claims.length > 0 ? ['--claim', ...claims] : []),
      ...(flags.threads ? ['--threads', flags.threads] : []),
    ]);
  const all = evaluate(SEEDS, []);
  const more = new Map(evaluate(MORE_SEEDS, MORE[method] ?? []).claims.map((claim) => [claim.name, claim]));
  const kept = {
    format: 'vssl-native claims',
    formatVersion: 2,
    ...{ method, preset: all.preset, data: DATA, test: TEST, budget: BUDGET, firstSeed: FIRST_SEED },
    ...{ cpu: cpus()[0]?.model, date: new Date().toISOString().slice(0, 10) },
    claims: all.claims
      .map((claim) => (MORE[method]?.includes(claim.name) ? more.get(claim.name) : claim))
      .map(({ name, statement, source, measure, relation, arms }) => ({
        ...{ name, statement, source, measure, relation, arms },
      })),
  };
  mkdirSync(results, { recursive: true });
  writeFileSync(fileOf(method), `${JSON.stringify(kept, null, 1)}\n`);
}

const TITLES = { linear: 'linear probe, %', knn: 'kNN, %', 'shift-probe': 'shift probe, R², %' };
const SIGNS = { better: ' > ', 'at least as good': ' ≥ ' };

function table({ budget, data, test, stale }, claims, pools, tests) {
  const arm = ({ name, values }) => {
    const there = values.filter((value) => value !== null);
    const mean = there.reduce((a, b) => a + b, 0) / there.length;
    return `${name} ${there.length > 0 ? percent(mean) : 'failed'}`;
  };
  const pair = ({ difference: mean, interval, seeds, verdict }) =>
    seeds === 0 ? '-' : `${percentInterval({ mean, interval })} ${verdict}`;
  const rows = claims.map((claim) => [
    `${claim.statement} (\`${claim.name}\`)`,
    TITLES[claim.measure] ?? claim.measure,
    claim.arms.map(arm).join(SIGNS[claim.relation]),
    `${claim.arms[0].values.length}`,
    claim.pairs.map(pair).join('; '),
    `**${claim.verdict}**`,
  ]);
  const columns = [
    'claim',
    'measure',
    'arms in the order claimed',
    'seeds',
    'difference of neighbours',
    'here',
  ];
  const pooled = pools
    .filter(({ measure }) => claims.some((claim) => claim.measure === measure))
    .map(({ measure, deviation, degrees, pairs }) => {
      const of = `${pairs} pairs of all methods, ${degrees.toFixed(0)} degrees of freedom`;
      return `${TITLES[measure] ?? measure} ${percent(deviation)} (${of})`;
    });
  const tested = test === undefined ? '' : `, tested on \`${test}\``;
  const made =
    `Trained on \`${data}\`${tested}, ${budget} steps an arm. Deviation of a difference: ${pooled.join('; ')}. ` +
    `Intervals are of one pair alone, verdicts of ${tests} tests of all methods together.`;
  return `${markdown(columns, rows, 3)}\n\n(${made})\n${stale ? `\n${stale}\n` : ''}`;
}

function writeTables() {
  const methods = methodNames().filter((name) => existsSync(fileOf(name)));
  const outcomes = methods.map((method) => JSON.parse(readFileSync(fileOf(method), 'utf8')));
  const all = outcomes.flatMap(({ claims }) => claims);
  const judged = judgeClaims(all.map(({ arms, ...claim }) => ({ claim, arms })));
  let first = 0;
  for (const [i, outcome] of outcomes.entries()) {
    const claims = judged.claims.slice(first, first + outcome.claims.length);
    first += outcome.claims.length;
    const text = table(outcome, claims, judged.pools, judged.tests);
    fillPage(`docs/methods/${methods[i]}.md`, 'claims', text, flags.check);
  }
}

if (!flags.table) for (const method of flags.methods?.split(',') ?? methodNames()) runOne(method);
writeTables();
