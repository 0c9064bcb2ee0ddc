// Compiled, never run: the package as an ES module with types.
import { Readable } from 'node:stream';
import {
  Classifier,
  defineMethod,
  doctor,
  type EmbedResult,
  type EvaluationHook,
  embedForEvaluation,
  embedToFile,
  evaluate,
  indexVideos,
  listMethods,
  listPresets,
  type Measure,
  type PredictResult,
  predictVideos,
  readSafetensors,
  registerMeasure,
  registerMethod,
  type SearchHit,
  searchVideos,
  type TrainConfig,
  train,
  VideoEncoder,
  VideoIndex,
  VsslError,
  type VsslErrorCode,
  writeSafetensors,
} from 'vssl-native';
import { headSchema, nativeHead, planUniformPair, z } from 'vssl-native/methods';

/** A method of one's own: its options are typed in its functions, and in the configuration that names it. */
const toy = defineMethod({
  name: 'toy',
  engine: 'simclr',
  description: 'two clips of one window',
  configSchema: z.strictObject({
    tau: z.number().default(0.1),
    head: headSchema({ hiddenLayers: 1, norm: true }).prefault({}),
  }),
  planViews: (context) => planUniformPair(context, { sameWindow: true }),
  nativeOptions: ({ tau, head }) => ({ temperature: tau, lossScale: 1, ...nativeHead(head) }),
  presets: [{ name: 'toy-tiny', description: '', config: { method: 'toy', train: { steps: 3 } } }],
  measures: [{ name: 'half', title: '', run: async ({ run }) => ({ value: run.length, resolution: 1 }) }],
});

export function own(): void {
  registerMethod(toy);
  const config: TrainConfig<typeof toy> = { extends: 'toy-tiny', toy: { tau: 0.2 } };
  // @ts-expect-error: a misspelt option
  const wrong: TrainConfig<typeof toy> = { method: 'toy', toy: { taw: 0.2 } };
  // @ts-expect-error: not a method of the package
  const other: TrainConfig = { method: 'toy' };
  const hook: EvaluationHook = { name: 'h', everySteps: 2, run: async ({ step }) => ({ step }) };
  train<typeof toy>(config, { hooks: [hook] });
  const measure: Measure = { name: 'm', title: 'm', run: async () => ({ value: 1, resolution: 0.1 }) };
  registerMeasure(measure);
  void [wrong, other];
}

export async function label(): Promise<string | null> {
  const asked = { weights: 'run', train: 'labelled.csv', data: 'videos', out: 'predictions.csv' };
  const { predictions, heldOut }: PredictResult = await predictVideos({ ...asked, suggest: 20 });
  await using classifier = await Classifier.load('actions.safetensors', { weights: 'run' });
  const one = await classifier.predict(Readable.from([]), { minConfidence: heldOut.accuracy, maxBytes: 1e6 });
  const vector: Float32Array<ArrayBuffer> = one.vector;
  for (const result of await classifier.predict(['a.mp4', new Uint8Array(1)]))
    if ('error' in result) throw new Error(result.path, { cause: result.error });
    else result.probabilities[result.guess]?.toFixed(predictions.length);
  for await (const result of classifier.predictMany(['a.mp4'])) result.index + vector.length;
  // @ts-expect-error: the classifier's own windows
  await classifier.predict('a.mp4', { clips: 3 });
  return (await classifier.classify(vector)).label;
}

export async function use(): Promise<void> {
  const config: TrainConfig = { method: 'cvrl', train: { batch: 4 }, cvrl: {} };
  // @ts-expect-error: a misspelt key
  const wrong: TrainConfig = { method: 'cvrl', train: { batsch: 4 } };
  // @ts-expect-error: no such method
  const other: TrainConfig = { method: 'cvrll' };

  const based: TrainConfig = { extends: 'cvrl-tiny', train: { steps: 3 } };
  // @ts-expect-error: no such preset
  const unknown: TrainConfig = { extends: 'cvrl-tni' };

  const run = train(config, { out: 'run', data: 'videos', signal: new AbortController().signal });
  for await (const event of run) if (event.type === 'step') event.losses.loss?.toFixed(3);
  const { weights }: { weights: string } = await run;

  await using encoder = await VideoEncoder.load(weights, { device: 'auto', threads: 2 });
  const vector: Float32Array<ArrayBuffer> = await encoder.embed('clip.mp4', { clips: 3, crops: 1 });
  await encoder.embed({ frames: new Uint8Array(3), shape: [1, 1, 1, 3] });
  // @ts-expect-error: 1 or 3 crops
  await encoder.embed('clip.mp4', { crops: 2 });
  for (const held of [Buffer.alloc(1), new ArrayBuffer(1), new Blob([]), new URL('file:///a.mp4')])
    await encoder.embed(held, { maxBytes: 1e6 });
  const { warnings }: EmbedResult = await encoder.embed(Readable.from([]), { details: true });
  // @ts-expect-error: a vector alone
  await encoder.embed(new Blob([]).stream(), { details: false }).then(({ warnings }) => warnings);
  for await (const { index } of encoder.embedMany([new Uint8Array(1), 'a.mp4'])) index + warnings.length;
  for await (const result of encoder.embedMany(['a.mp4'])) {
    const text: string = result.path;
    if ('error' in result) throw new Error(text + result.error.code, { cause: result.error });
    const one: Float32Array<ArrayBuffer> = result.vector;
    one.fill(0);
  }
  const features: Float32Array<ArrayBuffer> = await encoder.forward(vector, [1, 3, 1, 1, 1]);
  const size: number = encoder.inputSize.frames + encoder.dim + encoder.stats().liveTensors + features.length;
  await VideoEncoder.create({ arch: 'r3d_18', width: 0.25, seed: size });

  const knn = await evaluate({
    protocol: 'knn',
    run: 'run',
    data: 'videos',
    folds: 'group',
    k: 5,
    baseline: 'random',
  });
  const accuracy: number = knn.trained.accuracy + (knn.random?.accuracy ?? 0) + knn.trained.folds.length;
  const found = await evaluate({ protocol: 'retrieval', weights, train: 'a', test: 'b', floors: true });
  const recall: number | undefined =
    found.trained.instance.recall[accuracy] ?? found.floors?.appearance.label?.recall[5];
  // @ts-expect-error: an option of another protocol
  await evaluate({ protocol: 'linear', weights, train: 'a', test: 'b', k: 5 });

  const { count: embedded } = await embedForEvaluation({
    protocol: 'knn',
    weights,
    data: 'videos',
    folds: 'group',
    shard: '0/2',
    out: 'part.safetensors',
  });
  await evaluate({
    protocol: 'linear',
    weights,
    data: 'videos',
    folds: 'group',
    features: 'all.safetensors',
  });
  await embedToFile({ weights, data: 'videos', out: 'vectors.jsonl', clips: recall ?? embedded });
  await embedToFile({ weights, data: ['a.mp4'], out: 'windows.npy', windows: { every: 1, span: 2 } });
  const { videos } = await indexVideos({ weights, data: 'videos', db: 'db', include: ['*.mp4'] });
  await using index = await VideoIndex.open('db', {
    encoder: { digest: await encoder.digest(), dim: encoder.dim },
  });
  await index.add({ path: 'a.mp4', windows: [{ start: 0, end: 2, vector }] });
  const hits: SearchHit[] = await index.search(vector, { top: videos, filter: { label: ['w*', 'run'] } });
  const { query } = await searchVideos({ db: 'db', clip: hits[0]?.path ?? 'a.mp4', start: 1, end: 3 });
  // @ts-expect-error: no windows
  await index.add({ path: 'b.mp4', start: query.start });
  const { tensors, metadata } = await readSafetensors('x.safetensors');
  await writeSafetensors('y.safetensors', tensors, metadata);
  const names: string[] = [...listMethods(), ...listPresets()].map(({ name }) => name);
  const report = await doctor({ selfTest: false });
  if (!report.ok)
    throw new VsslError('ERR_VSSL_ENVIRONMENT', names.join(), { details: { wrong, other, based, unknown } });
  // @ts-expect-error: no such code
  const code: VsslErrorCode = 'ERR_VSSL_NO_SUCH';
  const same: boolean = new VsslError(code, '').code === 'ERR_VSSL_USAGE';
  void same;
}
