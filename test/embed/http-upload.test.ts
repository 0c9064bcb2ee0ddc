/** examples/http-upload as a client meets it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ClientRequest, request } from 'node:http';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { scratch, writeSquareVideo, writeTinyWeights } from './make-videos.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const { folder, file, remove } = scratch();
let server: ChildProcess;
let url: string;

test.before(async () => {
  await writeTinyWeights(file('weights.safetensors'));
  await writeSquareVideo(file('a.mp4'), (t) => [8, 2 * t]);
  server = spawn(process.execPath, [join(root, 'examples/http-upload/http-upload.mjs'), folder, '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(server.stdout!), 'line')) as [string];
  url = line.replace('listening on ', '');
});
test.after.always(() => {
  server?.kill('SIGKILL');
  remove();
});

async function post(body: Uint8Array<ArrayBuffer>) {
  const response = await fetch(url, { method: 'POST', body });
  return { status: response.status, ...((await response.json()) as Record<string, unknown>) };
}

test.serial('an upload is answered with the vector of the file', async (t) => {
  const encoder = await VideoEncoder.load(folder);
  const vector = [...(await encoder.embed(file('a.mp4')))];
  await encoder.dispose();
  const bytes = new Uint8Array(readFileSync(file('a.mp4')));
  const answers = await Promise.all([1, 2, 3].map(() => post(bytes)));
  for (const answer of answers) t.deepEqual(answer, { status: 200, vector, warnings: [] });
});

/** Not events.once: a connection that was reset is an error first. */
const closeOf = (stream: ClientRequest) => new Promise((resolve) => stream.once('close', resolve));

test.serial('what is no video, too large or given up is no trouble', async (t) => {
  const { status, code } = (await post(new TextEncoder().encode('no video'))) as Record<string, unknown>;
  t.deepEqual([status, code], [422, 'ERR_VSSL_VIDEO_OPEN']);
  t.is((await fetch(url)).status, 405);
  const large = request(url, { method: 'POST', headers: { 'content-length': String(2 ** 40) } });
  large.on('error', () => {});
  large.flushHeaders();
  const [response] = (await once(large, 'response')) as [{ statusCode: number }];
  t.is(response.statusCode, 413);
  large.destroy();
  const left = request(url, { method: 'POST', headers: { 'content-length': '1000000' } });
  left.on('error', () => {});
  left.write(Buffer.alloc(1000));
  setTimeout(() => left.destroy(), 100);
  await closeOf(left);
  const endless = request(url, { method: 'POST' });
  endless.on('error', () => {});
  const closed = closeOf(endless);
  const chunk = Buffer.alloc(2 ** 20);
  const send = () => {
    while (!endless.destroyed && endless.write(chunk));
  };
  endless.on('drain', send);
  send();
  await closed;
  t.is((await post(new Uint8Array(readFileSync(file('a.mp4'))))).status, 200);
});

test.serial('it stops when it is told to', async (t) => {
  server.kill('SIGTERM');
  const [code] = (await once(server, 'exit')) as [number];
  t.is(code, 0);
});
