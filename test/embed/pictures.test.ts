/** Folders of pictures of which some cannot be read. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { readFacts, videoRow } from '#src/embed/video-facts.js';
import { loadEngine } from '#src/native/load.js';
import { checkVideos } from '#src/prepare/check-videos.js';
import { encodePng } from '../helpers/png.js';
import { scratch, tiny } from './make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

/** A folder of pictures by name: true is a sound one, text what stands in its place. */
function writeFolder(name: string, pictures: Readonly<Record<string, true | string>>): string {
  mkdirSync(file(name));
  for (const [picture, content] of Object.entries(pictures)) {
    const level = 20 * Number.parseInt(picture, 10);
    writeFileSync(
      file(`${name}/${picture}`),
      content === true ? encodePng(40, 32, () => [level, level, level, 255]) : content,
    );
  }
  return file(name);
}

test('a folder begins at its first sound picture, and says what it leaves out', async (t) => {
  const folder = writeFolder('clip_v1.2', {
    '1.png': '',
    '2 %d.png': 'no picture',
    '3.png': true,
    '4.png': true,
    '5 50%.png': '',
    '6.png': true,
  });
  const facts = await readFacts(loadEngine(), await videoRow(folder));
  t.deepEqual([facts.codec, facts.width, facts.height], ['png', 40, 32]);
  t.deepEqual(Array.from(facts.times), [2 / 25, 3 / 25, 4 / 25, 5 / 25]);
  t.regex(facts.warnings[0]!, /^the first 2 pictures are left out: 1\.png: /);
  const { files } = await checkVideos({ data: folder, deep: true });
  t.is(files[0]!.status, 'warning', JSON.stringify(files[0]));
  t.is(files[0]!.decoded, 4);
  await using encoder = await VideoEncoder.create({ arch: 'r3d_10', width: 0.125, clip: tiny });
  t.true((await encoder.embed(folder)).every(Number.isFinite));
});

test('a folder without a sound picture fails soon, with the fault of its first one', async (t) => {
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`${i}.png`, '']));
  const folder = writeFolder('broken', many);
  const failed = readFacts(loadEngine(), await videoRow(folder));
  const slow = delay(20_000, 'slow', { ref: false });
  const error = await t.throwsAsync(Promise.race([failed, slow]), { code: 'ERR_VSSL_VIDEO_OPEN' });
  t.regex(error!.message, /^0\.png: cannot open/);
  const empty = { ...(await videoRow(folder)), source: { kind: 'images', files: [], fps: 25 } } as const;
  await t.throwsAsync(readFacts(loadEngine(), empty), { code: 'ERR_VSSL_VIDEO_EMPTY' });
});
