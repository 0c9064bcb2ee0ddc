/**
 * Readers of files that come from elsewhere, each with sound files to start from. The promise that is tried: whatever
 * the bytes, a reader gives a sound value or a VsslError, soon, and within bounded memory.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseSetting, readConfigFile } from '#src/config/read-file.js';
import { FactsIndex } from '#src/data/facts-index.js';
import { loadManifest } from '#src/data/manifest.js';
import { parseQuery } from '#src/data/manifest-query.js';
import { VsslError } from '#src/errors.js';
import { adoptWeights } from '#src/exchange/adopt.js';
import { readForeignTensors } from '#src/exchange/read-tensors.js';
import { resolveConfig, type TrainConfig } from '#src/methods/config.js';
import type { NamedTensor } from '#src/native/bindings.js';
import { checkpointPath, readCheckpoint, writeCheckpoint } from '#src/weights/checkpoint.js';
import { describeEncoder, readEncoderDescription, readEncoderFile } from '#src/weights/encoder-file.js';
import { encodeSafetensors, readSafetensors, readSafetensorsMetadata } from '#src/weights/safetensors.js';
import { fixture } from '../exchange/make-weights.js';
import { makeTar } from '../helpers/make-tar.js';

export interface FuzzTarget {
  readonly name: string;
  /** Sound files. */
  seeds(folder: string): Promise<Buffer[]>;
  /** Reads a file of these bytes in `folder`. Throws what breaks the promise. */
  tryOne(bytes: Buffer, folder: string): Promise<void>;
}

/** Awaits `read`, which may fail with a VsslError only. */
async function mayRefuse<T>(read: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof VsslError && error.code.startsWith('ERR_VSSL_') && error.message !== '')
      return undefined;
    throw error;
  }
}

const tensors: NamedTensor[] = [
  { name: 'conv.weight', dtype: 'F32', shape: [2, 3], data: new Uint8Array(24).fill(1) },
  { name: '0', dtype: 'BOOL', shape: [3], data: Uint8Array.of(0, 1, 1) },
  { name: 'steps', dtype: 'I64', shape: [], data: new Uint8Array(8) },
  { name: 'empty', dtype: 'BF16', shape: [0, 4], data: new Uint8Array(0) },
];

const safetensors: FuzzTarget = {
  name: 'safetensors',
  async seeds(folder) {
    const description = describeEncoder({
      method: 'cvrl',
      encoder: 'encoder',
      model: { arch: 'r3d_18', width: 0.25 },
      clip: { frames: 8, stride: 2, size: 56, fps: 12.5 },
      input: 'rgb',
      mean: [0.4, 0.4, 0.4],
      std: [0.2, 0.2, 0.2],
      shrink: 'auto',
      step: 5,
    });
    await writeCheckpoint(folder, { step: 3, state: { epoch: 1, é: null }, tensors }, { keep: 1 });
    return [
      Buffer.concat(encodeSafetensors(tensors)),
      Buffer.concat(encodeSafetensors(tensors, description)),
      Buffer.concat(encodeSafetensors([], { a: 'b' })),
      await readFile(checkpointPath(folder, 3)),
    ];
  },
  async tryOne(bytes, folder) {
    const path = join(folder, 'a.safetensors');
    writeFileSync(path, bytes);
    const file = await mayRefuse(() => readSafetensors(path));
    for (const { shape, data } of file?.tensors ?? [])
      if (data.byteLength > bytes.length || shape.some((side) => !Number.isSafeInteger(side)))
        throw new Error('a tensor that is larger than its file');
    await mayRefuse(() => readSafetensorsMetadata(path));
    await mayRefuse(() => readEncoderFile(path));
    await mayRefuse(() => readEncoderDescription(path));
    await mayRefuse(() => readCheckpoint(path));
  },
};

const manifest: FuzzTarget = {
  name: 'manifest',
  async seeds() {
    return [
      'path,label,group,start,end\na.mp4,walk,g1,0,2.5\n"b, c.avi",run,"g ""2""",,\nsub\\d.mkv,,,1,\n',
      'path,frames,height,width,fps,flow\na.rgb8,9,16,16,25,a.flow16\npictures,,,,12,\n',
      '\uFEFFpath;label\r\na.mp4;x\r\n',
      'path\tlabel\na.mp4\tx\n',
      '{"path":"a.mp4","label":"walk","start":0.5,"end":2}\n{"path":"b.mp4","label":3,"x":[1,{"y":null}]}\n',
      'group=set1_*,c0?&label=walk&a%3D=b%2C',
    ].map((text) => Buffer.from(text));
  },
  async tryOne(bytes, folder) {
    for (const name of ['a.csv', 'a.jsonl', 'a.tsv']) {
      const path = join(folder, name);
      writeFileSync(path, bytes);
      const rows = (await mayRefuse(() => loadManifest(path)))?.rows ?? [];
      for (const row of rows)
        if (typeof row.id !== 'string' || row.path === '' || (row.start !== undefined && !(row.start >= 0)))
          throw new Error(`an unsound row: ${JSON.stringify(row)}`);
      await mayRefuse(() => loadManifest(`${path}?${bytes.subarray(0, 80).toString('latin1')}`));
    }
    await mayRefuse(() => parseQuery(bytes.toString('utf8'), 'a.csv'));
  },
};

const tar: FuzzTarget = {
  name: 'tar',
  async seeds() {
    const video = { name: 'dog/001.mp4', body: Buffer.alloc(700, 'v') };
    const json = { name: 'dog/001.json', body: '{"label":"dog","start":0.5,"end":2,"x":{"y":null}}' };
    const deep = { name: `${'folder/'.repeat(30)}a.mp4`, body: 'x' };
    return [
      makeTar([video, json, { name: 'dog/001.cls', body: '3' }]),
      makeTar([json, { ...deep, long: 'gnu' }, { ...deep, long: 'pax', pax: { size: '1' } }]),
      makeTar([{ name: 'a.mp4', type: 'S' }, { name: 'b.mp4', type: '1' }, { name: 'c/', type: '5' }, video]),
    ];
  },
  async tryOne(bytes, folder) {
    const path = join(folder, 'a.tar');
    writeFileSync(path, bytes);
    await mayRefuse(() => loadManifest(path));
    const rows = (await mayRefuse(() => loadManifest(`tar:${path}?damaged=skip`)))?.rows ?? [];
    for (const { source, id, start } of rows) {
      const sound = source.kind === 'member' && source.offset >= 512 && source.size >= 0;
      if (
        !sound ||
        source.offset + source.size > bytes.length ||
        id === '' ||
        (start !== undefined && !(start >= 0))
      )
        throw new Error(`an unsound row: ${JSON.stringify({ id, source })}`);
    }
  },
};

const config: FuzzTarget = {
  name: 'config',
  async seeds() {
    return [
      'extends: cvrl-tiny\ntrain:\n  batch: 8\n  steps: 10\ncvrl: { samplingPower: 1 }\n',
      'method: moco\nmodel: { arch: r3d_18, width: 0.25 }\ndata:\n  clip: { frames: 8, stride: 2, size: 56 }\n  shrink: auto\n',
      '{"method":"simclr","train":{"batch":4,"optimizer":{"name":"sgd","lr":0.1},"precision":"fp32"},"log":{"every":1}}',
      'base: &a { lr: 1 }\ntrain:\n  optimizer: *a\n  <<: *a\n# note\ntext: |\n  lines\n  of it\n',
      '{"formatVersion":1,"run":{"seed":1},"method":"tcgl","data":{"onError":"skip"}}',
      'train.batch=[1, {a: 2}]',
    ].map((text) => Buffer.from(text));
  },
  async tryOne(bytes, folder) {
    for (const name of ['a.yaml', 'a.json']) {
      const path = join(folder, name);
      writeFileSync(path, bytes);
      const raw = await mayRefuse(() => readConfigFile(path));
      if (raw !== undefined) await mayRefuse(() => resolveConfig(raw as TrainConfig));
    }
    const setting = await mayRefuse(() => parseSetting(bytes.toString('utf8')));
    if (setting) await mayRefuse(() => resolveConfig({ extends: 'cvrl-tiny', ...setting } as TrainConfig));
    if (Object.hasOwn(Object.prototype, 'polluted'))
      throw new Error('the prototype of all objects was changed');
  },
};

/** Facts that a fresh look gives. */
const LOOKED = {
  codec: 'h264',
  width: 8,
  height: 6,
  times: Float64Array.of(0, 0.04),
  end: 0.08,
  warnings: [],
};

const facts: FuzzTarget = {
  name: 'facts',
  async seeds(folder) {
    const times = [
      Float64Array.from({ length: 40 }, (_, i) => i / 25),
      Float64Array.of(0, 0.1, 0.25, Math.PI),
      Float64Array.of(0),
    ];
    const seeds: Buffer[] = [];
    for (const [i, list] of times.entries()) {
      const cacheFile = join(folder, `seed${i}.jsonl`);
      const path = videoIn(folder);
      const index = await FactsIndex.open({
        readFacts: async () => ({ ...LOOKED, path, times: list, end: 4 }),
        cacheFile,
        generation: 'g',
      });
      await index.get(rowOf(path));
      await index.flush();
      seeds.push(await readFile(cacheFile));
    }
    return [...seeds, Buffer.concat(seeds)];
  },
  async tryOne(bytes, folder) {
    const cacheFile = join(folder, 'facts.jsonl');
    const path = videoIn(folder);
    writeFileSync(cacheFile, bytes);
    const index = await FactsIndex.open({
      readFacts: async () => ({ ...LOOKED, path }),
      cacheFile,
      generation: 'g',
    });
    // Whatever the cache says: facts that can be used, looked for anew if need be.
    const got = await index.get(rowOf(path));
    await index.flush();
    const rising = got.times.every(
      (time, i) => Number.isFinite(time) && (i === 0 || time >= (got.times[i - 1] as number)),
    );
    if (!(got.times instanceof Float64Array) || got.times.length === 0 || !rising)
      throw new Error(`unsound times: ${String(got.times).slice(0, 200)}`);
    if (
      typeof got.codec !== 'string' ||
      !(got.width >= 1) ||
      !(got.height >= 1) ||
      !(got.end >= (got.times.at(-1) as number))
    )
      throw new Error(`unsound facts: ${JSON.stringify({ ...got, times: undefined }).slice(0, 300)}`);
    if (!got.warnings.every((warning) => typeof warning === 'string'))
      throw new Error('a warning that is no text');
  },
};

const torch: FuzzTarget = {
  name: 'torch',
  async seeds() {
    return [fixture('torch-zip.pth'), fixture('torch-old.pth')];
  },
  async tryOne(bytes, folder) {
    const path = join(folder, 'a.pth');
    writeFileSync(path, bytes);
    const tensors = (await mayRefuse(() => readForeignTensors(path))) ?? [];
    const total = tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
    if (total > 9 * bytes.length) throw new Error(`${total} bytes of tensors in ${bytes.length}`);
    await mayRefuse(() => adoptWeights(path, tensors, { arch: 'r3d_10', width: 1 / 64 }));
  },
};

/** A file that stands for a video, always with the same stamp, so that a stored line is believed. */
function videoIn(folder: string): string {
  const path = join(folder, 'a.mp4');
  if (!existsSync(path)) writeFileSync(path, 'video');
  return path;
}

function rowOf(path: string) {
  const none = { label: undefined, group: undefined, start: undefined, end: undefined, extra: {} };
  return { id: basename(path), path, ...none, source: { kind: 'file' as const, path } };
}

export const TARGETS: readonly FuzzTarget[] = [safetensors, torch, manifest, tar, config, facts];

export interface FuzzFinding {
  readonly bytes: Buffer;
  readonly error: Error;
}

/**
 * Slowest that any one input may be, in milliseconds of the processor (a busy machine is no fault of the input): many times
 * what the largest of them takes.
 */
const MOST_MILLISECONDS = 5000;

/** Tries `extra` and then mutations of the seeds until `until` says so. Gives the first finding, and how many ran. */
export async function fuzz(
  target: FuzzTarget,
  seed: number,
  until: (runs: number) => boolean,
): Promise<{ runs: number; finding?: FuzzFinding }> {
  const { makeRandom, mutate } = await import('./mutate.js');
  const folder = mkdtempSync(join(tmpdir(), 'vssl-fuzz-'));
  try {
    const random = makeRandom(seed);
    const seeds = await target.seeds(folder);
    const pick = () => seeds[random(seeds.length)] as Buffer;
    let runs = 0;
    for (; !until(runs); runs++) {
      const bytes = runs < seeds.length ? (seeds[runs] as Buffer) : mutate(pick(), pick(), random);
      const started = process.cpuUsage();
      try {
        await target.tryOne(bytes, folder);
        const { user, system } = process.cpuUsage(started);
        const took = (user + system) / 1000;
        if (took > MOST_MILLISECONDS) throw new Error(`took ${took.toFixed(0)} ms`);
      } catch (error) {
        return { runs, finding: { bytes, error: error as Error } };
      }
    }
    return { runs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
