/** examples/search-service as its clients meet it: good ones, too many, slow ones, hostile ones; and how it stops. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { Classifier, indexVideos, VideoIndex } from '#src/index.js';
import { scratch, writeSquareVideo, writeTinyWeights } from '../embed/make-videos.js';
import { writeTinyClassifier } from '../predict/make-classifier.js';
import { type Example, killExamples, startExample } from './start-example.js';

const { file, remove } = scratch();
const script = 'search-service/search-service.mjs';
const weights = file('weights.safetensors');
const classifier = file('classifier.safetensors');
const clip = file('videos/1.avi');
/** One upload at a time, and one that waits. */
let app: Example;
let url: string;

test.before(async () => {
  mkdirSync(file('videos'));
  await writeTinyWeights(weights);
  await writeTinyClassifier(classifier, weights);
  for (let i = 0; i < 4; i++)
    await writeSquareVideo(file(`videos/${i}.avi`), (t) => [(5 * i + t) % 36, (2 * t) % 48], {
      frames: 60,
      color: [60 * i, 230, 255 - 60 * i],
    });
  await indexVideos({ weights, data: file('videos'), db: file('db'), threads: 1 });
  app = startExample(
    script,
    classifier,
    file('db'),
    '--port',
    '0',
    '--at-once',
    '1',
    '--waiting',
    '1',
    '--max-bytes',
    '3000000',
  );
  url = await urlOf(app);
});
test.after.always(() => {
  killExamples();
  remove();
});

async function urlOf(example: Example): Promise<string> {
  const line = await example.line(/^listening on/);
  await example.line(/^ready/);
  return line.slice('listening on '.length);
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: {
    readonly label?: string;
    readonly confidence?: number;
    readonly neighbours?: readonly { readonly path: string; readonly start: number; readonly end: number }[];
    readonly error?: { readonly outcome: string; readonly message: string };
  };
}

interface Upload {
  readonly answer: Promise<Answer>;
  send(bytes: Uint8Array): void;
  finish(bytes?: Uint8Array): void;
  drop(): void;
}

/** An upload on a connection of its own, of which the client decides how it goes on. */
function upload(to: string, headers: Record<string, string | number> = {}): Upload {
  const sent = request(to, { method: 'POST', headers, agent: false });
  const answer = new Promise<Answer>((resolve, reject) => {
    sent.once('error', reject);
    sent.once('response', async (response: IncomingMessage) => {
      const body = JSON.parse(await text(response));
      resolve({ status: response.statusCode!, headers: response.headers, body });
    });
  });
  answer.catch(() => {});
  sent.flushHeaders();
  return {
    answer,
    send: (bytes) => void sent.write(bytes),
    finish: (bytes) => void sent.end(bytes),
    drop: () => sent.destroy(),
  };
}

function post(bytes: Uint8Array, to = `${url}/search`): Promise<Answer> {
  const sent = upload(to, { 'content-length': bytes.length });
  sent.finish(bytes);
  return sent.answer;
}

/** The half of an upload that has begun, and how to give the other. */
function half(to = `${url}/search`): { readonly sent: Upload; finish(): void } {
  const bytes = readFileSync(clip);
  const sent = upload(to, { 'content-length': bytes.length });
  sent.send(bytes.subarray(0, bytes.length / 2));
  return { sent, finish: () => sent.finish(bytes.subarray(bytes.length / 2)) };
}

/** Waits until the metrics say so. */
async function until(line: string, at = url): Promise<void> {
  let said = '';
  for (let attempt = 0; attempt < 600; attempt++) {
    said = await (await fetch(`${at}/metrics`)).text();
    if (said.split('\n').includes(line)) return;
    await delay(50);
  }
  throw new Error(`the metrics never said '${line}':\n${said}`);
}

test.serial('a clip is answered with its label and its neighbours', async (t) => {
  const { status, body } = await post(readFileSync(clip), `${url}/search?top=3`);
  t.is(status, 200);
  const model = await Classifier.load(classifier);
  const { vector, label, guess, confidence, probabilities } = await model.predict(clip);
  const index = await VideoIndex.open(file('db'));
  const hits = await index.search(vector, { top: 3, perVideo: true });
  await index.close();
  await model.dispose();
  const expected = { label, guess, confidence, probabilities, neighbours: hits, warnings: [] };
  t.deepEqual(body as unknown, expected);
  t.true(body.neighbours!.every(({ start, end }) => end > start));
});

test.serial('health, metrics, and pages that are not there', async (t) => {
  for (const [page, said] of Object.entries({ healthz: 'alive\n', readyz: 'ready\n' })) {
    const response = await fetch(`${url}/${page}`);
    t.deepEqual([response.status, await response.text()], [200, said]);
  }
  t.is((await fetch(`${url}/constructor`)).status, 404);
  const wrong = await fetch(`${url}/search`);
  t.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'POST']);
  const said = await (await fetch(`${url}/metrics`)).text();
  for (const line of said.trimEnd().split('\n'))
    t.regex(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]+"\})? [\d.e+-]+)$/);
  const within = [...said.matchAll(/_bucket\{le="([^"]+)"\} (\d+)/g)];
  const counts = within.map(([, , count]) => Number(count));
  t.deepEqual(counts, [...counts].sort());
  t.deepEqual([within.at(-1)![1], counts.at(-1)], ['+Inf', 1]);
  for (const line of [
    'searches_total{outcome="answered"} 1',
    'search_seconds_count 1',
    'searches_in_flight 0',
  ])
    t.true(said.includes(`${line}\n`), line);
});

test.serial('who comes when the line is full is sent away, and those in line have their turn', async (t) => {
  const first = half();
  await until('searches_in_flight 1');
  const second = post(readFileSync(clip));
  await until('searches_waiting 1');
  const third = await post(readFileSync(clip));
  t.deepEqual([third.status, third.body.error!.outcome], [503, 'busy']);
  t.true(Number(third.headers['retry-after']) >= 1);
  first.finish();
  for (const answer of [await first.sent.answer, await second]) {
    t.is(answer.status, 200);
    t.is(answer.body.neighbours!.length, 4);
  }
});

test.serial('a client that hangs up, at work or in line, leaves its place to others', async (t) => {
  const first = half();
  await until('searches_in_flight 1');
  const second = half();
  await until('searches_waiting 1');
  second.sent.drop();
  await until('searches_waiting 0');
  await until('searches_in_flight 1');
  first.sent.drop();
  await until('searches_in_flight 0');
  await until('searches_total{outcome="hung_up"} 2');
  t.is((await post(readFileSync(clip))).status, 200);
});

test.serial('what is no video, cut, empty or too large is the client’s fault', async (t) => {
  const bytes = readFileSync(clip);
  const broken: [string, Uint8Array][] = [
    ['no video', new TextEncoder().encode('no video')],
    ['empty', new Uint8Array()],
    ['the head alone', bytes.subarray(0, 64)],
    ['noise with a head', Buffer.concat([bytes.subarray(0, 256), Buffer.alloc(5000, 7)])],
  ];
  for (const [what, body] of broken) {
    const answer = await post(body);
    t.deepEqual([answer.status, answer.body.error!.outcome], [422, 'not_a_video'], what);
  }
  const declared = await upload(`${url}/search`, { 'content-length': 2 ** 40 }).answer;
  t.deepEqual([declared.status, declared.body.error!.outcome], [413, 'too_large']);
  for (const top of ['0', 'many', '1e9', '-1'])
    t.is((await post(bytes, `${url}/search?top=${top}`)).status, 400, top);
});

test.serial('an upload without an end is answered, though the client still sends', async (t) => {
  const endless = upload(`${url}/search`);
  const piece = Buffer.alloc(2 ** 20);
  let sending = true;
  const flood = (async () => {
    while (sending) {
      endless.send(piece);
      await delay(1);
    }
  })();
  const { status, body } = await endless.answer;
  sending = false;
  await flood;
  endless.drop();
  t.deepEqual([status, body.error!.outcome], [413, 'too_large']);
  await until('searches_in_flight 0');
});

test.serial('what is no HTTP, and odd addresses, do not end it', async (t) => {
  const { port, hostname } = new URL(url);
  const raw = async (said: string) => {
    const socket = connect(Number(port), hostname);
    socket.end(said);
    return await text(socket);
  };
  t.regex(await raw('nonsense\r\n\r\n'), /^HTTP\/1\.1 400/);
  for (const path of ['//', '/%', '/search?%=%', 'http://[', '*'])
    t.regex(
      await raw(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`),
      /^HTTP\/1\.1 4\d\d/,
      path,
    );
  t.is((await post(readFileSync(clip))).status, 200);
});

test.serial('told to stop, it takes nothing new, finishes what is under way and ends with 0', async (t) => {
  const open = half();
  await until('searches_in_flight 1');
  app.kill('SIGTERM');
  await app.line(/^stopping: 1 under way/);
  await t.throwsAsync(fetch(`${url}/healthz`));
  open.finish();
  const { status, headers } = await open.sent.answer;
  t.deepEqual([status, headers.connection], [200, 'close']);
  t.is(await app.end, 0, app.said());
});

test.serial('a client that is too slow is told so; one that outlasts the grace is cut off', async (t) => {
  const limits = ['--time-limit', '3', '--grace', '0.2'];
  const hurried = startExample(script, classifier, file('db'), '--port', '0', ...limits);
  const at = await urlOf(hurried);
  const slow = await half(`${at}/search`).sent.answer;
  t.deepEqual([slow.status, slow.body.error!.outcome], [408, 'too_slow']);
  const late = half(`${at}/search`);
  await until('searches_in_flight 1', at);
  hurried.kill('SIGTERM');
  const { status, body } = await late.sent.answer;
  t.deepEqual([status, body.error!.outcome], [503, 'unavailable']);
  t.is(await hurried.end, 0, hurried.said());
});

test.serial('an index of another encoder, or none, is told at the start', async (t) => {
  await writeTinyWeights(file('other.safetensors'), { input: 'difference' });
  await writeTinyClassifier(file('other-classifier.safetensors'), file('other.safetensors'));
  const other = startExample(script, file('other-classifier.safetensors'), file('db'), '--port', '0');
  const none = startExample(script, classifier, file('none'), '--port', '0');
  await other.line(/vectors of another encoder/);
  await none.line(/there is none/);
  t.deepEqual([await other.end, await none.end], [1, 1]);
  t.false(existsSync(file('none')));
});
