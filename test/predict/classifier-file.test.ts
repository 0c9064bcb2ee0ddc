import { readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { isReplaceable, readClassifierFile, writeClassifierFile } from '#src/predict/classifier-file.js';
import { knnHead } from '#src/predict/heads.js';
import { readSafetensors, writeSafetensors } from '#src/weights/safetensors.js';
import { scratch, writeTinyWeights } from '../embed/make-videos.js';
import { gaussians, tinyModel } from './make-classifier.js';

const { file, remove } = scratch();
test.after.always(remove);
test.before(() => writeTinyWeights(file('weights.safetensors')));

test('what is written is read, and the file says where its encoder is without naming a place of this machine', async (t) => {
  const linear = await tinyModel(file('weights.safetensors'));
  await writeClassifierFile(file('linear.safetensors'), linear);
  t.deepEqual(await readClassifierFile(file('linear.safetensors')), linear);
  const { metadata } = await readSafetensors(file('linear.safetensors'));
  t.is(metadata.encoder_weights, 'weights.safetensors');
  t.false(JSON.stringify(metadata).includes(file('')));
  const { features, labels } = gaussians({ seed: 1, rows: 10, classes: 2, dim: 64, apart: 2 });
  const knn = { ...linear, head: knnHead(features, labels, 2, 3) };
  await writeClassifierFile(file('knn.safetensors'), knn);
  t.deepEqual(await readClassifierFile(file('knn.safetensors')), knn);
});

test('a file that is cut anywhere is refused', async (t) => {
  await writeClassifierFile(file('whole.safetensors'), await tinyModel(file('weights.safetensors')));
  const whole = readFileSync(file('whole.safetensors'));
  for (const size of [0, 5, 100, whole.length - 100, whole.length - 1]) {
    writeFileSync(file('cut.safetensors'), whole.subarray(0, size));
    await t.throwsAsync(
      readClassifierFile(file('cut.safetensors')),
      { code: 'ERR_VSSL_SAFETENSORS' },
      `${size}`,
    );
  }
  await t.throwsAsync(readClassifierFile(file('absent.safetensors')), { code: 'ERR_VSSL_FILE' });
});

test('files of a newer format, of something else, and with wrong entries are refused with their name', async (t) => {
  await writeClassifierFile(file('good.safetensors'), await tinyModel(file('weights.safetensors')));
  const { tensors, metadata } = await readSafetensors(file('good.safetensors'));
  const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
  const cases: [entry: string, value: string | undefined, message: RegExp][] = [
    ['format', 'vssl-encoder', /predict --model/],
    ['format_version', '2', /format 2.*update vssl-native/],
    ['kind', 'tree', /'kind'/],
    ['classes', '["a"]', /'classes'/],
    ['classes', '["a","a"]', /'classes'/],
    ['classes', '["a","b","c"]', /'weights'/],
    ['classes', '{', /'classes'/],
    ['temperature', '0', /'temperature'/],
    ['temperature', undefined, /'temperature'/],
    ['temperature', 'NaN', /'temperature'/],
    ['encoder_digest', 'sha256:12', /'encoder_digest'/],
    ['clips', '0', /'clips'/],
    ['crops', '2', /'crops'/],
    ['held_out', 'null', /'held_out'/],
    ['kind', 'knn', /'features'/],
  ];
  for (const [entry, value, message] of cases) {
    const { [entry]: _, ...rest } = metadata;
    const wrong = value === undefined ? rest : { ...rest, [entry]: value };
    await writeSafetensors(file('wrong.safetensors'), tensors, wrong);
    const error = await t.throwsAsync(readClassifierFile(file('wrong.safetensors')), { message }, entry);
    t.is((error as { code?: string }).code, 'ERR_VSSL_CLASSIFIER');
    t.true(error!.message.includes('wrong.safetensors'));
  }
  const [, bias] = ['weights', 'bias'].map((name) => tensors.find((tensor) => tensor.name === name)!);
  for (const data of [floats(1, Number.NaN), floats(1, Number.POSITIVE_INFINITY)]) {
    const other = tensors.map((tensor) => (tensor === bias ? { ...bias, data } : tensor));
    await writeSafetensors(file('wrong.safetensors'), other, metadata);
    await t.throwsAsync(readClassifierFile(file('wrong.safetensors')), { message: /'bias'.*finite/ });
  }
});

test('a classifier may be replaced, weights may not', async (t) => {
  await writeClassifierFile(file('old.safetensors'), await tinyModel(file('weights.safetensors')));
  t.true(await isReplaceable(file('old.safetensors')));
  t.true(await isReplaceable(file('absent.safetensors')));
  t.false(await isReplaceable(file('weights.safetensors')));
});
