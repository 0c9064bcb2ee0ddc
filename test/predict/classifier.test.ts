import { createReadStream, mkdirSync, readFileSync, renameSync } from 'node:fs';
import test from 'ava';
import { Classifier } from '#src/predict/classifier.js';
import { scratch, squareFrames, writeSquareVideo, writeTinyWeights } from '../embed/make-videos.js';
import { writeTinyClassifier } from './make-classifier.js';

const { file, remove } = scratch();
test.after.always(remove);

test.before(async () => {
  await writeTinyWeights(file('weights.safetensors'));
  await writeTinyClassifier(file('classifier.safetensors'), file('weights.safetensors'));
  for (const i of [0, 1]) await writeSquareVideo(file(`v${i}.avi`), (t) => [10 * i, 2 * t]);
});

async function withClassifier(use: (classifier: Classifier) => Promise<void>): Promise<void> {
  const classifier = await Classifier.load(file('classifier.safetensors'), { precision: 'fp32' });
  try {
    await use(classifier);
  } finally {
    await classifier.dispose();
  }
}

test('a label of whatever a video may be', (t) =>
  withClassifier(async (classifier) => {
    t.deepEqual(classifier.classes, ['left', 'right']);
    t.is(classifier.heldOut.clips, 4);
    const whole = await classifier.predict(file('v0.avi'));
    // scores are x + 0.5 and -x - 0.5, at temperature 2
    const chance = 1 / (1 + Math.exp(-(whole.vector[0]! + 0.5)));
    t.true(Math.abs(whole.probabilities.left! - chance) < 1e-6);
    t.is(whole.label, whole.guess);
    t.deepEqual(whole.warnings, []);
    for (const video of [readFileSync(file('v0.avi')), createReadStream(file('v0.avi'))])
      t.deepEqual((await classifier.predict(video)).probabilities, whole.probabilities);
    const frames = { frames: squareFrames(8, 32, 32, () => [4, 4]), shape: [8, 32, 32, 3] as const };
    t.is(typeof (await classifier.predict(frames)).guess, 'string');
    t.deepEqual(await classifier.classify(whole.vector), {
      label: whole.label,
      guess: whole.guess,
      confidence: whole.confidence,
      probabilities: whole.probabilities,
    });
  }));

test('many videos: in order, and one that cannot be used ends nothing', (t) =>
  withClassifier(async (classifier) => {
    const all = await classifier.predict([file('v0.avi'), file('gone.avi'), file('v1.avi')]);
    t.deepEqual(
      all.map((one) => ['error' in one ? one.error.code : 'label', one.index]),
      [
        ['label', 0],
        ['ERR_VSSL_VIDEO_OPEN', 1],
        ['label', 2],
      ],
    );
    t.deepEqual(await classifier.predict([]), []);
    const streamed: string[] = [];
    for await (const { path } of classifier.predictMany([file('v1.avi')])) streamed.push(path);
    t.deepEqual(streamed, [file('v1.avi')]);
  }));

test('below minConfidence there is a guess and no label', (t) =>
  withClassifier(async (classifier) => {
    const { label, guess, confidence } = await classifier.predict(file('v0.avi'), { minConfidence: 1 });
    t.is(label, null);
    t.true(confidence < 1 && ['left', 'right'].includes(guess));
    await t.throwsAsync(classifier.predict(file('v0.avi'), { minConfidence: 2 }), {
      code: 'ERR_VSSL_INVALID_ARGUMENT',
      message: /minConfidence/,
    });
  }));

test('an aborted call ends with its reason; vectors of another length are refused', (t) =>
  withClassifier(async (classifier) => {
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    t.is(await t.throwsAsync(classifier.predict(file('v0.avi'), { signal })), reason);
    t.is(await t.throwsAsync(classifier.predict([file('v0.avi')], { signal })), reason);
    await t.throwsAsync(classifier.classify(new Float32Array(3)), {
      code: 'ERR_VSSL_INVALID_ARGUMENT',
      message: /64 numbers/,
    });
    await t.throwsAsync(classifier.predict(3 as never), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  }));

test('calls at once, and none after dispose', async (t) => {
  const classifier = await Classifier.load(file('classifier.safetensors'));
  const calls = [0, 1, 0, 1].map((i) => classifier.predict(file(`v${i}.avi`)));
  const disposed = classifier.dispose();
  const [a, b, c] = await Promise.all(calls);
  t.deepEqual(a, c);
  t.notDeepEqual(a!.vector, b!.vector);
  await disposed;
  await classifier.dispose();
  await t.throwsAsync(classifier.predict(file('v0.avi')), { code: 'ERR_VSSL_DISPOSED' });
});

test('an encoder that moved has to be named, and has to be the same one', async (t) => {
  mkdirSync(file('moved'));
  await writeTinyWeights(file('moved/old.safetensors'));
  await writeTinyClassifier(file('moved/classifier.safetensors'), file('moved/old.safetensors'));
  renameSync(file('moved/old.safetensors'), file('moved/new.safetensors'));
  await t.throwsAsync(Classifier.load(file('moved/classifier.safetensors')), {
    code: 'ERR_VSSL_FILE',
    message: /say where it is now/,
  });
  const weights = file('moved/new.safetensors');
  const classifier = await Classifier.load(file('moved/classifier.safetensors'), { weights });
  await classifier.dispose();
  await writeTinyWeights(file('moved/other.safetensors'), { step: 8 });
  await t.throwsAsync(
    Classifier.load(file('moved/classifier.safetensors'), { weights: file('moved/other.safetensors') }),
    { code: 'ERR_VSSL_CLASSIFIER', message: /another encoder/ },
  );
  await t.throwsAsync(Classifier.load(file('weights.safetensors')), {
    code: 'ERR_VSSL_CLASSIFIER',
    message: /predict --model/,
  });
});
