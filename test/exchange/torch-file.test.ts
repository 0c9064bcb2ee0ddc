// What torch.save writes, now and before 2020: test/fixtures/exchange/make_fixture.py made the files.
import { writeFile } from 'node:fs/promises';
import test from 'ava';
import { readForeignTensors } from '#src/exchange/read-tensors.js';
import { readTorchFile } from '#src/exchange/torch-file.js';
import { readEncoderFile } from '#src/weights/encoder-file.js';
import { widen } from '#src/weights/float-types.js';
import { isTorchFile } from '#src/weights/safetensors.js';
import { scratch } from '../embed/make-videos.js';
import { fixture } from './make-weights.js';

const { file, remove } = scratch();
test.after.always(remove);

const base = Array.from({ length: 24 }, (_, i) => i);
const turned = Array.from({ length: 24 }, (_, i) => {
  const [x, y, z] = [Math.floor(i / 6), Math.floor(i / 2) % 3, i % 2];
  return z * 12 + y * 4 + x;
});

for (const name of ['torch-zip.pth', 'torch-old.pth'])
  test(`${name}: tensors of every type, views of others, and nothing else`, (t) => {
    const bytes = fixture(name);
    t.true(isTorchFile(bytes));
    const tensors = readTorchFile(bytes);
    const told = tensors.map(({ name, dtype, shape }) => `${name} ${dtype} ${shape.join('x')}`);
    t.deepEqual(told, [
      'model_state.plain F32 2x3x4',
      'model_state.transposed F32 4x3x2',
      'model_state.part F32 3x4',
      'model_state.half F16 2x3x4',
      'model_state.bfloat BF16 2x3x4',
      'model_state.double F64 2x3x4',
      'model_state.count I64 ',
      'model_state.parameter F32 2',
      'optimizer.state.0.momentum_buffer F32 2',
    ]);
    const values = (index: number) => [
      ...new Float32Array(new Uint8Array(widen(tensors[index]!).data).buffer),
    ];
    t.deepEqual(values(0), base);
    t.deepEqual(values(1), turned);
    t.deepEqual(values(2), base.slice(12));
    t.deepEqual(values(3), base);
    t.deepEqual(values(4), base);
    t.deepEqual(
      values(5),
      base.map((value) => Math.fround(value / 3)),
    );
    t.is(new DataView(tensors[6]!.data.buffer).getBigInt64(0, true), 7n);
    t.deepEqual(values(8), [5, 5]);
  });

test('what cannot be read says so, with the lines of Python that help', async (t) => {
  const path = file('a.pth');
  const refused = async (bytes: Uint8Array, why: RegExp) => {
    await writeFile(path, bytes);
    const error = await t.throwsAsync(readForeignTensors(path), { code: 'ERR_VSSL_WEIGHTS' });
    t.regex(error!.message, why);
    t.regex(error!.message, /torch\.load\(PATH, weights_only=True\)/);
  };
  for (const name of ['torch-zip.pth', 'torch-old.pth']) {
    const whole = fixture(name);
    for (const share of [0.2, 0.5, 0.9, 0.999])
      await refused(whole.subarray(0, Math.floor(share * whole.length)), /cut off|damaged|beyond/);
  }
  const refusedObject = (object: string, why: RegExp) => refused(oldFile(object), why);
  await refusedObject('c__main__\nNet\n)\x81}b.', /a __main__\.Net, a whole Python object/);
  await refusedObject('].', /something else, not a dictionary/);
  await refusedObject('\xff.', /unknown instruction 255/);
  await refusedObject('h\x07.', /was not there before/);
  await refusedObject('R.', /stack is empty/);
  await refusedObject('}e.', /no mark/);
  await refusedObject('\x8a\xff.', /of 255 bytes/);
  await refused(Buffer.from('\x80\x02\x8a\x0a0123456789.', 'latin1'), /not one of torch\.save/);
  const huge = 'X\x01\0\0\0aX\x7f\0\0\0';
  await refusedObject(`}${huge}`, /cut off/);
});

test('where an encoder file is expected, a file of torch is told how to become one', async (t) => {
  const path = file('encoder.pth');
  for (const name of ['torch-zip.pth', 'torch-old.pth']) {
    await writeFile(path, fixture(name));
    await t.throwsAsync(readEncoderFile(path), {
      code: 'ERR_VSSL_SAFETENSORS',
      message: /'vssl-native import FILE' makes/,
    });
  }
});

test('a pickle that calls is a record of the call: nothing happens', async (t) => {
  const path = file('call.pth');
  await writeFile(path, oldFile('}X\x01\0\0\0acposix\nsystem\nX\x06\0\0\0exit 1\x85Rs.'));
  t.deepEqual(await readForeignTensors(path), []);
});

/** A file as torch wrote it before 2020, of an object without storages. */
function oldFile(object: string): Buffer {
  const magic = '\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.';
  const parts = [magic, 'M\xe9\x03.', '}.', object, '].'];
  return Buffer.from(parts.map((part) => `\x80\x02${part}`).join(''), 'latin1');
}
