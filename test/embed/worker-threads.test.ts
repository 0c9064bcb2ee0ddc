import { Worker } from 'node:worker_threads';
import test from 'ava';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { scratch, tiny, writeSquareVideo } from './make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

/** Loads both addons, embeds, and answers with the vector. */
const program = `
  import { parentPort, workerData } from 'node:worker_threads';
  const { VideoEncoder } = await import(workerData.encoder);
  const { loadKernels } = await import(workerData.load);
  const isa = loadKernels().isa().selected;
  const encoder = await VideoEncoder.create(workerData.options);
  const vectors = [];
  for await (const { vector } of encoder.embedMany([workerData.path, workerData.path])) vectors.push(vector);
  await encoder.dispose();
  parentPort.postMessage({ isa, vectors });
`;

test('several worker threads use both addons at once', async (t) => {
  const path = file('v.avi');
  await writeSquareVideo(path, (time) => [2, 2 * time]);
  const options = { arch: 'r3d_10', width: 0.125, clip: tiny, seed: 5 };
  const here = await VideoEncoder.create(options);
  const expected = await here.embed(path);
  await here.dispose();
  const data = {
    encoder: import.meta.resolve('#src/embed/video-encoder.js'),
    load: import.meta.resolve('#src/native/load.js'),
    options,
    path,
  };
  const source = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  const run = () =>
    new Promise<{ isa: string; vectors: Float32Array[] }>((resolve, reject) => {
      const worker = new Worker(source, { workerData: data });
      let answer: { isa: string; vectors: Float32Array[] };
      worker.on('message', (message) => {
        answer = message;
      });
      worker.on('error', reject);
      worker.on('exit', (code) => (code === 0 ? resolve(answer) : reject(new Error(`exit code ${code}`))));
    });
  for (let round = 0; round < 2; round++)
    for (const { isa, vectors } of await Promise.all([run(), run()])) {
      t.truthy(isa);
      for (const vector of vectors) t.deepEqual(vector, expected);
    }
});
