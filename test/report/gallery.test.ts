import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { drawSyntheticSource } from '#src/data/synthetic.js';
import { loadEngine } from '#src/native/load.js';
import { clock, type GalleryClip, galleryPage } from '#src/report/gallery.js';
import { escapeHtml, html } from '#src/report/html.js';
import { commonFolder, nameMarkup, printable } from '#src/report/names.js';
import { makeThumbnail } from '#src/report/thumbnails.js';

const engine = loadEngine();
const folder = mkdtempSync(join(tmpdir(), 'vssl-gallery-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const HOSTILE = `"><script>alert('1')</script>&.mp4`;

test('values are text, markup is markup, lists are their parts', (t) => {
  t.is(
    html`<b title="${'"a" & <b>'}">${['x', html`<i>${1}</i>`, null, false]}</b>`.text,
    '<b title="&quot;a&quot; &amp; &lt;b&gt;">x<i>1</i></b>',
  );
  t.is(escapeHtml(`<>&"'`), '&lt;&gt;&amp;&quot;&#39;');
});

test('times are minutes and seconds', (t) => {
  t.deepEqual([0, 9.96, 62.5, 59.99, 3600].map(clock), ['0:00.0', '0:10.0', '1:02.5', '1:00.0', '60:00.0']);
});

test('a thumbnail is the frames of its range side by side, the same bytes each time', async (t) => {
  const loader = engine.createLoader({ threads: 1, cacheBytes: 0 });
  const { source } = drawSyntheticSource(1, 5, { pixels: 64 });
  const shown = { source, start: 0, end: 1, width: 64, height: 64 };
  const made = await makeThumbnail(engine, loader, shown, { height: 32, frames: 4 });
  if (!('thumbnail' in made)) return t.fail(made.reason);
  const { thumbnail } = made;
  t.deepEqual([thumbnail.width, thumbnail.height, thumbnail.frames], [32, 32, 4]);
  t.deepEqual([...thumbnail.jpeg.subarray(0, 2)], [0xff, 0xd8]);
  const again = await makeThumbnail(engine, loader, shown, { height: 32, frames: 4 });
  t.deepEqual('thumbnail' in again && Buffer.from(again.thumbnail.jpeg), Buffer.from(thumbnail.jpeg));

  // Read back as a picture it is what the frames are.
  const path = join(folder, 'sprite.jpg');
  writeFileSync(path, thumbnail.jpeg);
  const clip = {
    modality: 'rgb',
    height: 32,
    shrink: 1,
    augment: [
      { crop: [0, 0, 1, 1], flip: false, color: [], gray: false, blur: 0, blurRadius: 0, solarize: null },
    ],
    input: 'rgb',
    mean: [0, 0, 0],
    std: [1, 1, 1],
  };
  const times = [0.125, 0.375, 0.625, 0.875];
  const { batch, failures } = await loader.load({
    version: 2,
    views: [
      {
        name: 'sprite',
        clips: [{ ...clip, source: { kind: 'images', files: [path], fps: 1 }, times: [0], width: 128 }],
      },
      { name: 'frames', clips: [{ ...clip, source, times, width: 32 }] },
    ],
  });
  t.deepEqual(failures, []);
  const [sprite, frames] = [batch.toFloat32('sprite'), batch.toFloat32('frames')];
  let sum = 0;
  for (let f = 0; f < 4; f++)
    for (let y = 0; y < 32; y++)
      for (let x = 0; x < 32; x++)
        for (let c = 0; c < 3; c++)
          sum += Math.abs(sprite[(y * 128 + f * 32 + x) * 3 + c]! - frames[((f * 32 + y) * 32 + x) * 3 + c]!);
  t.true(sum / frames.length < 0.06, `JPEG is ${sum / frames.length} off`);
  batch.dispose();
  loader.dispose();
});

test('what cannot be decoded has a reason in place of a picture', async (t) => {
  const path = join(folder, 'no.mp4');
  writeFileSync(path, 'no video');
  const loader = engine.createLoader({ threads: 1, cacheBytes: 0 });
  const shown = { source: { kind: 'file', path } as const, start: 0, end: 1, width: 64, height: 48 };
  const made = await makeThumbnail(engine, loader, shown);
  t.true('reason' in made && made.reason.length > 0);
  loader.dispose();
});

test('a page is one file, and hostile names stay names', (t) => {
  const jpeg = Uint8Array.of(0xff, 0xd8, 1, 2);
  const clip: GalleryClip = {
    path: `dir/${HOSTILE}`,
    start: 1,
    end: 2,
    whole: [0, 4],
    similarity: 0.93,
    thumbnail: { width: 32, height: 32, frames: 4, jpeg },
  };
  const page = galleryPage({
    title: HOSTILE,
    summary: '1 clip',
    groups: [
      {
        title: 'Found',
        query: clip,
        clips: [{ ...clip, path: 'other.mp4', thumbnail: null, reason: '<damaged>' }],
      },
    ],
  });
  t.false(page.includes('<script'));
  t.true(page.includes('&lt;script&gt;'));
  t.true(page.includes('&lt;damaged&gt;'));
  t.true(page.includes(`url(data:image/jpeg;base64,${Buffer.from(jpeg).toString('base64')})`));
  t.false(/(src|href)="?https?:/.test(page));
  t.regex(page, /aria-label="dir\/&quot;&gt;&lt;script.*0:01\.0 to 0:02\.0"/);
});

test('names on one line, and the folder that all are in', (t) => {
  t.is(printable('a\nb\tc\u001b\u2028\udcff.mp4'), 'a\\nb\\tc\\u001b\\u2028\ufffd.mp4');
  t.is(nameMarkup('<\u202e>').text, '<bdi>&lt;\u202e&gt;</bdi>');
  t.is(commonFolder(['/a/b/c.mp4', '/a/b/d/e.mp4']), '/a/b/');
  t.is(commonFolder(['/a/b/c.mp4', '/ab/c.mp4']), '');
  t.is(commonFolder(['a.mp4']), '');
  t.is(commonFolder([]), '');
});
