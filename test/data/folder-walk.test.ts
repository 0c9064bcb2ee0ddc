/** Folders as they are found: what is no video of the user's is left out, and told in one line a kind. */
import { execFile, execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { loadManifest } from '#src/data/manifest.js';

type Context = { teardown(f: () => Promise<void>): void };

async function makeFolder(t: Context, names: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'vssl-walk-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  for (const name of names) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), '');
  }
  return folder;
}

async function load(folder: string) {
  const { rows, warnings } = await loadManifest(folder);
  return { ids: rows.map(({ id }) => id), warnings: warnings.map((line) => line.replaceAll(folder, 'DIR')) };
}

test('what no program could read as a video: links to nothing, pipes, sockets, devices', async (t) => {
  const folder = await makeFolder(t, ['a/x.mp4']);
  await symlink('gone.mp4', join(folder, 'a/broken.mp4'));
  await symlink('loop.mp4', join(folder, 'a/loop.mp4'));
  await symlink('/dev/null', join(folder, 'a/null.mp4'));
  execFileSync('mkfifo', [join(folder, 'a/pipe.mp4'), join(folder, 'b.mp4')]);
  const server = createServer().listen(join(folder, 'a/socket.mp4'));
  t.teardown(async () => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  t.deepEqual(await load(folder), {
    ids: ['a/x.mp4'],
    warnings: [
      '2 named pipes in DIR left out: not a file (b.mp4, a/pipe.mp4)',
      '2 links in DIR left out: what it leads to is not there (a/broken.mp4, a/loop.mp4)',
      '1 device in DIR left out: not a file (a/null.mp4)',
      '1 socket in DIR left out: not a file (a/socket.mp4)',
    ],
  });
});

test('what systems and storage servers put there', async (t) => {
  const folder = await makeFolder(t, [
    'walk/a.mp4',
    'walk/@eaDir/a.mp4/SYNOVIDEO_THUMB.mp4',
    '$RECYCLE.BIN/S-1-5/old.mp4',
    'System Volume Information/x.mp4',
    'lost+found/12345.mp4',
    '__MACOSX/walk/a.mp4',
    '#recycle/b.mp4',
    'walk/._a.mp4',
    '.AppleDouble/a.mp4',
    '.DS_Store',
  ]);
  const { ids, warnings } = await load(folder);
  t.deepEqual(ids, ['walk/a.mp4']);
  t.deepEqual(warnings, [
    '6 folders in DIR left out: of the system, not of the data (#recycle, $RECYCLE.BIN, System Volume Information, ...)',
    '2 hidden files and folders in DIR left out: the name begins with a dot (.AppleDouble, walk/._a.mp4)',
  ]);
});

test('pictures stay one video when something else puts a folder beside them', async (t) => {
  const folder = await makeFolder(t, [
    'jump/1.jpg',
    'jump/2.jpg',
    'jump/@eaDir/1.jpg/thumb.jpg',
    'jump/notes/readme.txt',
    'jump/run/config.json',
    'jump/run/metrics.jsonl',
    'posters/p.jpg',
    'posters/deep/v.mp4',
  ]);
  await mkdir(join(folder, 'jump/empty'));
  const { ids, warnings } = await load(folder);
  t.deepEqual(ids, ['jump', 'posters/deep/v.mp4']);
  t.true(
    warnings.includes(
      '1 picture in DIR left out: beside videos or folders of them, so not frames (posters/p.jpg)',
    ),
  );
  t.true(warnings.includes('1 run folder in DIR left out: made by training (jump/run)'));
});

test('run folders and prepared copies are no data, whole or just begun', async (t) => {
  const folder = await makeFolder(t, [
    'v.mp4',
    'runs/whole/config.json',
    'runs/whole/metrics.jsonl',
    'runs/whole/checkpoints/step-000000003.safetensors',
    'runs/whole/events.out.tfevents.1700000000.host.example',
    'runs/begun/checkpoints/x.tmp',
    'runs/begun/lock',
    'runs/begun/lock.0123456789abcdef',
    'runs/begun/events.out.tfevents.1700000000.host',
    'copy/prepared.json',
    'copy/clips/3f/v-3f.rgb8',
    'embeddings.safetensors',
    'embeddings.jsonl',
  ]);
  const { ids, warnings } = await load(folder);
  t.deepEqual(ids, ['v.mp4']);
  t.true(warnings.includes('2 run folders in DIR left out: made by training (runs/begun, runs/whole)'));
  t.true(warnings.includes('1 prepared copy in DIR left out: give its own path to use it (copy)'));
  // the data may be the run folder itself
  await writeFile(join(folder, 'events.out.tfevents.1700000000.host'), '');
  await writeFile(join(folder, 'lock.0123456789abcdef'), '');
  await writeFile(join(folder, 'config.json'), '');
  await mkdir(join(folder, 'checkpoints'));
  t.deepEqual((await load(folder)).ids, ['v.mp4']);
});

test('a folder that is being written to is no part, whatever is in it', async (t) => {
  const folder = await makeFolder(t, ['v.mp4', 'sub/w.mp4']);
  await symlink('sub', join(folder, 'other'));
  const { rows } = await loadManifest(folder, { except: [join(folder, 'sub')] });
  t.deepEqual(
    rows.map(({ id }) => id),
    ['v.mp4'],
  );
});

test('of a folder and a link to it, the first by name counts, on any file system', async (t) => {
  const folder = await makeFolder(t, ['b/x.mp4']);
  await symlink('b', join(folder, 'a'));
  await symlink('b', join(folder, 'c'));
  t.deepEqual((await load(folder)).ids, ['a/x.mp4']);
});

test('what this user may not read', async (t) => {
  const folder = await makeFolder(t, ['a.mp4', 'secret.mp4', 'closed/b.mp4', 'half/c.mp4', 'pictures/1.jpg']);
  await chmod(folder, 0o755);
  await chmod(join(folder, 'secret.mp4'), 0);
  await chmod(join(folder, 'closed'), 0);
  await chmod(join(folder, 'half'), 0o755);
  await symlink(join(folder, 'closed/b.mp4'), join(folder, 'link.mp4'));
  t.teardown(() => chmod(join(folder, 'closed'), 0o755));
  // permissions hold for everyone but root: a child takes another user once it has loaded the reader
  const script = `
    import { loadManifest } from ${JSON.stringify(import.meta.resolve('#src/data/manifest.js'))};
    if (process.getuid() === 0) process.setuid(65534);
    const { rows, warnings } = await loadManifest(process.argv[1]);
    console.log(JSON.stringify({ ids: rows.map(({ id }) => id), warnings }));`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '-e',
    script,
    folder,
  ]);
  const { ids, warnings } = JSON.parse(stdout.replaceAll(folder, 'DIR'));
  t.deepEqual(ids, ['a.mp4', 'half/c.mp4', 'pictures']);
  t.deepEqual(warnings, [
    '3 files and folders in DIR left out: permission denied (link.mp4, secret.mp4, closed)',
  ]);
});
