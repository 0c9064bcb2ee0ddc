/**
 * A server that answers an uploaded video with its vector. No file is made, and no upload takes more than its share.
 *
 *   node http-upload.mjs RUN [PORT]
 *   curl --data-binary @clip.mp4 http://localhost:8080/
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { VideoEncoder } from 'vssl-native';

const [run, port = '8080'] = process.argv.slice(2);
if (!run) {
  console.error('usage: node http-upload.mjs RUN [PORT]');
  process.exit(2);
}
const maxBytes = 50 * 2 ** 20; // of one upload
const atOnce = 4; // uploads; together they hold at most 200 MiB

const encoder = await VideoEncoder.load(run);
let busy = 0;

const server = createServer(async (request, response) => {
  const answer = (status, body) => {
    // a body that was not read to its end would be taken for the next request
    if (!request.complete) response.setHeader('connection', 'close');
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
  };
  if (request.method !== 'POST') return answer(405, { message: 'POST a video file as the body' });
  if (Number(request.headers['content-length'] ?? 0) > maxBytes)
    return answer(413, { message: `at most ${maxBytes} bytes` });
  if (busy === atOnce) return answer(503, { message: 'busy; try again in a moment' });

  busy++;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    const options = { maxBytes, details: true, signal: gone.signal };
    const { vector, warnings } = await encoder.embed(request, options);
    answer(200, { vector: [...vector], warnings });
  } catch (error) {
    if (gone.signal.aborted) return; // the client hung up
    const { code, message } = error;
    if (code === 'ERR_VSSL_TOO_LARGE') return answer(413, { code, message });
    if (/^ERR_VSSL_VIDEO/.test(code)) return answer(422, { code, message });
    console.error(error);
    answer(500, { message: 'failed' });
  } finally {
    busy--;
  }
});

server.listen(Number(port));
await once(server, 'listening');
console.log(`listening on http://localhost:${server.address().port}/`);

for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    server.close();
    await encoder.dispose();
  });
