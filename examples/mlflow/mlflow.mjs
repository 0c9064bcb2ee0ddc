#!/usr/bin/env node
// Sends a run folder to an MLflow tracking server: its configuration as parameters, its curves and evaluations as metrics.
//
//   node mlflow.mjs RUN [SERVER] [EXPERIMENT]
//
// SERVER is http://127.0.0.1:5000 by default. Called again, for a run that has gone on since, it sends what is new:
// RUN/mlflow.json says what the server has. Nothing but fetch is needed, and nothing of it is particular to MLflow: a
// run folder is made of JSON files.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';

const [folder, server = 'http://127.0.0.1:5000', experiment = 'vssl-native'] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node mlflow.mjs RUN [SERVER] [EXPERIMENT]');
  process.exit(2);
}

// What the server takes in one request.
const MOST_METRICS = 1000;
const MOST_PARAMS = 100;
const LONGEST_PARAM = 500;

async function call(method, path, body) {
  const query = method === 'GET' ? `?${new URLSearchParams(body)}` : '';
  const response = await fetch(`${server}/api/2.0/mlflow/${path}${query}`, {
    method,
    ...(method === 'GET'
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok)
    throw Object.assign(new Error(`${path}: ${response.status} ${answer.message ?? ''}`), {
      kind: answer.error_code,
    });
  return answer;
}

async function experimentId() {
  try {
    const found = await call('GET', 'experiments/get-by-name', { experiment_name: experiment });
    return found.experiment.experiment_id;
  } catch (error) {
    if (error.kind !== 'RESOURCE_DOES_NOT_EXIST') throw error;
    return (await call('POST', 'experiments/create', { name: experiment })).experiment_id;
  }
}

const readJson = async (path) => JSON.parse(await readFile(path, 'utf8'));

/** `a.b: value` of every value that is no section. */
function leaves(config, prefix = '') {
  return Object.entries(config).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? leaves(value, `${prefix}${name}.`)
      : [[`${prefix}${name}`, typeof value === 'string' ? value : JSON.stringify(value)]],
  );
}

/** The numbers of metrics.jsonl after a step; those of an evaluation under its name. The last line may be half written. */
async function curvesAfter(step) {
  const text = await readFile(join(folder, 'metrics.jsonl'), 'utf8');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const lines = whole.split('\n').filter(Boolean).map(JSON.parse);
  return lines
    .filter((line) => line.step > step)
    .flatMap(({ step, epoch: _, evaluation, ...values }) =>
      Object.entries(values).flatMap(([name, value]) =>
        Number.isFinite(value) ? [{ key: evaluation ? `${evaluation}/${name}` : name, value, step }] : [],
      ),
    );
}

/** What `eval` has written into the run folder, once each. */
async function evaluations(sent) {
  const names = (await readdir(folder)).filter(
    (name) => /^eval-.*\.json$/.test(name) && !sent.includes(name),
  );
  const metrics = [];
  for (const name of names) {
    const { protocol, trained, encoder } = await readJson(join(folder, name));
    const scores =
      protocol === 'retrieval'
        ? { 'R@1 by label': trained.label?.recall[1], 'R@1 by instance': trained.instance.recall[1] }
        : { accuracy: trained.accuracy };
    for (const [measure, value] of Object.entries(scores))
      if (value !== undefined)
        metrics.push({ key: `eval/${protocol}/${measure.replace('@', ' at ')}`, value, step: encoder.step });
  }
  return { names, metrics };
}

async function main() {
  const { run, ...config } = await readJson(join(folder, 'config.json'));
  const record = join(folder, 'mlflow.json');
  let known = await readJson(record).catch(() => null);
  if (known?.server !== server || known.experiment !== experiment) {
    const created = await call('POST', 'runs/create', {
      experiment_id: await experimentId(),
      run_name: basename(resolve(folder)),
      start_time: Date.parse(run.started),
      tags: [{ key: 'vssl-native', value: run.versions['vssl-native'] }],
    });
    known = { server, experiment, runId: created.run.info.run_id, step: 0, evaluations: [] };
    const params = leaves(config).map(([key, value]) => ({ key, value: value.slice(0, LONGEST_PARAM) }));
    for (let i = 0; i < params.length; i += MOST_PARAMS)
      await call('POST', 'runs/log-batch', { run_id: known.runId, params: params.slice(i, i + MOST_PARAMS) });
    await writeFile(record, JSON.stringify(known));
  }
  const curves = await curvesAfter(known.step);
  const evaluated = await evaluations(known.evaluations);
  const timestamp = Date.now();
  const metrics = [...curves, ...evaluated.metrics].map((metric) => ({ ...metric, timestamp }));
  for (let i = 0; i < metrics.length; i += MOST_METRICS)
    await call('POST', 'runs/log-batch', {
      run_id: known.runId,
      metrics: metrics.slice(i, i + MOST_METRICS),
    });
  const step = Math.max(known.step, ...curves.map((metric) => metric.step));
  const isFinished = step >= run.totalSteps;
  if (isFinished)
    await call('POST', 'runs/update', { run_id: known.runId, status: 'FINISHED', end_time: Date.now() });
  const all = [...known.evaluations, ...evaluated.names];
  await writeFile(record, JSON.stringify({ ...known, step, evaluations: all }));
  console.log(`${metrics.length} metrics up to step ${step} sent as run ${known.runId}`);
}

try {
  await main();
} catch (error) {
  // fetch says why in the cause
  const reason = error.cause
    ? `${server} does not answer (${error.cause.code ?? error.cause.message})`
    : error.message;
  console.error(`${folder} could not be sent: ${reason}; what was sent is kept, and the same call goes on`);
  process.exit(1);
}
