import { spawnSync } from 'node:child_process';
import { mkdtemp, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { NamedTensor } from '#src/native/bindings.js';
import type { WriteOperations } from '#src/weights/atomic-write.js';
import {
  checkpointPath,
  latestCheckpoint,
  listCheckpoints,
  readCheckpoint,
  removeTemporaryFiles,
  writeCheckpoint,
} from '#src/weights/checkpoint.js';

const newFolder = () => mkdtemp(join(tmpdir(), 'vssl-checkpoint-'));

function tensors(value: number): NamedTensor[] {
  return [
    {
      name: 'w',
      dtype: 'F32',
      shape: [1000],
      data: new Uint8Array(new Float32Array(1000).fill(value).buffer),
    },
  ];
}

const at = (step: number) => ({ step, state: { epoch: 3, quarantine: ['ü'] }, tensors: tensors(step) });

test('a checkpoint is read back as it was written', async (t) => {
  const folder = await newFolder();
  const path = await writeCheckpoint(folder, at(12), { keep: 3 });
  t.is(path, checkpointPath(folder, 12));
  t.deepEqual(await readCheckpoint(path), at(12));
});

test('the last K stay', async (t) => {
  const folder = await newFolder();
  for (const step of [5, 10, 15, 20]) await writeCheckpoint(folder, at(step), { keep: 2 });
  t.deepEqual(
    (await listCheckpoints(folder)).map(({ step }) => step),
    [15, 20],
  );
  t.is((await latestCheckpoint(folder))?.step, 20);
});

test('steps are ordered as numbers', async (t) => {
  const folder = await newFolder();
  for (const step of [2_000_000_000, 999_999_999]) await writeCheckpoint(folder, at(step), { keep: 5 });
  t.is((await latestCheckpoint(folder))?.step, 2_000_000_000);
});

test('a damaged checkpoint is passed over for the one before', async (t) => {
  const folder = await newFolder();
  for (const step of [1, 2, 3]) await writeCheckpoint(folder, at(step), { keep: 5 });
  const [first, second, third] = [1, 2, 3].map((step) => checkpointPath(folder, step)) as [
    string,
    string,
    string,
  ];
  const bytes = await readFile(third);
  bytes[bytes.length - 100]! ^= 1;
  await writeFile(third, bytes);
  await writeFile(second, (await readFile(second)).subarray(0, 500));
  const damaged: string[] = [];
  const found = await latestCheckpoint(folder, (error) => damaged.push(error.message));
  t.is(found?.step, 1);
  t.is(damaged.length, 2);
  t.true(damaged[0]!.includes(third) && damaged[0]!.includes('checksum'));
  await writeFile(first, '');
  await t.throwsAsync(latestCheckpoint(folder), { code: 'ERR_VSSL_CHECKPOINT', message: /none of the 3/ });
});

test('any single changed byte is noticed', async (t) => {
  const folder = await newFolder();
  const small = {
    ...at(7),
    tensors: tensors(7).map((x) => ({ ...x, shape: [4], data: x.data.slice(0, 16) })),
  };
  const path = await writeCheckpoint(folder, small, { keep: 1 });
  const whole = await readFile(path);
  const good = await readCheckpoint(path);
  for (let i = 0; i < whole.length; i++) {
    const changed = Buffer.from(whole);
    changed[i]! ^= 0x41;
    await writeFile(path, changed);
    const read = await readCheckpoint(path).then(
      (checkpoint) => checkpoint,
      (error: { code: string }) => error.code,
    );
    // padding and unused metadata may change without harm: then everything that counts must still be the same
    if (typeof read === 'string') t.is(read, 'ERR_VSSL_CHECKPOINT');
    else t.deepEqual(read, good);
  }
});

test('an empty or absent folder has none', async (t) => {
  const folder = await newFolder();
  t.is(await latestCheckpoint(folder), null);
  t.is(await latestCheckpoint(join(folder, 'absent')), null);
});

test('other files are no checkpoints', async (t) => {
  const folder = await newFolder();
  await writeFile(join(folder, 'step-000000009.safetensors.123-ab.tmp'), 'half');
  await writeFile(join(folder, 'notes.txt'), '');
  t.deepEqual(await listCheckpoints(folder), []);
  await removeTemporaryFiles(folder);
  t.deepEqual(await readdir(folder), ['notes.txt']);
});

test('a file that is safetensors but no checkpoint, or of another version, is refused', async (t) => {
  const folder = await newFolder();
  const { writeSafetensors } = await import('#src/weights/safetensors.js');
  const path = join(folder, 'a.safetensors');
  await writeSafetensors(path, []);
  await t.throwsAsync(readCheckpoint(path), { code: 'ERR_VSSL_CHECKPOINT', message: /format/ });
  await writeSafetensors(path, [], { format: 'vssl-checkpoint', format_version: '99' });
  const other = {
    code: 'ERR_VSSL_CHECKPOINT',
    message: /format version is 99, this package reads 1/,
  } as const;
  await t.throwsAsync(readCheckpoint(path), other);
  // it is no damage: nothing before it is taken in its place
  await writeCheckpoint(folder, at(1), { keep: 3 });
  await rename(path, checkpointPath(folder, 2));
  await t.throwsAsync(
    latestCheckpoint(folder, () => t.fail()),
    other,
  );
});

/** Fails on the n-th write, after the bytes of those before have gone out. */
function failingAt(n: number, code: string): WriteOperations {
  let writes = 0;
  return {
    open: async (path, flags) => {
      const file = await open(path, flags);
      return {
        write: ((...args: Parameters<typeof file.write>) => {
          if (++writes === n) return Promise.reject(Object.assign(new Error(code), { code }));
          return file.write(...args);
        }) as typeof file.write,
        sync: () => file.sync(),
        close: () => file.close(),
      };
    },
    rename,
    remove: (path) => rm(path, { force: true }),
  };
}

for (const code of ['ENOSPC', 'EIO'])
  for (const n of [1, 2])
    test(`${code} at write ${n} leaves the checkpoint before whole`, async (t) => {
      const folder = await newFolder();
      await writeCheckpoint(folder, at(1), { keep: 1 });
      const error = await t.throwsAsync(
        writeCheckpoint(folder, at(2), { keep: 1, operations: failingAt(n, code) }),
        { code: 'ERR_VSSL_CHECKPOINT_WRITE' },
      );
      t.true(error!.message.includes(code) && error!.message.includes('of step 1'));
      t.deepEqual(await readdir(folder), ['step-000000001.safetensors']);
      t.is((await latestCheckpoint(folder))?.step, 1);
    });

test('a real limit on file size: the process lives, the checkpoint before is whole', async (t) => {
  const folder = await newFolder();
  await writeCheckpoint(folder, at(1), { keep: 1 });
  const script = `
    process.on('SIGXFSZ', () => {});
    const { writeCheckpoint } = await import(${JSON.stringify(import.meta.resolve('#src/weights/checkpoint.js'))});
    const data = new Uint8Array(4 * 2 ** 20);
    const tensors = [{ name: 'w', dtype: 'U8', shape: [data.length], data }];
    await writeCheckpoint(process.argv[1], { step: 2, state: {}, tensors }, { keep: 1 }).catch((e) => console.log(e.code, e.details.systemCode));
  `;
  const run = spawnSync(
    'sh',
    ['-c', 'ulimit -f 1024; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', script, folder],
    {
      encoding: 'utf8',
    },
  );
  t.is(run.stdout.trim(), 'ERR_VSSL_CHECKPOINT_WRITE EFBIG', run.stderr);
  t.deepEqual(await readdir(folder), ['step-000000001.safetensors']);
  t.deepEqual(await readCheckpoint(checkpointPath(folder, 1)), at(1));
});
