import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { NamedTensor } from '#src/native/bindings.js';
import {
  encodeSafetensors,
  readSafetensors,
  readSafetensorsMetadata,
  writeSafetensors,
} from '#src/weights/safetensors.js';

const folder = await mkdtemp(join(tmpdir(), 'vssl-safetensors-'));
let files = 0;
const newPath = () => join(folder, `${files++}.safetensors`);

function floats(name: string, shape: number[], values: number[]): NamedTensor {
  return { name, dtype: 'F32', shape, data: new Uint8Array(Float32Array.from(values).buffer) };
}

function bytes(name: string, dtype: NamedTensor['dtype'], shape: number[], data: number[]): NamedTensor {
  return { name, dtype, shape, data: Uint8Array.from(data) };
}

const mixed: NamedTensor[] = [
  bytes('z.flag', 'BOOL', [3], [1, 0, 1]),
  floats('conv.weight', [2, 1, 2], [1, -2, 3.5, 0]),
  bytes('count', 'I64', [], [7, 0, 0, 0, 0, 0, 0, 0]),
  bytes('empty', 'F32', [0, 4], []),
  bytes('0', 'BF16', [2], [0x80, 0x3f, 0, 0]),
  bytes('__proto__', 'U8', [1], [9]),
  bytes('name "quoted" \\ ü', 'I32', [1], [1, 2, 3, 4]),
  bytes('double', 'F64', [1], [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]),
];

test('what is written is read back: names, types, shapes, bytes and metadata', async (t) => {
  const path = newPath();
  const metadata = { format: 'pt', note: 'line\n"two" ü', __proto__x: '' };
  await writeSafetensors(path, mixed, metadata);
  const file = await readSafetensors(path);
  const byName = (list: readonly NamedTensor[]) => [...list].sort((a, b) => (a.name < b.name ? -1 : 1));
  t.deepEqual(byName(file.tensors), byName(mixed));
  t.deepEqual({ ...file.metadata }, metadata);
  t.deepEqual({ ...(await readSafetensorsMetadata(path)) }, metadata);
  for (const { data } of file.tensors) t.is(data.byteOffset % 8, 0);
  t.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('a file without tensors and without metadata is fine', async (t) => {
  const path = newPath();
  await writeSafetensors(path, []);
  t.deepEqual(await readSafetensors(path), { tensors: [], metadata: {} });
});

test('layout: data starts at a multiple of 64, wide types first, without holes', async (t) => {
  const path = newPath();
  await writeSafetensors(path, mixed, { a: 'b' });
  const file = await readFile(path);
  const length = Number(file.readBigUInt64LE(0));
  t.is((8 + length) % 64, 0);
  const header = JSON.parse(file.toString('utf8', 8, 8 + length)) as Record<
    string,
    { dtype: string; data_offsets: [number, number] }
  >;
  const entries = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([, entry]) => entry)
    .sort((a, b) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1]);
  let at = 0;
  const width: Record<string, number> = { F64: 8, I64: 8, F32: 4, I32: 4, BF16: 2, U8: 1, BOOL: 1 };
  for (const { dtype, data_offsets } of entries) {
    t.is(data_offsets[0], at);
    t.is(at % width[dtype]!, 0, dtype);
    at = data_offsets[1];
  }
  t.is(8 + length + at, file.length);
});

test('the order in which tensors are given leaves no trace in the data area', (t) => {
  const data = (tensors: NamedTensor[]) => Buffer.concat(encodeSafetensors(tensors).slice(1));
  t.deepEqual(data(mixed), data([...mixed].reverse()));
});

test('reads the layout of the Python package: header in data order, padded to 8', async (t) => {
  const header =
    '{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}}';
  const text = Buffer.from(header.padEnd(Math.ceil(header.length / 8) * 8, ' '));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  const path = newPath();
  await writeFile(
    path,
    Buffer.concat([prefix, text, Buffer.from(Float32Array.of(1, 2).buffer), Buffer.of(5)]),
  );
  const { tensors, metadata } = await readSafetensors(path);
  t.deepEqual({ ...metadata }, { format: 'pt' });
  t.deepEqual(tensors, [floats('b', [2], [1, 2]), bytes('a', 'U8', [1], [5])]);
});

test('wrong tensors are refused before anything is written', async (t) => {
  const path = newPath();
  const refuse = (tensors: unknown[], metadata = {}) =>
    t.throwsAsync(writeSafetensors(path, tensors as NamedTensor[], metadata), {
      code: 'ERR_VSSL_INVALID_ARGUMENT',
    });
  await refuse([floats('a', [3], [1, 2])]);
  await refuse([floats('a', [1], [1]), floats('a', [1], [1])]);
  await refuse([floats('__metadata__', [1], [1])]);
  await refuse([{ ...floats('a', [1], [1]), dtype: 'F16' }]);
  await refuse([floats('a', [-1], [])]);
  await refuse([floats('a', [0.5], [])]);
  await refuse([], { a: 1 });
  await t.throwsAsync(readFile(path), { code: 'ENOENT' });
});

/** A file of this header text and so many bytes of data. */
async function writeRaw(header: string | Buffer, data = 0, claimed?: bigint): Promise<string> {
  const text = Buffer.from(header);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(claimed ?? BigInt(text.length));
  const path = newPath();
  await writeFile(path, Buffer.concat([prefix, text, Buffer.alloc(data)]));
  return path;
}

const entry = (dtype: string, shape: string, offsets: string) =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;

const hostile: Record<string, () => Promise<string>> = {
  'header longer than the file': () => writeRaw('{}', 0, 1000n),
  'header of 2^63 bytes': () => writeRaw('{}', 0, 1n << 63n),
  'header just over the limit': () => writeRaw('{}', 0, 100_000_001n),
  'no JSON': () => writeRaw('{"a":'),
  'not UTF-8': () => writeRaw(Buffer.from([0x7b, 0xff, 0xfe, 0x7d])),
  'header is a list': () => writeRaw('[1,2]'),
  'header is null': () => writeRaw('null'),
  'entry is a number': () => writeRaw('{"a":1}'),
  'unknown type': () => writeRaw(`{"a":${entry('F8', '[1]', '[0,1]')}}`, 1),
  'type is a property of every object': () => writeRaw(`{"a":${entry('toString', '[1]', '[0,1]')}}`, 1),
  'negative extent': () => writeRaw(`{"a":${entry('U8', '[-1]', '[0,0]')}}`),
  'extent that is no whole number': () => writeRaw(`{"a":${entry('U8', '[1.5]', '[0,1]')}}`, 1),
  'extent that is text': () => writeRaw(`{"a":${entry('U8', '["1"]', '[0,1]')}}`, 1),
  'product that overflows': () => writeRaw(`{"a":${entry('F32', '[4294967296,4294967296]', '[0,0]')}}`),
  'size that does not match': () => writeRaw(`{"a":${entry('F32', '[2]', '[0,4]')}}`, 4),
  'negative offset': () => writeRaw(`{"a":${entry('U8', '[1]', '[-1,0]')}}`, 0),
  'end before begin': () => writeRaw(`{"a":${entry('U8', '[1]', '[2,1]')}}`, 2),
  'offsets that are missing': () => writeRaw('{"a":{"dtype":"U8","shape":[1]}}', 1),
  'three offsets': () => writeRaw(`{"a":${entry('U8', '[1]', '[0,1,2]')}}`, 1),
  'data past the end': () => writeRaw(`{"a":${entry('U8', '[8]', '[0,8]')}}`, 4),
  'a hole': () => writeRaw(`{"a":${entry('U8', '[1]', '[0,1]')},"b":${entry('U8', '[1]', '[2,3]')}}`, 3),
  'an overlap': () => writeRaw(`{"a":${entry('U8', '[2]', '[0,2]')},"b":${entry('U8', '[2]', '[1,3]')}}`, 3),
  'bytes that belong to nothing': () => writeRaw(`{"a":${entry('U8', '[1]', '[0,1]')}}`, 2),
  'metadata that is a list': () => writeRaw('{"__metadata__":[]}'),
  'metadata that is a number': () => writeRaw('{"__metadata__":{"a":1}}'),
  'an empty file': async () => {
    const path = newPath();
    await writeFile(path, '');
    return path;
  },
  'a truth value of 2': async () => {
    const header = `{"a":${entry('BOOL', '[1]', '[0,1]')}}`;
    const path = await writeRaw(header, 1);
    const file = await readFile(path);
    file[file.length - 1] = 2;
    await writeFile(path, file);
    return path;
  },
  'a folder': async () => folder,
};

for (const [what, make] of Object.entries(hostile))
  test(`refuses ${what}`, async (t) => {
    const path = await make();
    const error = await t.throwsAsync(readSafetensors(path), { code: 'ERR_VSSL_SAFETENSORS' });
    t.true(error!.message.includes(path));
  });

test('an absent file is named', async (t) => {
  await t.throwsAsync(readSafetensors(join(folder, 'none')), {
    code: 'ERR_VSSL_FILE',
    message: /no such file/,
  });
});

test('cutting a good file anywhere gives an error, never a crash', async (t) => {
  const whole = Buffer.concat(encodeSafetensors(mixed, { a: 'b' }));
  const path = newPath();
  for (let length = 0; length < whole.length; length += 7) {
    await writeFile(path, whole.subarray(0, length));
    await t.throwsAsync(readSafetensors(path), { code: 'ERR_VSSL_SAFETENSORS' });
  }
});

const python = process.env.PYTHON ?? 'python3';
const hasPeer = spawnSync(python, ['-c', 'import safetensors, numpy']).status === 0;
(hasPeer ? test : test.skip)('the Python package reads what is written here', async (t) => {
  const path = newPath();
  const known = mixed.filter(({ dtype }) => dtype !== 'BF16'); // numpy has no such type
  await writeSafetensors(path, known, { k: 'v' });
  const script = `
import json, sys
from safetensors import safe_open
with safe_open(sys.argv[1], framework='np') as f:
    print(json.dumps([f.metadata(), {k: [str(f.get_tensor(k).dtype), list(f.get_tensor(k).shape), f.get_tensor(k).tobytes().hex()] for k in f.keys()}]))`;
  const run = spawnSync(python, ['-c', script, path], { encoding: 'utf8' });
  const [metadata, tensors] = JSON.parse(run.stdout) as [unknown, Record<string, [string, number[], string]>];
  t.deepEqual(metadata, { k: 'v' });
  const numpy: Record<string, string> = {
    F64: 'float64',
    F32: 'float32',
    I64: 'int64',
    I32: 'int32',
    U8: 'uint8',
    BOOL: 'bool',
  };
  for (const { name, dtype, shape, data } of known)
    t.deepEqual(tensors[name], [numpy[dtype]!, [...shape], Buffer.from(data).toString('hex')], name);
});
