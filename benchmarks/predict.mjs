// What `predict` makes of 5 labels a class: accuracy and calibration error of a small trained encoder, of the same network
// untrained and of raw pixels; and what labels that `--suggest` asks for are worth beside labels at random and beside those
// of the least sure clips. Writes benchmarks/results/predict.json and the tables of docs/predict.md. Runs, features and draws
// that are in the work folder are not made again: a call that was stopped goes on, and a new folder begins anew.
//
//   node benchmarks/predict.mjs DATA_ROOT [--sets sprites5,msr20-render] [--draws N] [--work DIR]    --sets and --draws
//                                                                                          print and write nothing
//   node benchmarks/predict.mjs --table [--check]
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { meanInterval } from '../dist/esm/eval/intervals.js';
import { cli } from './cli.mjs';
import { commit, fillPage, markdown, root } from './page.mjs';
import { percent, percentInterval, percentSpread } from './percent.mjs';

const file = join(root, 'benchmarks/results/predict.json');
const PRESET = 'cvrl-tiny';
/** Labels of a class, and those with which `--suggest` begins; it asks for as many clips as there are classes at a time. */
const LABELS = 5;
const FIRST_LABELS = 2;
const NEIGHBOURS = 5;

/** Clips that may be labelled, on which the encoder was trained without labels, and clips of other people or characters. */
const SETS = [
  {
    name: 'sprites5',
    train: 'sprites5?group=c0*,c1*,c20,c21,c22,c23',
    test: 'sprites5?group=c24,c25,c26,c27,c28,c29,c3*',
  },
  {
    name: 'msr20-render',
    train: 'msr20-render?group=s01,s03,s05,s07,s09',
    test: 'msr20-render?group=s02,s04,s06,s08,s10',
  },
];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sets: { type: 'string' },
    draws: { type: 'string', default: '10' },
    work: { type: 'string', default: join(root, 'runs/predict') },
    table: { type: 'boolean' },
    check: { type: 'boolean' },
  },
});
const DRAWS = Number(flags.draws);

/** `sprites5?group=c0*` below the data root. */
function located(spec, dataRoot) {
  const [folder, query] = spec.split('?');
  return `${join(dataRoot, folder, 'manifest.csv')}?${query}`;
}

/** Trains and embeds what is not there yet, and gives each representation with the classes and groups of its rows. */
async function openSet({ name, train, test }, dataRoot) {
  const run = join(flags.work, name);
  const file = join(flags.work, `${name}.safetensors`);
  const spec = { train: located(train, dataRoot), test: located(test, dataRoot) };
  mkdirSync(flags.work, { recursive: true });
  cli(['train', '--preset', PRESET, '--data', spec.train, '--out', run, '--seed', '0']);
  if (!existsSync(file))
    cli([
      ...['eval', 'knn', '--run', run, '--train', spec.train, '--test', spec.test],
      ...['--baseline', 'random', '--floors', '--shard', '0/1', '--out', file],
    ]);
  const { loadEvaluationData } = await import('../dist/esm/eval/evaluation-data.js');
  const { splitFloors } = await import('../dist/esm/eval/floor-embedder.js');
  const { readEncoderDescription, readSafetensors } = await import('../dist/esm/index.js');
  const data = await loadEvaluationData(spec);
  const { tensors, metadata } = await readSafetensors(file);
  const kept = JSON.parse(metadata['features kept']);
  const matrix = (name) => {
    const { shape, data } = tensors.find((tensor) => tensor.name === `features/${name}`);
    return {
      data: new Float32Array(data.buffer, data.byteOffset, shape[0] * shape[1]),
      rows: shape[0],
      dim: shape[1],
    };
  };
  const { clip } = await readEncoderDescription(join(run, 'weights.safetensors'));
  const floors = splitFloors(matrix('pixels'), clip.frames);
  const trained = new Set(data.trainRows);
  const places = [...kept.keys()];
  return {
    representations: {
      trained: matrix('trained'),
      untrained: matrix('random'),
      ...Object.fromEntries(Object.entries(floors).map(([name, floor]) => [`pixels: ${name}`, floor])),
    },
    classes: data.labels.length,
    labels: Int32Array.from(kept, (row) => data.classes[row]),
    groups: kept.map((row) => data.rows[row].group),
    pool: places.filter((place) => trained.has(kept[place])),
    test: places.filter((place) => !trained.has(kept[place])),
  };
}

/** The clips that may be labelled in an order of their own for each draw, class by class. */
async function drawOf({ pool, labels, classes }, draw) {
  const { Rng } = await import('../dist/esm/data/rng.js');
  const order = new Rng('predict', draw).shuffle([...pool]);
  return Array.from({ length: classes }, (_, c) => order.filter((row) => labels[row] === c));
}

/** A classifier of the labelled rows. */
async function classifierOf(set, features, rows, kind) {
  const { loadEngine } = await import('../dist/esm/native/load.js');
  const { selectRows } = await import('../dist/esm/eval/feature-matrix.js');
  const { fitClassifier } = await import('../dist/esm/predict/fit-classifier.js');
  return await fitClassifier(
    loadEngine(),
    selectRows(features, rows),
    Int32Array.from(rows, (row) => set.labels[row]),
    set.classes,
    { kind, k: NEIGHBOURS, groups: rows.map((row) => set.groups[row]) },
  );
}

/** The likeliest class of each row, its confidence, and whether it is right. */
async function predictionsOf(set, features, rows, { head, temperature }) {
  const { selectRows } = await import('../dist/esm/eval/feature-matrix.js');
  const { scoreRows } = await import('../dist/esm/predict/heads.js');
  const { placeOfLargest, softmax } = await import('../dist/esm/predict/temperature.js');
  const scores = await scoreRows(head, selectRows(features, rows));
  return rows.map((row, i) => {
    const all = softmax(scores.subarray(i * set.classes, (i + 1) * set.classes), temperature);
    const guess = placeOfLargest(all);
    return { confidence: all[guess], right: guess === set.labels[row] };
  });
}

/** Accuracy and calibration error of 5 labels a class. */
async function measureRepresentation(set, features, kind, draw) {
  const { scoreConfidences } = await import('../dist/esm/predict/calibration.js');
  const rows = (await drawOf(set, draw)).flatMap((own) => own.slice(0, LABELS));
  const fitted = await classifierOf(set, features, rows, kind);
  const scoreAt = async (temperature) =>
    scoreConfidences(await predictionsOf(set, features, set.test, { ...fitted, temperature }));
  const scored = await scoreAt(fitted.temperature);
  return {
    accuracy: scored.accuracy,
    confidence: scored.confidence,
    error: scored.expectedCalibrationError,
    plainError: (await scoreAt(1)).expectedCalibrationError,
  };
}

/** Which clips are labelled next: of the rows without a label, as many as there are classes. */
const CHOICES = {
  async random(set, rest, _state, draw, round) {
    const { Rng } = await import('../dist/esm/data/rng.js');
    return new Rng('random labels', draw, round).shuffle([...rest]).slice(0, set.classes);
  },
  async 'the least sure'(set, rest, { features, fitted }) {
    const found = await predictionsOf(set, features, rest, fitted);
    const order = [...rest.keys()].sort((a, b) => found[a].confidence - found[b].confidence);
    return order.slice(0, set.classes).map((place) => rest[place]);
  },
  async '--suggest'(set, rest, { features, fitted, rows }) {
    const { selectRows } = await import('../dist/esm/eval/feature-matrix.js');
    const { suggestRows } = await import('../dist/esm/predict/suggest.js');
    const found = await predictionsOf(set, features, rest, fitted);
    const doubts = found.map(({ confidence }) => 1 - confidence);
    const known = selectRows(features, rows);
    const places = await suggestRows(selectRows(features, rest), doubts, known, set.classes);
    return places.map((place) => rest[place]);
  },
};

/** Accuracy on the test clips after each round of labels. */
async function measureChoice(set, features, choose, draw) {
  const rows = (await drawOf(set, draw)).flatMap((own) => own.slice(0, FIRST_LABELS));
  const accuracies = [];
  for (let round = 0; ; round++) {
    const fitted = await classifierOf(set, features, rows, 'linear');
    const found = await predictionsOf(set, features, set.test, fitted);
    accuracies.push(found.filter(({ right }) => right).length / found.length);
    if (round === LABELS - FIRST_LABELS) return accuracies;
    const rest = set.pool.filter((row) => !rows.includes(row));
    rows.push(...(await choose(set, rest, { features, fitted, rows }, draw, round)));
  }
}

/** What `measure` gives for each draw. Each is kept in the work folder, so that a call that was stopped goes on. */
async function eachDraw(name, measure) {
  const draws = [];
  for (let draw = 0; draw < DRAWS; draw++) {
    const part = join(flags.work, `${name.replaceAll(/[^a-z0-9]+/g, '-')}-draw${draw}.json`);
    if (!existsSync(part)) {
      const made = JSON.stringify(await measure(draw));
      writeFileSync(`${part}.part`, made);
      renameSync(`${part}.part`, part);
    }
    draws.push(JSON.parse(readFileSync(part, 'utf8')));
  }
  console.error(`${name}: done`);
  return draws;
}

async function measureSet(spec, dataRoot) {
  const set = await openSet(spec, dataRoot);
  const { trained } = set.representations;
  const labels = [];
  for (const [name, features] of Object.entries(set.representations))
    for (const classifier of ['linear', 'knn']) {
      const measure = (draw) => measureRepresentation(set, features, classifier, draw);
      const draws = await eachDraw(`${spec.name} ${name} ${classifier}`, measure);
      labels.push({ name, classifier, draws });
    }
  const choices = [];
  for (const [name, choose] of Object.entries(CHOICES)) {
    const measure = (draw) => measureChoice(set, trained, choose, draw);
    choices.push({ name, draws: await eachDraw(`${spec.name} labels ${name}`, measure) });
  }
  const { classes, pool, test } = set;
  return { ...spec, classes, pool: pool.length, test: test.length, labels, choices };
}

function labelsTable({ sets }) {
  const columns = sets.flatMap(({ name }) => [name, 'calibration error', 'at temperature 1']);
  const rows = sets[0].labels.map(({ name, classifier }) => [
    `${name}, ${classifier === 'knn' ? 'kNN' : 'linear'}`,
    ...sets.flatMap((set) => {
      const { draws } = set.labels.find((one) => one.name === name && one.classifier === classifier);
      return ['accuracy', 'error', 'plainError'].map((key) => percentSpread(draws.map((draw) => draw[key])));
    }),
  ]);
  const chance = sets.flatMap(({ classes }) => [percent(1 / classes), '', '']);
  return markdown(['accuracy, %', ...columns], [...rows, ['chance', ...chance]]);
}

function choicesTable({ sets }) {
  const rounds = LABELS - FIRST_LABELS + 1;
  const heads = Array.from({ length: rounds }, (_, round) => `${FIRST_LABELS + round} a class`);
  const rows = sets.flatMap(({ name: set, choices }) => {
    const last = (choice) => choice.draws.map((draw) => draw.at(-1));
    const random = last(choices.find(({ name }) => name === 'random'));
    return choices.map((choice) => {
      const more = last(choice).map((value, draw) => value - random[draw]);
      return [
        `${set}: ${choice.name}`,
        ...heads.map((_, round) => percentSpread(choice.draws.map((draw) => draw[round]))),
        choice.name === 'random' ? '' : percentInterval(meanInterval(more)),
      ];
    });
  });
  return markdown(['labels chosen', ...heads, 'more than random'], rows);
}

function tables(result) {
  const { cpu, commit, draws } = result;
  return `**${LABELS} labels a class**\n\n${labelsTable(result)}\n\n**Which clips are labelled**\n\n${choicesTable(result)}\n\n(${draws} draws of the labelled clips; ± is the deviation over them, the last column's interval 95 % of the paired differences. ${cpu}, commit ${commit}.)\n`;
}

async function measure() {
  const [dataRoot] = positionals;
  if (dataRoot === undefined)
    throw new Error('expected the folder of the labelled sets: node benchmarks/predict.mjs DATA_ROOT');
  const names = flags.sets?.split(',');
  const sets = [];
  for (const spec of SETS)
    if (!names || names.includes(spec.name)) sets.push(await measureSet(spec, dataRoot));
  const result = {
    ...{ format: 'vssl-native predict', formatVersion: 1, preset: PRESET, draws: DRAWS, commit: commit() },
    ...{ cpu: cpus()[0]?.model, threads: cpus().length, date: new Date().toISOString().slice(0, 10) },
    sets,
  };
  console.log(tables(result));
  if (!names && DRAWS === 10) writeFileSync(file, `${JSON.stringify(result)}\n`);
}

if (!flags.table) await measure();
if (flags.table || (!flags.sets && DRAWS === 10)) {
  const text = existsSync(file)
    ? tables(JSON.parse(readFileSync(file, 'utf8')))
    : '(No result has been committed yet: `node benchmarks/predict.mjs DATA_ROOT`.)\n';
  fillPage('docs/predict.md', 'predict', text, flags.check);
}
