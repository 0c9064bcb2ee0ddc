// examples/mlflow against a server that asks of each request what a tracking server asks of it.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { knnResult, makeRun, writeResult } from '../compare/make-runs.js';
import { scratch } from '../embed/make-videos.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const { file, remove } = scratch();

interface Metric {
  readonly key: string;
  readonly value: number;
  readonly step: number;
  readonly timestamp: number;
}

/** What the server was told. */
const told = {
  experiments: new Map<string, string>(),
  runs: new Map<string, StoredRun>(),
  faults: [] as string[],
};
interface StoredRun {
  readonly experiment: string;
  readonly name: string;
  readonly params: Map<string, string>;
  readonly metrics: Metric[];
  status: string;
}

class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** The server's own rules, from its interface: types, sizes, and what may be changed. */
function answer(method: string, path: string, body: Record<string, unknown>): object {
  const text = (key: string) => {
    const value = body[key];
    if (typeof value !== 'string' || value === '')
      throw new Refused('INVALID_PARAMETER_VALUE', `${key} is missing`);
    return value;
  };
  const runOf = () => {
    const run = told.runs.get(text('run_id'));
    if (!run) throw new Refused('RESOURCE_DOES_NOT_EXIST', `no run ${text('run_id')}`);
    return run;
  };
  switch (`${method} ${path}`) {
    case 'GET experiments/get-by-name': {
      const id = told.experiments.get(text('experiment_name'));
      if (id === undefined) throw new Refused('RESOURCE_DOES_NOT_EXIST', 'no such experiment');
      return { experiment: { experiment_id: id } };
    }
    case 'POST experiments/create': {
      if (told.experiments.has(text('name'))) throw new Refused('RESOURCE_ALREADY_EXISTS', 'it is there');
      const id = String(told.experiments.size + 1);
      told.experiments.set(text('name'), id);
      return { experiment_id: id };
    }
    case 'POST runs/create': {
      if (!Number.isSafeInteger(body.start_time)) throw new Refused('INVALID_PARAMETER_VALUE', 'start_time');
      const id = `run${told.runs.size}`;
      const [experiment, name] = [text('experiment_id'), text('run_name')];
      told.runs.set(id, { experiment, name, params: new Map(), metrics: [], status: 'RUNNING' });
      return { run: { info: { run_id: id } } };
    }
    case 'POST runs/log-batch':
      logBatch(runOf(), body);
      return {};
    case 'POST runs/update': {
      if (!Number.isSafeInteger(body.end_time)) throw new Refused('INVALID_PARAMETER_VALUE', 'end_time');
      runOf().status = text('status');
      return { run_info: {} };
    }
    default:
      throw new Refused('ENDPOINT_NOT_FOUND', `${method} ${path}`);
  }
}

function logBatch(run: StoredRun, body: Record<string, unknown>): void {
  const { metrics = [], params = [] } = body as {
    metrics?: Metric[];
    params?: { key: string; value: string }[];
  };
  const wrong = (message: string) => new Refused('INVALID_PARAMETER_VALUE', message);
  if (metrics.length > 1000 || params.length > 100 || metrics.length + params.length > 1000)
    throw wrong('too many');
  if (Object.keys(body).some((key) => !['run_id', 'metrics', 'params', 'tags'].includes(key)))
    throw wrong('keys');
  for (const { key, value, step, timestamp } of metrics) {
    if (!/^[\w.\-: /]+$/.test(key) || typeof value !== 'number') throw wrong(`metric ${key}`);
    if (!Number.isSafeInteger(step) || !Number.isSafeInteger(timestamp)) throw wrong(`step of ${key}`);
    run.metrics.push({ key, value, step, timestamp });
  }
  for (const { key, value } of params) {
    if (!/^[\w.\-: /]+$/.test(key) || typeof value !== 'string' || value.length > 500)
      throw wrong(`param ${key}`);
    if (run.params.has(key) && run.params.get(key) !== value) throw wrong(`param ${key} was another`);
    run.params.set(key, value);
  }
}

async function bodyOf(request: IncomingMessage, url: URL): Promise<Record<string, unknown>> {
  if (request.method === 'GET') return Object.fromEntries(url.searchParams);
  if (request.headers['content-type'] !== 'application/json') throw new Refused('BAD_REQUEST', 'no JSON');
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  if (text.length > 1e6) throw new Refused('BAD_REQUEST', 'larger than 1 MB');
  return JSON.parse(text);
}

let server: Server;
let url: string;
test.before(async () => {
  server = createServer(async (request, response) => {
    const asked = new URL(request.url!, 'http://server');
    try {
      const path = asked.pathname.replace('/api/2.0/mlflow/', '');
      response.end(JSON.stringify(answer(request.method!, path, await bodyOf(request, asked))));
    } catch (error) {
      const { code = 'INTERNAL_ERROR', message } = error as Refused;
      if (code !== 'RESOURCE_DOES_NOT_EXIST') told.faults.push(`${request.url}: ${message}`);
      response.writeHead(code === 'RESOURCE_DOES_NOT_EXIST' ? 404 : 400);
      response.end(JSON.stringify({ error_code: code, message }));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
test.after.always(() => {
  server?.close();
  remove();
});

const send = (...args: string[]) =>
  promisify(execFile)(process.execPath, [join(root, 'examples/mlflow/mlflow.mjs'), ...args]);

test.serial(
  'a run: parameters, curves, evaluations; then what has come since, in the same run',
  async (t) => {
    const losses = Array.from({ length: 400 }, (_, i) => 5 - i / 100);
    const environment = {
      started: '2026-01-02T03:04:05.000Z',
      totalSteps: 402,
      versions: { 'vssl-native': '0.1.0' },
    };
    makeRun(file('a-run'), { losses, environment });
    writeResult(file('a-run/eval-knn-1.json'), knnResult([true, false, true, true]));
    const { stdout } = await send(file('a-run'), url, 'mine');
    t.regex(stdout, /2001 metrics up to step 400 sent as run run0/);
    t.deepEqual(told.faults, []);
    const run = told.runs.get('run0')!;
    t.deepEqual([run.experiment, run.name, run.status], [told.experiments.get('mine'), 'a-run', 'RUNNING']);
    t.is(run.params.get('train.optimizer.lr'), '0.05');
    t.is(run.params.get('data.augment.crop.area'), '[0.3,1]');
    t.is(run.params.get('method'), 'cvrl');
    t.deepEqual(
      run.metrics.filter(({ key }) => key === 'loss').map(({ value }) => value),
      losses,
    );
    t.like(run.metrics.at(-1), { key: 'eval/knn/accuracy', value: 0.75, step: 4 });

    appendFileSync(
      file('a-run/metrics.jsonl'),
      `${JSON.stringify({ step: 402, epoch: 1, loss: null, lr: 0.1 })}\n${JSON.stringify({ step: 402, epoch: 1, evaluation: 'knn', accuracy: 0.5 })}\n{"step": 403, "lo`,
    );
    const again = await send(file('a-run'), url, 'mine');
    t.regex(again.stdout, /2 metrics up to step 402 sent as run run0/);
    t.deepEqual([told.runs.size, run.status, told.faults], [1, 'FINISHED', []]);
    t.like(run.metrics.at(-1), { key: 'knn/accuracy', value: 0.5, step: 402 });
  },
);

test.serial('a server that does not answer, and no run', async (t) => {
  makeRun(file('other'), {
    environment: { started: '2026-01-02T03:04:05.000Z', versions: { 'vssl-native': '0' } },
  });
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address() as AddressInfo;
  gone.close();
  await once(gone, 'close');
  const silent = await t.throwsAsync(send(file('other'), `http://127.0.0.1:${port}`));
  t.regex((silent as Error & { stderr: string }).stderr, /does not answer \(ECONNREFUSED\)/);
  await t.throwsAsync(send(file('nowhere'), url), { message: /could not be sent/ });
  await t.throwsAsync(send(), { message: /usage/ });
});
