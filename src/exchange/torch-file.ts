/**
 * What torch.save writes (.pth, .pt, .pyth), without Python and without running anything in it. Since 2020 that is a zip
 * archive of stored files: NAME/data.pkl, a pickle, and NAME/data/KEY, the bytes of each storage. Before, five pickles one
 * after another (a magic number, a version, facts of the system, the object, the storages' keys), then for each key 8 bytes
 * of its length and its bytes. Source: torch/serialization.py.
 */
import { types } from 'node:util';
import type { NamedTensor } from '../native/bindings.js';
import { DTYPE_BYTES } from '../weights/safetensors.js';
import { PickleCall, PickleName, type PickleValue, readPickle } from './pickle.js';
import { storedFiles } from './zip.js';

type Dtype = NamedTensor['dtype'];

/** The classes of storages whose numbers are of use. */
const STORAGES: Readonly<Record<string, Dtype>> = {
  'torch.FloatStorage': 'F32',
  'torch.DoubleStorage': 'F64',
  'torch.HalfStorage': 'F16',
  'torch.BFloat16Storage': 'BF16',
  'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32',
  'torch.ByteStorage': 'U8',
  'torch.BoolStorage': 'BOOL',
};

const OLD_MAGIC = Number(0x1950a86a20f9469cfc6cn);
/** Of dictionaries in one another: checkpoints have two or three. */
const MOST_DEPTH = 8;
/** Tensors may share storages; together they have at most so many times the bytes of the file. */
const MOST_SHARED = 8;

/**
 * The tensors of the dictionaries in a file, with the keys that lead to them joined by dots: `model_state.fc.weight`. Throws
 * Error, in words, for what cannot be read.
 */
export function readTorchFile(file: Uint8Array): NamedTensor[] {
  const { root, bytesOf } = file[0] === 0x50 ? readArchive(file) : readOld(file);
  if (!types.isMap(root)) {
    const what = root instanceof PickleCall ? `a ${root.of}, a whole Python object` : 'something else';
    throw new Error(`it holds ${what}, not a dictionary of tensors such as model.state_dict()`);
  }
  return tensorsIn(root, bytesOf, MOST_SHARED * file.byteLength);
}

interface Content {
  readonly root: PickleValue;
  bytesOf(key: string): Uint8Array;
}

function readArchive(file: Uint8Array): Content {
  const files = storedFiles(file);
  const name = [...files.keys()].find((path) => /(^|\/)data\.pkl$/.test(path));
  if (name === undefined) throw new Error('it is an archive without data.pkl');
  const folder = name.slice(0, -'data.pkl'.length);
  const order = files.get(`${folder}byteorder`);
  if (order && Buffer.from(order).toString() !== 'little') throw new Error('its numbers are big endian');
  const { value } = readPickle(files.get(name) as Uint8Array, 0, (id) => new PickleCall('storage', [id]));
  return {
    root: value,
    bytesOf(key) {
      const bytes = files.get(`${folder}data/${key}`);
      if (!bytes) throw new Error(`its storage ${key} is missing`);
      return bytes;
    },
  };
}

function readOld(file: Uint8Array): Content {
  const sizes = new Map<string, number>();
  let at = 0;
  const next = () => {
    const { value, end } = readPickle(file, at, (id) => {
      const { key, dtype } = storageOf(new PickleCall('storage', [id])) ?? {};
      if (key !== undefined) sizes.set(key, DTYPE_BYTES[dtype as Dtype]);
      return new PickleCall('storage', [id]);
    });
    at = end;
    return value;
  };
  if (next() !== OLD_MAGIC) throw new Error('it is a pickle, but not one of torch.save');
  next();
  next();
  const root = next();
  const keys = next();
  const storages = new Map<string, Uint8Array>();
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (const key of Array.isArray(keys) ? keys.map(String) : []) {
    const width = sizes.get(key);
    // of a kind that is of no use: what comes after it cannot be found
    if (width === undefined) throw new Error(`its storage ${key} is of an unknown type`);
    if (at + 8 > file.length) throw new Error('it is cut off');
    const length = Number(view.getBigUint64(at, true)) * width;
    at += 8;
    if (!(length <= file.length - at)) throw new Error('it is cut off');
    storages.set(key, file.subarray(at, at + length));
    at += length;
  }
  return {
    root,
    bytesOf(key) {
      const bytes = storages.get(key);
      if (!bytes) throw new Error(`its storage ${key} is missing`);
      return bytes;
    },
  };
}

/** What a persistent id says: ('storage', class, key, device, length). */
function storageOf(value: PickleValue | undefined): { key: string; dtype: Dtype } | null {
  if (!(value instanceof PickleCall) || value.of !== 'storage') return null;
  const [id] = value.args;
  if (!Array.isArray(id) || id[0] !== 'storage' || !(id[1] instanceof PickleName)) return null;
  const dtype = STORAGES[id[1].name];
  return dtype === undefined ? null : { key: String(id[2]), dtype };
}

function tensorsIn(
  root: Map<PickleValue, PickleValue>,
  bytesOf: Content['bytesOf'],
  mostBytes: number,
): NamedTensor[] {
  const tensors: NamedTensor[] = [];
  let bytes = 0;
  const seen = new Set<PickleValue>();
  const visit = (map: Map<PickleValue, PickleValue>, path: string, depth: number) => {
    // one dictionary may stand in several places, or in itself
    if (seen.has(map) || depth > MOST_DEPTH) return;
    seen.add(map);
    for (const [key, value] of map) {
      const name = path === '' ? String(key) : `${path}.${String(key)}`;
      if (types.isMap(value)) visit(value, name, depth + 1);
      const tensor = tensorOf(name, value, bytesOf);
      if (!tensor) continue;
      tensors.push(tensor);
      bytes += tensor.data.byteLength;
      if (bytes > mostBytes) throw new Error('its tensors are one storage many times over');
    }
  };
  visit(root, '', 0);
  return tensors;
}

/** Null for what is no tensor. */
function tensorOf(name: string, value: PickleValue, bytesOf: Content['bytesOf']): NamedTensor | null {
  if (!(value instanceof PickleCall)) return null;
  if (value.of === 'torch._utils._rebuild_parameter') return tensorOf(name, value.args[0] ?? null, bytesOf);
  if (value.of !== 'torch._utils._rebuild_tensor_v2') return null;
  const [from, offset, size, stride] = value.args;
  const storage = storageOf(from);
  if (!storage) return null;
  const whole = (list: PickleValue | undefined) =>
    Array.isArray(list) && list.every((n) => typeof n === 'number' && Number.isSafeInteger(n) && n >= 0);
  if (!whole(size) || !whole(stride) || !whole([offset as number]))
    throw new Error(`its tensor '${name}' has no shape`);
  const bytes = DTYPE_BYTES[storage.dtype];
  const form = { shape: size as number[], stride: stride as number[], offset: offset as number, bytes };
  const data = gather(bytesOf(storage.key), form, name);
  return { name, dtype: storage.dtype, shape: form.shape, data };
}

interface Strided {
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly offset: number;
  /** Of an element. */
  readonly bytes: number;
}

/** The elements of a tensor in their order, in memory of their own. */
function gather(storage: Uint8Array, { shape, stride, offset, bytes }: Strided, name: string): Uint8Array {
  const there = storage.byteLength / bytes;
  const count = shape.reduce((product, side) => product * side, 1);
  const last = shape.reduce((at, side, i) => at + (side - 1) * (stride[i] ?? 0), offset);
  if (shape.length !== stride.length || count > there || (count > 0 && !(last < there)))
    throw new Error(`its tensor '${name}' reaches beyond its storage`);
  const contiguous = shape.map((_, i) => shape.slice(i + 1).reduce((product, side) => product * side, 1));
  if (count === 0 || shape.every((side, i) => side === 1 || stride[i] === contiguous[i]))
    return new Uint8Array(storage.subarray(offset * bytes, (offset + count) * bytes));
  const out = new Uint8Array(count * bytes);
  for (let i = 0; i < count; i++) {
    let from = offset;
    for (let d = 0, rest = i; d < shape.length; d++) {
      const step = contiguous[d] as number;
      from += Math.floor(rest / step) * (stride[d] as number);
      rest %= step;
    }
    out.set(storage.subarray(from * bytes, (from + 1) * bytes), i * bytes);
  }
  return out;
}
