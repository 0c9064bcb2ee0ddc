// What goes wrong while a copy of JPEG pictures is made: a disk that fills, a process that is killed, damaged videos.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { loadManifest } from '#src/data/manifest.js';
import { loadEngine } from '#src/native/load.js';
import { prepare, prepareWith } from '#src/prepare/prepare.js';
import { scratch, writeSquareVideo } from '../embed/make-videos.js';
import { smallDisk } from '../helpers/small-disk.js';

const { file, remove } = scratch();
test.after.always(remove);

const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const filesOf = (out: string) =>
  (readdirSync(out, { recursive: true }) as string[]).filter((name) => statSync(join(out, name)).isFile());

test.before(async () => {
  mkdirSync(file('videos'));
  for (const name of ['a', 'b', 'c', 'd'])
    await writeSquareVideo(file(`videos/${name}.mp4`), (t) => [t % 40, 12], { frames: 90 });
});

test('a disk that fills, at whatever byte, leaves nothing half-written', async (t) => {
  const data = file('videos/a.mp4');
  const { bytes } = await prepare({ data, out: file('whole'), format: 'jpeg', threads: 1 });
  // in the pictures, and when the file's list of them is written at its end
  for (const room of [1000, Math.floor(bytes / 2), bytes - 100, bytes]) {
    const out = file(`full-${room}`);
    const copy = { data, out, format: 'jpeg', threads: 1 } as const;
    const error = await t.throwsAsync(prepareWith(copy, smallDisk(room).operations), {
      code: 'ERR_VSSL_WRITE',
    });
    t.regex(error!.message, /disk is full.*goes on/s);
    t.deepEqual(filesOf(out), ['prepared.json'], `${room} bytes`);
    t.is((await prepare(copy)).videos, 1);
    const [row] = (await loadManifest(out)).rows;
    t.is(statSync(row!.path).size, bytes);
  }
});

test('a process that is killed: the same command makes what an unbroken one makes', async (t) => {
  const [whole, killed] = [file('unbroken'), file('killed')];
  const copy = { data: file('videos'), format: 'jpeg', threads: 1 } as const;
  await prepare({ ...copy, out: whole });
  const args = ['prepare', '--data', copy.data, '--out', killed, '--format', 'jpeg', '--threads', '1'];
  const child = spawn(process.execPath, [main, ...args], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const finished = join(killed, 'finished.jsonl');
  const hasOne = () => existsSync(finished) && readFileSync(finished).includes('\n');
  while (!hasOne() && child.exitCode === null) await delay(1);
  child.kill('SIGKILL');
  await ended;
  const { videos, reused } = await prepare({ ...copy, out: killed });
  t.is(videos, 4);
  t.true(reused >= 1);
  const pictures = (out: string) =>
    filesOf(out)
      .filter((name) => name.endsWith('.mov'))
      .sort();
  t.deepEqual(pictures(killed), pictures(whole));
  for (const name of pictures(whole))
    t.deepEqual(readFileSync(join(killed, name)), readFileSync(join(whole, name)), name);
});

test('damaged videos are left out as they are of a raw copy', async (t) => {
  mkdirSync(file('damaged'));
  const whole = readFileSync(file('videos/a.mp4'));
  const index = await loadEngine().indexVideo(file('videos/a.mp4'));
  t.is(index.times.length, 90);
  writeFileSync(file('damaged/cut.mp4'), whole.subarray(0, whole.length / 2));
  // the pictures, not the lists of them at the end
  const middle = Buffer.from(whole).fill(
    0x5a,
    Math.floor(whole.length * 0.3),
    Math.floor(whole.length * 0.6),
  );
  writeFileSync(file('damaged/middle.mp4'), middle);
  writeFileSync(file('damaged/sound.mp4'), whole);
  writeFileSync(file('damaged/empty.mp4'), '');
  const told = async (format: 'raw' | 'jpeg') => {
    const out = file(`of-damaged-${format}`);
    const { videos, skipped } = await prepare({ data: file('damaged'), out, format });
    const names = filesOf(out).filter((name) => name.startsWith('clips'));
    t.is(names.length, videos, 'nothing lies about');
    return skipped;
  };
  const raw = await told('raw');
  t.deepEqual(await told('jpeg'), raw);
  t.deepEqual(raw.map(({ path }) => path.split('/').at(-1)).sort(), ['cut.mp4', 'empty.mp4', 'middle.mp4']);
});
