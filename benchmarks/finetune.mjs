// What pretraining without labels is worth to fine-tuning: the whole network learns the labels, beginning with the weights
// of a small preset that saw the same videos without them, and, in as many steps, from no weights. Writes
// benchmarks/results/finetune.json and the table of docs/methods/finetune.md. A seed that stands in the results is not measured
// again, nor is what is in the work folder: a call that was stopped goes on, on another machine too. Delete the results to begin
// anew.
//
//   node benchmarks/finetune.mjs DATA_ROOT [--set KEY=VALUE]... [--work DIR]    --set changes the fine-tuning, prints, writes nothing
//   node benchmarks/finetune.mjs --table [--check]
//
// DATA_ROOT holds the folders ut-interaction and sprites5, each with a manifest.csv.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { meanInterval } from '../dist/esm/eval/intervals.js';
import { cli } from './cli.mjs';
import { commit, fillPage, markdown, root } from './page.mjs';
import { percent, percentInterval } from './percent.mjs';

const file = join(root, 'benchmarks/results/finetune.json');
const PRESET = 'cvrl-tiny';
const TUNING = 'finetune-tiny';
const SEEDS = 3;

/** Other people, places or characters are tested than those trained on; ut-interaction has few clips. */
const SETS = [
  { name: 'ut-interaction', train: 'set1*', test: 'set2*' },
  { name: 'sprites5', train: 'c0*,c1*,c20,c21,c22,c23', test: 'c24,c25,c26,c27,c28,c29,c3*' },
];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    set: { type: 'string', multiple: true, default: [] },
    work: { type: 'string', default: join(root, 'runs/finetune') },
    table: { type: 'boolean' },
    check: { type: 'boolean' },
  },
});

function measureSeed({ name, train, test }, dataRoot, seed) {
  const located = (groups) => `${join(dataRoot, name, 'manifest.csv')}?group=${groups}`;
  const run = join(flags.work, `${name}-${seed}`);
  cli(['train', '--preset', PRESET, '--data', located(train), '--out', run, '--seed', `${seed}`]);
  const { trained, random, floors } = cli([
    ...['eval', 'finetune', '--run', run, '--preset', TUNING],
    ...['--train', located(train), '--test', located(test)],
    ...['--seed', `${seed}`, '--baseline', 'random', '--baseline-seed', `${seed}`, '--floors'],
    ...flags.set.flatMap((entry) => ['--set', entry]),
  ]);
  const scores = { trained, random, ...floors };
  const accuracies = Object.fromEntries(Object.entries(scores).map(([of, { accuracy }]) => [of, accuracy]));
  console.error(`${name}, seed ${seed}: ${JSON.stringify(accuracies)}`);
  return accuracies;
}

function table({ sets }) {
  const rows = sets.map(({ name, train, test, seeds }) => {
    const more = seeds.map(({ trained, random }) => trained - random);
    const each = (key) => seeds.map((seed) => percent(seed[key])).join(', ');
    return [
      `${name} (trained on ${train}, tested on ${test})`,
      ...[each('trained'), each('random')],
      seeds.length < SEEDS
        ? `(${seeds.length} of ${SEEDS} seeds so far)`
        : percentInterval(meanInterval(more)),
    ];
  });
  const all = (key) => [...new Set(sets.flatMap(({ seeds }) => seeds.map((seed) => seed[key])))].join(', ');
  const columns = ['accuracy, %', `begun with ${PRESET}`, 'begun with nothing', 'more (95 %)'];
  return `${markdown(columns, rows)}\n\n(\`${TUNING}\`, as many steps for both; ${SEEDS} seeds of both trainings. ${all('cpu')}; commit ${all('commit')}.)\n`;
}

function measure() {
  const [dataRoot] = positionals;
  if (dataRoot === undefined)
    throw new Error('expected the folder of the labelled sets: node benchmarks/finetune.mjs DATA_ROOT');
  mkdirSync(flags.work, { recursive: true });
  const publishes = flags.set.length === 0;
  const known = publishes && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).sets : [];
  const sets = SETS.map((set) => ({
    ...set,
    seeds: known.find(({ name }) => name === set.name)?.seeds ?? [],
  }));
  const result = { format: 'vssl-native finetune', formatVersion: 1, preset: PRESET, tuning: TUNING, sets };
  const when = { commit: commit(), cpu: cpus()[0]?.model, date: new Date().toISOString().slice(0, 10) };
  for (const { seeds, ...set } of sets)
    for (let seed = 0; seed < SEEDS; seed++) {
      if (seeds.some((one) => one.seed === seed)) continue;
      seeds.push({ seed, ...measureSeed(set, dataRoot, seed), ...when });
      if (publishes) writeFileSync(file, `${JSON.stringify(result, null, 1)}\n`);
    }
  console.log(table(result));
}

if (!flags.table) measure();
if (flags.table || flags.set.length === 0) {
  const text = existsSync(file)
    ? table(JSON.parse(readFileSync(file, 'utf8')))
    : '(No result has been committed yet: `node benchmarks/finetune.mjs DATA_ROOT`.)\n';
  fillPage('docs/methods/finetune.md', 'finetune', text, flags.check);
}
