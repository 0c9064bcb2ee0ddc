// Trains NAME-tiny of each method on the motion benchmark and on the labelled sets, evaluates it beside the random
// encoder and the pixel floors, and writes the tables of docs/results.md. Everything is done by the commands of the
// package, as a user would. A result that is there is not made again, and a run that was stopped goes on.
//
//   node benchmarks/systems.mjs DATA_ROOT [--methods a,b] [--sets motion,sprites5,...] [--seeds N] [--steps N]
//                                         [--threads N] [--work DIR] [--results DIR]
//   node benchmarks/systems.mjs --table            writes the tables from the committed results
//   node benchmarks/systems.mjs --table --check    ends with 1 when one is out of date
//
// Every method trains as its preset says, but for as many steps as its preset makes in 180 seconds
// (benchmarks/results/runs.json), and on the motion benchmark without flips, since a label there is a direction; rows of
// their own have the same number of steps for all, and ten times as many videos without labels. Small networks leave part
// of a second thread unused: two calls side by side with other --sets or --methods and --threads 1 are done sooner than one.
//
// DATA_ROOT holds the folders sprites5, msr20-render, ut-interaction and asl24, each with a manifest.csv. --steps makes
// shorter runs, whose results go to a folder of their own (--results) and, printed, into a table of its own.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cli, methodNames } from './cli.mjs';
import { commit, fillPage, markdown, root } from './page.mjs';
import { percentSpread } from './percent.mjs';

const committed = join(root, 'benchmarks/results/systems');

/** Seconds that every method's steps take. */
const SECONDS = 180;

/**
 * Training videos, on which the encoder and then its probes are trained, and test videos that share no group; what is set
 * for all methods, and how they are evaluated where that is not as usual.
 */
const SETS = [
  {
    name: 'motion',
    seeds: 3,
    train: 'synthetic:motion?split=train&count=480',
    test: 'synthetic:motion?split=test&count=480',
    set: ['data.augment.flip=0'],
  },
  {
    name: 'sprites5',
    seeds: 3,
    train: 'sprites5?group=c0*,c1*,c20,c21,c22,c23',
    test: 'sprites5?group=c24,c25,c26,c27,c28,c29,c3*',
  },
  {
    name: 'msr20-render',
    seeds: 1,
    train: 'msr20-render?group=s01,s03,s05,s07,s09',
    test: 'msr20-render?group=s02,s04,s06,s08,s10',
    evaluate: ['--windows', '10'],
  },
  {
    name: 'ut-interaction',
    seeds: 1,
    train: 'ut-interaction?group=set1*',
    test: 'ut-interaction?group=set2*',
  },
  {
    name: 'ut-interaction, back',
    seeds: 1,
    train: 'ut-interaction?group=set2*',
    test: 'ut-interaction?group=set1*',
  },
  { name: 'asl24', seeds: 1, train: 'asl24?group=jack', test: 'asl24?group=tom' },
];
const PROTOCOLS = ['knn', 'linear', 'retrieval'];

/** Rows of their own, each for some sets: other steps, or other videos to train the encoder on than the probes'. */
const VARIANTS = [
  { name: '' },
  { name: '450 steps', sets: ['motion'], steps: 450 },
  { name: '4,800 videos', sets: ['motion'], train: 'synthetic:motion?split=train&count=4800' },
];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    methods: { type: 'string' },
    sets: { type: 'string' },
    seeds: { type: 'string' },
    steps: { type: 'string' },
    threads: { type: 'string' },
    work: { type: 'string', default: join(root, 'runs/systems') },
    results: { type: 'string' },
    table: { type: 'boolean' },
    check: { type: 'boolean' },
  },
});

const threads = flags.threads ? ['--threads', flags.threads] : [];

/** `sprites5?group=c0*` below the data root; named sources as they are. The seed is that of the motion set too. */
function located(spec, dataRoot, seed) {
  if (spec.startsWith('synthetic:')) return `${spec}&seed=${seed}`;
  const [folder, query] = spec.split('?');
  return `${join(dataRoot, folder, 'manifest.csv')}?${query}`;
}

/** What a results file keeps of a score: no path, no confusion matrix. */
function brief(protocol, score) {
  if (!score) return undefined;
  if (protocol === 'retrieval')
    return { r1: score.label.recall[1], chance: score.label.chance[1], queries: score.label.queries };
  const { accuracy, interval, count, merged, standardized } = score;
  return {
    accuracy,
    interval,
    count,
    ...(merged ? { merged: merged.accuracy, mergedChance: merged.chance } : {}),
    ...(standardized ? { standardized: standardized.accuracy } : {}),
  };
}

/** What an untrained encoder depends on besides its seed. */
const encoderOf = ({ arch, width, clip, input }) =>
  `${arch} x ${width}, ${clip.frames} frames at ${clip.fps / clip.stride}/s, ${input}`;
/** The part of it that pixels depend on. */
const clipsOf = (encoder) => encoder.split(', ')[1];

function readResults(folder) {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return files.sort().map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));
}

/** The preset's steps, as many as it makes in SECONDS. */
function stepsIn(method) {
  const { rows } = JSON.parse(readFileSync(join(root, 'benchmarks/results/runs.json'), 'utf8'));
  const { steps, seconds } = rows.find(({ name }) => name === `${method}-tiny`);
  return Math.round((steps * SECONDS) / seconds);
}

const fileName = (text) => text.replace(/[^a-z0-9]+/gi, '-').replace(/-$/, '');

function runOne({ method, set, variant, seed, dataRoot, results }) {
  const name = [...[set.name, method, variant.name].filter(Boolean).map(fileName), `seed${seed}`].join('-');
  const file = join(results, `${name}.json`);
  if (existsSync(file)) return;
  const run = join(flags.work, flags.steps ? `steps${flags.steps}` : 'full', name);
  const [train, test] = [set.train, set.test].map((spec) => located(spec, dataRoot, seed));
  const videos = variant.train === undefined ? train : located(variant.train, dataRoot, seed);
  const steps = Number(flags.steps ?? variant.steps ?? stepsIn(method));
  const { trained, seconds } = trainOne({ method, run, videos, seed, steps, set });
  const { model, data } = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'));
  const encoder = encoderOf({ ...model, ...data });
  // methods with the same clips have the same pixels and the same untrained network: once a set and seed is enough
  const known = readResults(results).some(
    (other) => other.set === set.name && other.seed === seed && other.encoder === encoder && other.knn.random,
  );
  const beside = known ? [] : ['--baseline', 'random', '--baseline-seed', `${seed}`, '--floors'];
  const result = {
    format: 'vssl-native systems',
    formatVersion: 2,
    ...{ method, preset: `${method}-tiny`, set: set.name, variant: variant.name, seed },
    ...{ steps: trained.totalSteps, settings: set.set ?? [] },
    data: { train: variant.train ?? set.train, labelled: set.train, test: set.test },
    ...{ trainSeconds: seconds, threads: Number(flags.threads ?? cpus().length) },
    ...{ commit: commit(), cpu: cpus()[0]?.model, cores: cpus().length },
    ...{ date: new Date().toISOString().slice(0, 10), encoder },
    ...evaluateOne([
      ...['--run', run, '--train', train, '--test', test],
      ...[...(set.evaluate ?? []), ...beside, ...threads],
    ]),
  };
  mkdirSync(results, { recursive: true });
  writeFileSync(`${file}.part`, `${JSON.stringify(result, null, 1)}\n`);
  renameSync(`${file}.part`, file);
  console.error(`written: ${name}.json`);
}

/** `seconds` only of a run that this call did as a whole. */
function trainOne({ method, run, videos, seed, steps, set }) {
  // a twentieth of warm-up, as the presets have it
  const length = [
    `train.steps=${steps}`,
    `train.schedule.warmupSteps=${flags.steps ? 0 : Math.round(steps / 20)}`,
  ];
  const started = performance.now();
  const trained = cli([
    ...['train', '--preset', `${method}-tiny`, '--data', videos, '--out', run, '--seed', `${seed}`],
    ...[...length, ...(set.set ?? [])].flatMap((entry) => ['--set', entry]),
    ...threads,
  ]);
  const isWhole = trained.stepsDone === trained.totalSteps;
  return { trained, seconds: isWhole ? (performance.now() - started) / 1000 : undefined };
}

/** The scores of every protocol, and which videos they are of. */
function evaluateOne(options) {
  const result = {};
  for (const protocol of PROTOCOLS) {
    const more = protocol === 'knn' ? ['--standardize'] : [];
    const { data, trained, random, floors } = cli(['eval', protocol, ...options, ...more]);
    const scores = Object.entries(floors ?? {}).map(([floor, score]) => [floor, brief(protocol, score)]);
    result.videos = { used: data.used, classes: data.labels.length };
    result[protocol] = {
      trained: brief(protocol, trained),
      ...(random ? { random: brief(protocol, random) } : {}),
      ...(scores.length > 0 ? { floors: Object.fromEntries(scores) } : {}),
    };
  }
  return result;
}

/** Those of `all` that the option names. */
function chosen(all, names, option) {
  if (names === undefined) return all;
  return names.split(',').map((name) => {
    const found = all.find((one) => (one.name ?? one) === name);
    if (!found)
      throw new Error(
        `--${option}: there is no '${name}'; there are ${all.map((one) => one.name ?? one).join(', ')}`,
      );
    return found;
  });
}

function runAll() {
  const [dataRoot] = positionals;
  const results = flags.results ?? committed;
  const sets = chosen(SETS, flags.sets, 'sets');
  if (dataRoot === undefined && sets.some(({ train }) => !train.startsWith('synthetic:')))
    throw new Error('expected the folder of the labelled sets: node benchmarks/systems.mjs DATA_ROOT');
  if (flags.steps && !flags.results)
    throw new Error('--steps makes other runs than those of the table: give --results DIR as well');
  const methods = chosen(methodNames(), flags.methods, 'methods');
  // one seed of everything first: a stopped series is then a whole table
  const most = Math.max(...sets.map(({ seeds }) => seeds));
  for (const variant of VARIANTS)
    for (let seed = 0; seed < Math.min(most, Number(flags.seeds ?? most)); seed++)
      for (const set of sets.filter(
        ({ name, seeds }) => seed < seeds && (variant.sets?.includes(name) ?? true),
      ))
        for (const method of methods) runOne({ method, set, variant, seed, dataRoot, results });
}

/** A method, with what sets a row of its own apart. */
const nameOfRow = ({ method, variant = '' }) => (variant === '' ? method : `${method}, ${variant}`);

const accuracyOf = (score) => score.accuracy;

/** Protocol, title of its table, and the score that it shows. */
const TABLES = [
  ['knn', 'kNN accuracy, %', accuracyOf],
  ['knn', 'kNN accuracy on standardised features, %', (score) => score.standardized],
  ['linear', 'Linear probe accuracy, %', accuracyOf],
  ['retrieval', 'Retrieval R@1 by label, %', (score) => score.r1],
];

function tables(results) {
  if (results.length === 0)
    return '(No result has been committed yet: `node benchmarks/systems.mjs DATA_ROOT`.)\n';
  const isThere = ([protocol, , value]) => results.some((one) => value(one[protocol].trained) !== undefined);
  const parts = TABLES.filter(isThere).map((table) => protocolTable(results, table));
  const commits = [...new Set(results.map((result) => result.commit.slice(0, 10)))].join(', ');
  const seedsOf = (set) => new Set(results.filter((one) => one.set === set).map(({ seed }) => seed)).size;
  const seeds = SETS.filter(({ name }) => seedsOf(name) > 0)
    .map(({ name }) => `${name} ${seedsOf(name)}`)
    .join(', ');
  return `${parts.join('\n\n')}\n\n(Seeds: ${seeds}; ± is the deviation over seeds. ${results[0].cpu}, commit ${commits}.)\n`;
}

/** A row a method, then what untrained networks and pixels achieve, and chance; a column a set. */
function protocolTable(results, [protocol, title, value]) {
  const there = SETS.filter(({ name }) => results.some(({ set }) => set === name));
  const columns = there.flatMap(({ name }) => [
    [name, name, value],
    ...(name === 'motion' && value === accuracyOf
      ? [['motion, flips merged', name, (score) => score.merged]]
      : []),
  ]);
  const of = (set) => results.filter((result) => result.set === set);
  const row = (first, pick) => [
    first,
    ...columns.map(([, set, shown]) =>
      percentSpread(
        of(set)
          .flatMap((result) => pick(result[protocol], result) ?? [])
          .map(shown)
          .filter((score) => score !== undefined),
      ),
    ),
  ];
  /** What the first result of each set and seed with this encoder says of untrained networks or of pixels. */
  const beside = (first, encoder, pick) =>
    row(first, (scores, result) => {
      const like = of(result.set).filter((one) => one.seed === result.seed && one.encoder === encoder);
      return result === like.find((one) => pick(one[protocol])) ? pick(scores) : undefined;
    });
  const sorted = (key) => [...new Set(results.map((result) => result[key]))].sort();
  const encoders = sorted('encoder');
  const floors = [...new Set(results.flatMap(({ knn }) => Object.keys(knn.floors ?? {})))];
  const rows = [
    ...[...new Set(results.map(nameOfRow))]
      .sort()
      .map((name) =>
        row(name, (scores, result) => (nameOfRow(result) === name ? scores.trained : undefined)),
      ),
    ...encoders.map((encoder) => beside(`untrained ${encoder}`, encoder, ({ random }) => random)),
    ...floors.flatMap((floor) =>
      encoders.map((encoder) =>
        beside(`pixels: ${floor}, ${clipsOf(encoder)}`, encoder, (scores) => scores.floors?.[floor]),
      ),
    ),
    row('chance', ({ trained }, result) =>
      of(result.set)[0] === result
        ? {
            ...{ accuracy: 1 / result.videos.classes, standardized: 1 / result.videos.classes },
            ...{ merged: trained.mergedChance, r1: trained.chance },
          }
        : undefined,
    ),
  ];
  return `**${title}**\n\n${markdown(['', ...columns.map(([name]) => name)], rows)}`;
}

if (!flags.table) runAll();
if (flags.results) console.log(tables(readResults(flags.results)));
else fillPage('docs/results.md', 'systems', tables(readResults(committed)), flags.check);
