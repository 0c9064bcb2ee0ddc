/** Containers that list all packets are indexed from the list: the same facts, for a part of the bytes. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Rng } from '#src/data/rng.js';
import { loadEngine } from '#src/native/load.js';
import { checkVideos } from '#src/prepare/check-videos.js';

const folder = await mkdtemp(join(tmpdir(), 'vssl-listed-'));
test.after.always(() => rm(folder, { recursive: true }));
const engine = loadEngine();

const [FRAMES, HEIGHT, WIDTH] = [480, 120, 160];

/** A picture of noise that flickers: large pictures that follow from one another. */
async function write(name: string, options: object): Promise<string> {
  const rng = new Rng(1, name);
  const picture = Uint32Array.from({ length: (HEIGHT * WIDTH * 3) / 4 }, () => rng.bits());
  const data = new Uint8Array(FRAMES * HEIGHT * WIDTH * 3);
  const words = new Uint32Array(data.buffer);
  for (let i = 0; i < words.length; i++) words[i] = picture[i % picture.length]! ^ (rng.bits() & 0x1f1f1f1f);
  const path = join(folder, name);
  await engine.writeVideo(path, data, [FRAMES, HEIGHT, WIDTH], { fps: 25, gop: 12, ...options });
  return path;
}

/** Bytes that this process has read so far. */
const bytesRead = async () =>
  Number(/rchar: (\d+)/.exec(await readFile('/proc/self/io', 'utf8').catch(() => 'rchar: 0'))![1]);

async function indexes(path: string) {
  const before = await bytesRead();
  const listed = await engine.indexVideo(path);
  const between = await bytesRead();
  const whole = await engine.indexVideo(path, true);
  return { listed, whole, bytes: [between - before, (await bytesRead()) - between] as const };
}

test.serial('MP4, MOV: the same facts, whole or cut off, and most of the file is not read', async (t) => {
  for (const name of ['a.mp4', 'a.mov']) {
    const path = await write(name, { codec: 'mpeg4' });
    const { listed, whole, bytes } = await indexes(path);
    t.is(listed.times.length, FRAMES);
    t.true(listed.keys.length >= FRAMES / 12);
    t.deepEqual(listed, whole);
    const file = await readFile(path);
    if (bytes[1] > 0) {
      t.true(bytes[1] >= file.length);
      t.true(bytes[0] < file.length / 2, `${bytes[0]} of ${file.length} bytes`);
    }
    // the list stands at the end of these files: behind it nothing may be missing, but within the pictures bytes may be
    const hole = join(folder, `hole-${name}`);
    const media = file.indexOf('mdat', 0, 'latin1');
    await writeFile(
      hole,
      Buffer.from(file).fill(0, media + 4 + Math.floor(file.length / 3), media + Math.floor(file.length / 2)),
    );
    const damaged = await indexes(hole);
    t.deepEqual(damaged.listed.times, damaged.whole.times);
    t.deepEqual(damaged.listed.warnings, damaged.whole.warnings);
  }
});

test.serial('Matroska lists key frames alone: its packets are read', async (t) => {
  const path = await write('a.mkv', { codec: 'mpeg4' });
  const { listed, whole, bytes } = await indexes(path);
  t.deepEqual(listed, whole);
  if (bytes[1] > 0) t.true(bytes[0] >= (await readFile(path)).length);
});

test.serial('check reads all of a file', async (t) => {
  const path = await write('b.mp4', { codec: 'mpeg4' });
  const before = await bytesRead();
  const { ok } = await checkVideos({ data: path });
  const read = (await bytesRead()) - before;
  t.is(ok, 1);
  if (before > 0) t.true(read >= (await readFile(path)).length);
});
