import { mkdtemp, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { type WriteOperations, writeFileAtomic } from '#src/weights/atomic-write.js';

const newFolder = () => mkdtemp(join(tmpdir(), 'vssl-atomic-'));

/** The real operations, and a list of what was done. */
function recording(log: string[]): WriteOperations {
  return {
    open: async (path, flags) => {
      const file = await open(path, flags);
      const what = flags === 'r' ? 'folder' : 'file';
      return {
        write: ((...args: Parameters<typeof file.write>) => {
          log.push('write');
          return file.write(...args);
        }) as typeof file.write,
        sync: () => {
          log.push(`sync ${what}`);
          return file.sync();
        },
        close: () => file.close(),
      };
    },
    rename: (from, to) => {
      log.push('rename');
      return rename(from, to);
    },
    remove: (path) => rm(path, { force: true }),
  };
}

test('writes, syncs, renames and syncs the folder, in this order', async (t) => {
  const folder = await newFolder();
  const log: string[] = [];
  await writeFileAtomic(join(folder, 'a'), [Buffer.from('one'), Buffer.from('two')], recording(log));
  t.deepEqual(log, ['write', 'write', 'sync file', 'rename', 'sync folder']);
  t.is(await readFile(join(folder, 'a'), 'utf8'), 'onetwo');
  t.deepEqual(await readdir(folder), ['a']);
});

test('goes on when the system takes fewer bytes than it was given', async (t) => {
  const folder = await newFolder();
  const real = recording([]);
  const short: WriteOperations = {
    ...real,
    open: async (path, flags) => {
      const file = await real.open(path, flags);
      return {
        ...file,
        write: ((data: Uint8Array, offset: number, length: number) =>
          file.write(data, offset, Math.min(length, 3))) as typeof file.write,
      };
    },
  };
  await writeFileAtomic(join(folder, 'a'), 'hello, world', short);
  t.is(await readFile(join(folder, 'a'), 'utf8'), 'hello, world');
});

for (const step of ['open', 'write', 'sync', 'rename'] as const)
  test(`when ${step} fails, the old file stays and nothing is left beside it`, async (t) => {
    const folder = await newFolder();
    const path = join(folder, 'a');
    await writeFile(path, 'old');
    const fault = Object.assign(new Error('no space'), { code: 'ENOSPC' });
    const real = recording([]);
    const failing: WriteOperations = {
      ...real,
      open: async (name, flags) => {
        if (step === 'open') throw fault;
        const file = await real.open(name, flags);
        return {
          ...file,
          write: (step === 'write' ? () => Promise.reject(fault) : file.write) as typeof file.write,
          sync: () => (step === 'sync' ? Promise.reject(fault) : file.sync()),
        };
      },
      rename: (from, to) => (step === 'rename' ? Promise.reject(fault) : real.rename(from, to)),
    };
    await t.throwsAsync(writeFileAtomic(path, 'new', failing), { code: 'ENOSPC' });
    t.is(await readFile(path, 'utf8'), 'old');
    t.deepEqual(await readdir(folder), ['a']);
  });
