// Every call that takes a signal: aborted before or during its work, it rejects with the very reason of the signal.
import { readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import test from 'ava';
import {
  checkVideos,
  embedToFile,
  evaluate,
  prepare,
  runClaims,
  train,
  VideoEncoder,
  writeSyntheticVideos,
} from '#src/index.js';
import { scratch, tiny, writeSquareVideo, writeTinyWeights } from '../embed/make-videos.js';
import { tinyConfig } from '../helpers/tiny-run.js';

const { file, remove } = scratch();
test.after.always(remove);

let encoder: VideoEncoder;
test.before(async () => {
  for (const label of ['down', 'right']) {
    await mkdir(file(`videos/${label}`), { recursive: true });
    for (let i = 0; i < 12; i++)
      await writeSquareVideo(file(`videos/${label}/${i}.avi`), (t) => (label === 'down' ? [t, i] : [i, t]));
  }
  await writeTinyWeights(file('weights.safetensors'));
  encoder = await VideoEncoder.create({ arch: 'r3d_10', width: 0.125, clip: tiny });
});
test.after.always(() => encoder?.dispose());

const weights = file('weights.safetensors');
const data = file('videos');
const videos = ['down', 'right'].flatMap((label) => [0, 1, 2, 3].map((i) => `${data}/${label}/${i}.avi`));

/** Paths, and after some of them nothing more for ever. */
async function* stalling() {
  yield* videos.slice(0, 2);
  await new Promise(() => setTimeout(() => {}, 60_000).unref());
}

interface Ways {
  readonly signal: AbortSignal;
  /** To be called when the work has begun. */
  readonly begun: () => void;
}

const calls: Record<string, (ways: Ways) => Promise<unknown>> = {
  train: async ({ signal, begun }) => {
    const run = train(tinyConfig({ train: { steps: 1000 } }), { data, out: file('run'), signal });
    for await (const event of run) if (event.type === 'step') begun();
  },
  'train, looking at files': async ({ signal, begun }) => {
    for await (const event of train(tinyConfig(), { data, out: file('run2'), signal, indexFirst: true }))
      if (event.type === 'index') begun();
  },
  embed: ({ signal, begun }) => {
    setImmediate(begun);
    return encoder.embed(videos[0]!, { clips: 200, signal });
  },
  embedMany: async ({ signal, begun }) => {
    for await (const _ of encoder.embedMany(videos, { signal })) begun();
  },
  'embedMany of a source that stalls': async ({ signal, begun }) => {
    setTimeout(begun, 100);
    for await (const _ of encoder.embedMany(stalling(), { signal }));
  },
  embedToFile: ({ signal, begun }) =>
    embedToFile({ weights, data, out: file('vectors.jsonl'), signal, onProgress: begun }),
  'evaluate knn': ({ signal, begun }) =>
    evaluate({ protocol: 'knn', weights, train: data, test: data, signal, onProgress: begun }),
  'evaluate retrieval': ({ signal, begun }) =>
    evaluate({ protocol: 'retrieval', weights, data, signal, onProgress: begun }),
  checkVideos: ({ signal, begun }) => checkVideos({ data, threads: 1, signal, onProgress: begun }),
  prepare: ({ signal, begun }) =>
    prepare({ data, out: file('copy'), shortSide: 32, threads: 1, signal, onProgress: begun }),
  writeSyntheticVideos: ({ signal, begun }) =>
    writeSyntheticVideos({
      data: 'synthetic:motion?split=train&count=96&seed=0',
      out: file('synthetic'),
      signal,
      onProgress: begun,
    }),
  runClaims: ({ signal, begun }) =>
    runClaims({
      ...{ method: 'simclr', data, test: data, budget: 4, seeds: 1, out: file('claims'), signal },
      set: ['model.arch=r3d_10', 'model.width=0.125', 'data.clip.frames=4', 'data.clip.size=32'],
      onEvent: ({ type }) => {
        if (type === 'train') begun();
      },
    }),
};

for (const [name, call] of Object.entries(calls)) {
  test.serial(`${name}: a signal that is aborted already`, async (t) => {
    const before = readdirSync(file(''));
    for (const reason of [new Error('enough'), { why: 'enough' }, 'enough'])
      t.is(await thrownBy(() => call({ signal: AbortSignal.abort(reason), begun: () => {} })), reason);
    const signal = AbortSignal.abort();
    t.is(await thrownBy(() => call({ signal, begun: () => {} })), signal.reason);
    t.is(signal.reason.name, 'AbortError');
    t.deepEqual(readdirSync(file('')), before, 'something was written');
  });
  test.serial(`${name}: aborted at work`, async (t) => {
    const stop = new AbortController();
    const reason = { why: 'enough' };
    t.is(await thrownBy(() => call({ signal: stop.signal, begun: () => stop.abort(reason) })), reason);
  });
  test.serial(`${name}: what is no signal is refused`, async (t) => {
    const error = await thrownBy(() => call({ signal: {} as AbortSignal, begun: () => {} }));
    t.is((error as { code?: string }).code, 'ERR_VSSL_INVALID_ARGUMENT');
  });
}

async function thrownBy(call: () => Promise<unknown>): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return 'nothing was thrown';
}
