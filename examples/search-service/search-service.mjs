/**
 * A server that says what an uploaded clip is (a classifier's label) and what of an index is most like it.
 *
 *   node search-service.mjs CLASSIFIER INDEX [--port 8080] [--host 127.0.0.1] ...
 *   curl --data-binary @clip.mp4 'http://localhost:8080/search?top=5'
 *
 * Uploads stay in memory, no more than at-once times max-bytes of it. Options and answers: examples/README.md.
 */
import { createServer } from 'node:http';
import { PassThrough } from 'node:stream';
import { parseArgs } from 'node:util';
import { Classifier, VideoIndex } from 'vssl-native';
import { Gate } from './gate.mjs';
import { Metrics } from './metrics.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '8080' },
    host: { type: 'string', default: '127.0.0.1' },
    'at-once': { type: 'string', default: '2' }, // uploads that are read and worked on
    waiting: { type: 'string', default: '8' }, // further ones that may wait for their turn
    'max-bytes': { type: 'string', default: '50000000' }, // of one upload
    'time-limit': { type: 'string', default: '30' }, // seconds of one request
    grace: { type: 'string', default: '10' }, // seconds to finish in, when told to stop
  },
});
const [classifierFile, db] = positionals;
if (!db) {
  console.error('usage: node search-service.mjs CLASSIFIER INDEX [--port 8080] ...');
  process.exit(2);
}
const numbers = ['port', 'at-once', 'waiting', 'max-bytes', 'time-limit', 'grace'];
const [port, atOnce, waiting, maxBytes, timeLimit, grace] = numbers.map(numberOf);
/** Milliseconds for which the rest of a refused upload is read. */
const DROP_MS = 2000;

function numberOf(name) {
  const value = Number(values[name]);
  if (Number.isFinite(value) && value >= 0) return value;
  console.error(`expected a number for --${name}`);
  process.exit(2);
}

/** Why a request is not answered: for the client, and for the metrics. */
class Refusal extends Error {
  constructor(outcome, status, message, headers = {}) {
    super(message);
    Object.assign(this, { outcome, status, headers });
  }
}

const gate = new Gate(atOnce, waiting);
const metrics = new Metrics();
const underWay = new Set();
let service = null; // until the classifier and the index are loaded
let stopping = false;

async function load() {
  const classifier = await Classifier.load(classifierFile);
  const { encoder } = classifier;
  const of = { digest: await encoder.digest(), dim: encoder.dim };
  // an index of another encoder is refused here, not by the first client
  return { classifier, index: await VideoIndex.open(db, { encoder: of, create: false }) };
}

/** Label and neighbours of the clip that a stream holds. */
async function search(body, top, signal) {
  const { vector, warnings, ...prediction } = await service.classifier.predict(body, { maxBytes, signal });
  const neighbours = await service.index.search(vector, { top, perVideo: true, signal });
  return { ...prediction, neighbours, warnings };
}

async function answerSearch(request, response, query) {
  const began = performance.now();
  const work = new AbortController();
  underWay.add(work);
  const hungUp = new Refusal('hung_up', 499, 'the client has gone');
  response.once('close', () => work.abort(hungUp));
  const timer = setTimeout(() => work.abort(tooSlow(request)), 1000 * timeLimit);
  let outcome = 'answered';
  try {
    const top = topOf(query);
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
    if (stopping || !service) throw busy('unavailable', stopping ? 'about to stop' : 'not ready yet');
    if (!(await gate.enter(work.signal))) throw busy('busy', 'too many requests at once');
    try {
      if (request.headers.expect) response.writeContinue();
      // not the request itself: the encoder destroys a stream that it does not read to its end, and the answer with it
      const body = request.pipe(new PassThrough());
      send(response, 200, await search(body, top, work.signal));
    } finally {
      gate.leave();
    }
  } catch (error) {
    const refusal = refusalOf(error);
    outcome = refusal.outcome;
    const { status, message, headers } = refusal;
    if (outcome !== 'hung_up') send(response, status, { error: { outcome, message } }, headers);
  } finally {
    clearTimeout(timer);
    underWay.delete(work);
    metrics.count(outcome, (performance.now() - began) / 1000);
  }
}

function topOf(query) {
  const top = Number(query.get('top') ?? 5);
  if (Number.isInteger(top) && top >= 1 && top <= 100) return top;
  throw new Refusal('bad_request', 400, 'expected a whole number from 1 to 100 for top');
}

const tooLarge = () => new Refusal('too_large', 413, `expected a video of at most ${maxBytes} bytes`);

/** The client's fault where its upload is still coming; else there is too much to do. */
function tooSlow(request) {
  const message = `not done within ${timeLimit} s`;
  return request.complete ? busy('too_slow', message) : new Refusal('too_slow', 408, message);
}

/** With the seconds after which the line in front should be gone. */
function busy(outcome, message) {
  const seconds = Math.ceil((metrics.mean * (gate.waiting + 1)) / atOnce);
  return new Refusal(outcome, 503, message, { 'retry-after': String(Math.max(1, seconds)) });
}

function refusalOf(error) {
  if (error instanceof Refusal) return error;
  if (error.code === 'ERR_VSSL_TOO_LARGE') return tooLarge();
  if (/^ERR_VSSL_VIDEO_/.test(error.code)) return new Refusal('not_a_video', 422, error.message);
  console.error(error);
  return new Refusal('failed', 500, 'this went wrong here; the log says how');
}

function send(response, status, body, headers = {}) {
  const { req: request } = response;
  const text = typeof body === 'string';
  response.writeHead(status, {
    'content-type': text ? 'text/plain; charset=utf-8' : 'application/json',
    ...(stopping && { connection: 'close' }),
    ...headers,
  });
  response.end(text ? body : `${JSON.stringify(body)}\n`);
  if (request.complete) return;
  // a client that is still sending would see a broken connection and no answer: the rest is read, for a while, and dropped
  request.resume();
  const timer = setTimeout(() => request.destroy(), DROP_MS);
  request.once('close', () => clearTimeout(timer));
}

const pages = {
  '/healthz': ['GET', (response) => send(response, 200, 'alive\n')],
  '/readyz': [
    'GET',
    (response) =>
      service && !stopping
        ? send(response, 200, 'ready\n')
        : send(response, 503, stopping ? 'stopping\n' : 'loading\n'),
  ],
  '/metrics': [
    'GET',
    (response) =>
      send(response, 200, metrics.text({ searches_in_flight: gate.inside, searches_waiting: gate.waiting })),
  ],
  '/search': ['POST', (response, query) => answerSearch(response.req, response, query)],
};

function route(request, response) {
  const [path, query = ''] = request.url.split('?');
  const [method, answer] = Object.hasOwn(pages, path) ? pages[path] : [];
  if (!answer)
    return send(response, 404, { error: { message: `expected one of ${Object.keys(pages).join(' ')}` } });
  if (request.method !== method)
    return send(response, 405, { error: { message: `expected ${method}` } }, { allow: method });
  return answer(response, new URLSearchParams(query));
}

// Node's own limits, for clients that send the head of a request slowly; bodies have the time limit above
const requestTimeout = 1000 * timeLimit + 2 * DROP_MS;
const server = createServer({ requestTimeout, headersTimeout: Math.min(10_000, requestTimeout) }, route);
server.on('checkContinue', route); // a polite client asks before it uploads, and does not while it waits in line

/** What is under way is finished, within the grace; a second signal does not wait. */
function stop() {
  const cut = () => {
    for (const work of underWay) work.abort(busy('unavailable', 'stopped'));
    setTimeout(() => server.closeAllConnections(), 200);
  };
  if (stopping) return cut();
  stopping = true;
  console.log(`stopping: ${underWay.size} under way`);
  setTimeout(cut, 1000 * grace).unref();
  server.close(async () => {
    await service?.index.close();
    await service?.classifier.dispose();
    process.exit(0);
  });
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, stop);

server.listen(port, values.host, () => {
  const { address, port } = server.address();
  console.log(`listening on http://${address.includes(':') ? `[${address}]` : address}:${port}`);
});
service = await load().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
console.log('ready');
