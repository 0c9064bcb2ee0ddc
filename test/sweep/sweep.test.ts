import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { compareRuns } from '#src/compare/compare-runs.js';
import type { TrainConfig } from '#src/methods/config.js';
import type { SweepEvent } from '#src/sweep/result.js';
import { type SweepOptions, sweep } from '#src/sweep/sweep.js';
import { train } from '#src/train/train.js';
import { scratch, writeSquareVideo } from '../embed/make-videos.js';
import { tinyConfig } from '../helpers/tiny-run.js';

const { file, remove } = scratch();
test.after.always(remove);

/** Two classes in six groups. */
test.before(async () => {
  const rows: string[] = [];
  for (let g = 0; g < 6; g++)
    for (const [label, slope] of Object.entries({ up: -1, down: 1 })) {
      const color = [40 * g + 20, 200, 255 - 40 * g] as const;
      await writeSquareVideo(file(`${label}-${g}.avi`), (t) => [20 + slope * t, 5 * g], { color });
      rows.push(`${label}-${g}.avi,${label},g${g}`);
    }
  writeFileSync(file('all.csv'), ['path,label,group', ...rows].join('\n'));
});

const config = (train: object = {}): TrainConfig =>
  tinyConfig({ train: { threads: 1, steps: 4, checkpointEvery: 2, ...train } });
const base = (out: string): SweepOptions => ({
  config: config(),
  data: file('all.csv'),
  out: file(out),
  grid: { 'train.optimizer.lr': [0.01, 0.05] },
});
const weights = (out: string, lr: number, seed = 0) =>
  file(`${out}/train.optimizer.lr=${lr}/seed-${seed}/weights.safetensors`);
const states = (events: readonly SweepEvent[]) =>
  events.flatMap((event) =>
    event.type === 'run' ? [`${event.cell.slice(19)} ${event.seed} ${event.state}`] : [],
  );

test.serial('each cell is the run that train makes; one table; what is done is not done again', async (t) => {
  const events: SweepEvent[] = [];
  const options: SweepOptions = {
    ...base('whole'),
    ...{ seeds: 2, jobs: 2, evaluate: ['knn'], folds: 'group' },
    onEvent: (event) => events.push(event),
  };
  const result = await sweep(options);
  t.deepEqual([result.trained, result.found, result.failures], [4, 0, []]);
  t.deepEqual(states(events), ['0.01 0 new', '0.05 0 new', '0.01 1 new', '0.05 1 new']);
  t.is(events.filter((event) => event.type === 'train' && event.event.type === 'step').length, 16);
  for (const [i, cell] of result.cells.entries()) {
    t.deepEqual(cell.values, { 'train.optimizer.lr': [0.01, 0.05][i] });
    t.deepEqual(cell.seeds, [0, 1]);
    const [knn] = cell.measures;
    t.is(knn!.values.length, 2);
    t.true(Math.abs(knn!.mean - (knn!.values[0]! + knn!.values[1]!) / 2) < 1e-12);
    t.true(knn!.interval![0] < knn!.mean);
    t.is(cell.loss!.values.length, 2);
  }
  const table = readFileSync(result.files.markdown, 'utf8');
  t.regex(table, /^\| train\.optimizer\.lr \| seeds \| loss \| clips\/s \| knn accuracy, % \|\n/);
  t.regex(table, /\n\| 0\.01 \| 2 of 2 \| [\d.]+ ± [\d.]+ \| [\d.]+ \| [\d.]+ ± [\d.]+ \|\n\| 0\.05 /);
  t.deepEqual(JSON.parse(readFileSync(result.files.json, 'utf8')), JSON.parse(JSON.stringify(result)));

  const alone = file('alone');
  await train(
    { ...config({ seed: 1, optimizer: { lr: 0.05 } }), out: alone },
    { data: file('all.csv'), cores: 1 },
  );
  t.deepEqual(readFileSync(weights('whole', 0.05, 1)), readFileSync(join(alone, 'weights.safetensors')));

  const before = statSync(weights('whole', 0.01)).mtimeMs;
  events.length = 0;
  const again = await sweep({ ...options, seeds: 3, jobs: 1 });
  t.deepEqual([again.trained, again.found], [2, 4]);
  t.deepEqual(states(events).slice(0, 4), ['0.01 0 found', '0.05 0 found', '0.01 1 found', '0.05 1 found']);
  t.deepEqual(
    events.flatMap((event) => (event.type === 'evaluate' ? [event.seed] : [])),
    [2, 2],
    'nothing is evaluated twice',
  );
  t.is(statSync(weights('whole', 0.01)).mtimeMs, before);
  t.deepEqual(again.cells[0]!.measures[0]!.values.slice(0, 2), result.cells[0]!.measures[0]!.values);

  const { arms, config: different, evaluations } = await compareRuns({ runs: [file('whole')] });
  t.is(arms.length, 2);
  t.deepEqual(different, [{ key: 'train.optimizer.lr', values: [0.01, 0.05] }]);
  t.deepEqual(
    evaluations[0]!.paired.map(({ by, pairs }) => [by, pairs]),
    [
      ['group', 12],
      ['seed', 3],
    ],
  );
});

test.serial(
  'a changed base is refused with the key, before anything is trained; a larger grid is not',
  async (t) => {
    const options = base('changed');
    await sweep(options);
    const refused = { code: 'ERR_VSSL_RESUME_MISMATCH' };
    await t.throwsAsync(sweep({ ...options, config: config({ batch: 3 }) }), {
      ...refused,
      message: /base configuration differs: train\.batch \(4 there, 3 now\)/,
    });
    await t.throwsAsync(sweep({ ...options, data: `${file('all.csv')}?label=up` }), {
      ...refused,
      message: /data\.path/,
    });
    await t.throwsAsync(
      sweep({ ...options, grid: { 'cvrl.temperature': [0.2] }, config: config({ batch: 3 }) }),
      refused,
    );
    t.false(existsSync(file('changed/cvrl.temperature=0.2')));
    const more = await sweep({ ...options, grid: { 'train.optimizer.lr': [0.05, 0.02] } });
    t.deepEqual([more.trained, more.found], [1, 1]);
    // now the base of the rate is known as well
    const other = await sweep({ ...options, grid: { 'cvrl.temperature': [0.2] } });
    t.is(other.trained, 1);
    await t.throwsAsync(
      sweep({ ...options, grid: { 'train.batch': [3] }, set: ['train.optimizer.lr=0.5'] }),
      {
        ...refused,
        message: /train\.optimizer\.lr \(0\.05 there, 0\.5 now\)/,
      },
    );
    writeFileSync(file('changed/sweep.json'), '{}');
    await t.throwsAsync(sweep(options), { ...refused, message: /sweep\.json is not what a sweep/ });
  },
);

test.serial('a cell that fails is told and stops no other', async (t) => {
  const events: SweepEvent[] = [];
  const grid = { 'train.optimizer.lr': [1e30, 0.05] };
  const result = await sweep({ ...base('fails'), grid, onEvent: (event) => events.push(event) });
  t.is(result.trained, 1);
  t.like(result.failures[0], { cell: 'train.optimizer.lr=1e+30', seed: 0, code: 'ERR_VSSL_NON_FINITE' });
  t.is(result.failures.length, 1);
  t.deepEqual(
    result.cells.map(({ seeds }) => seeds),
    [[], [0]],
  );
  t.true(events.some((event) => event.type === 'failed' && event.code === 'ERR_VSSL_NON_FINITE'));
  t.regex(
    readFileSync(result.files.markdown, 'utf8'),
    /0 of 1, 1 failed.*\n(.*\n)*Failed:\n\n- train\.optimizer\.lr=1e\+30, seed 0: ERR_VSSL_NON_FINITE/,
  );
});

test.serial('stopped in the middle, it goes on to the same bytes', async (t) => {
  const long = (out: string) => ({ ...base(out), config: config({ steps: 12, checkpointEvery: 100 }) });
  const whole = await sweep({ ...long('unbroken'), jobs: 2 });
  t.is(whole.trained, 2);
  const stop = new AbortController();
  const reason = new Error('enough');
  const onEvent = (event: SweepEvent) => {
    if (event.type === 'train' && event.event.type === 'step' && event.event.step >= 3) stop.abort(reason);
  };
  const error = await t.throwsAsync(sweep({ ...long('broken'), jobs: 2, signal: stop.signal, onEvent }));
  t.is(error, reason);
  t.false(existsSync(file('broken/table.json')));
  const events: SweepEvent[] = [];
  await sweep({ ...long('broken'), jobs: 2, onEvent: (event) => events.push(event) });
  t.true(
    states(events).some((state) => state.endsWith('continued')),
    states(events).join(),
  );
  for (const lr of [0.01, 0.05])
    t.deepEqual(readFileSync(weights('broken', lr)), readFileSync(weights('unbroken', lr)));
});

test.serial('a process that is killed costs its own run, which goes on at the next call', async (t) => {
  const folder = file('killed/train.optimizer.lr=0.01/seed-0');
  let killed = false;
  const onEvent = (event: SweepEvent) => {
    if (event.type !== 'train' || event.event.type !== 'step' || event.event.step < 3 || killed) return;
    if (event.cell !== 'train.optimizer.lr=0.01') return;
    killed = true;
    const { pid } = JSON.parse(readFileSync(join(folder, 'lock'), 'utf8')) as { pid: number };
    t.not(pid, process.pid);
    process.kill(pid, 'SIGKILL');
  };
  const options = { ...base('killed'), config: config({ steps: 40 }), jobs: 2 };
  const result = await sweep({ ...options, onEvent });
  t.is(result.trained, 1);
  t.like(result.failures[0], { cell: 'train.optimizer.lr=0.01', code: 'ERR_VSSL_PROCESS' });
  t.regex(result.failures[0]!.reason, /was ended by SIGKILL.*the same command goes on/);
  const events: SweepEvent[] = [];
  const again = await sweep({ ...options, onEvent: (event) => events.push(event) });
  t.deepEqual([again.trained, again.found, again.failures], [1, 1, []]);
});

test.serial('one sweep at a time in a folder', async (t) => {
  const options = { ...base('locked'), grid: {} };
  const both = await Promise.allSettled([sweep(options), sweep(options)]);
  t.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  const failed = both.find((one) => one.status === 'rejected') as PromiseRejectedResult;
  t.is(failed.reason.code, 'ERR_VSSL_LOCKED');
  t.true(existsSync(file('locked/base/seed-0/weights.safetensors')));
});

test.serial('what is wrong is said before a folder is made', async (t) => {
  const out = 'never';
  const cases: [Partial<SweepOptions>, string, RegExp][] = [
    [{ grid: { 'train.optimzer.lr': [1] } }, 'ERR_VSSL_CONFIG', /did you mean 'train\.optimizer'/],
    [{ evaluate: ['knn'], folds: 'grop' }, 'ERR_VSSL_USAGE', /did you mean 'group'/],
    [{ test: file('all.csv') }, 'ERR_VSSL_USAGE', /nothing that is tested/],
    [{ evaluate: ['knnn'] as never }, 'ERR_VSSL_INVALID_ARGUMENT', /'knn', 'linear' or 'retrieval'/],
    [{ jobs: 0 }, 'ERR_VSSL_INVALID_ARGUMENT', /jobs/],
    [{ config: undefined }, 'ERR_VSSL_USAGE', /say what to train/],
    [{ data: undefined }, 'ERR_VSSL_CONFIG', /'data\.path'/],
  ];
  for (const [change, code, message] of cases)
    await t.throwsAsync(sweep({ ...base(out), ...change }), { code, message });
  t.false(existsSync(file(out)));
});

test.serial('what would stop every run stops the sweep, once', async (t) => {
  const before = { ...process.env };
  Object.assign(process.env, { CUDA_VISIBLE_DEVICES: '', VSSL_ENGINE: '' });
  t.teardown(() => {
    for (const name of ['CUDA_VISIBLE_DEVICES', 'VSSL_ENGINE'])
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
  });
  const events: SweepEvent[] = [];
  const options = {
    ...base('no-gpu'),
    config: config({ device: 'cuda' }),
    onEvent: (event: SweepEvent) => events.push(event),
  };
  await t.throwsAsync(sweep(options), { code: 'ERR_VSSL_CUDA_UNAVAILABLE' });
  t.deepEqual(
    events.map(({ type }) => type),
    ['run'],
  );
});
