/** A scene of several windows is found as a whole, in its order and at its pace. */
import test from 'ava';
import { VideoIndex } from '#src/search/video-index.js';
import { scratch } from '../embed/make-videos.js';
import { DIM, ENCODER, entryOf, vectorOf } from './entries.js';

const { file, remove } = scratch();
test.after.always(remove);

/** Windows of a video with something else mixed in, as another copy of it has them; half a second late. */
function sceneOf(path: string, from: number, count: number) {
  return Array.from({ length: count }, (_, i) => {
    const vector = vectorOf(path, from + i).map((value, d) => value + 0.5 * vectorOf('noise', i)[d]!);
    return { start: 100.4 + i, end: 101.4 + i, vector };
  });
}

test('a scene is found where it is, before videos that have its windows in another order', async (t) => {
  const index = await VideoIndex.open(file('scenes'), { encoder: ENCODER });
  await index.add(Array.from({ length: 20 }, (_, i) => entryOf(`/other${i}`, 30)));
  await index.add(entryOf('/film', 40, DIM, { label: 'film' }));
  const order = [9, 5, 8, 6, 7];
  await index.add({
    path: '/shuffled',
    windows: order.map((window, i) => ({ start: i, end: i + 1, vector: vectorOf('/film', window) })),
  });
  const [best, second] = await index.search(sceneOf('/film', 5, 5));
  t.deepEqual([best!.path, best!.start, best!.end, best!.label], ['/film', 5, 10, 'film']);
  t.true(best!.similarity > 0.8 && best!.similarity > second!.similarity + 0.3);
  const byVideo = await index.search(sceneOf('/film', 5, 5), { perVideo: true, top: 100 });
  t.is(new Set(byVideo.map(({ path }) => path)).size, byVideo.length);
  const [narrowed] = await index.search(sceneOf('/film', 5, 5), { filter: { path: '/o*' } });
  t.true(narrowed!.path.startsWith('/other'));
  await index.close();
});

test('the same scene twice in a video is two places; a scene that is longer than the video is found, too', async (t) => {
  const index = await VideoIndex.open(file('twice'), { encoder: ENCODER });
  const windows = [...Array(20).keys(), ...Array(20).keys()].map((window, i) => {
    return { start: i, end: i + 1, vector: vectorOf('/film', window) };
  });
  await index.add({ path: '/twice', windows });
  await index.add({
    path: '/part',
    windows: windows.slice(2, 6).map((w, i) => ({ ...w, start: i, end: i + 1 })),
  });
  const hits = await index.search(sceneOf('/film', 3, 4), { top: 2, filter: { path: '/twice' } });
  t.deepEqual(hits.map(({ start, end }) => [start, end]).sort(), [
    [23, 27],
    [3, 7],
  ]);
  const [part] = await index.search(sceneOf('/film', 0, 8), { filter: { path: '/part' } });
  t.deepEqual([part!.start, part!.end], [0, 4], 'windows 2 to 5 of the scene');
  t.true(part!.similarity > 0.4 && part!.similarity < 0.55, `half of it: ${part!.similarity}`);
  await index.close();
});

test('a scene whose windows have no times, or go back, is refused', async (t) => {
  const index = await VideoIndex.open(file('wrong'), { encoder: ENCODER });
  const [a, b] = sceneOf('/film', 0, 2);
  const wrong = { code: 'ERR_VSSL_INVALID_ARGUMENT' };
  await t.throwsAsync(index.search([]), wrong);
  await t.throwsAsync(index.search([b!, a!]), wrong);
  await t.throwsAsync(index.search([a!, { vector: b!.vector }]), wrong);
  t.deepEqual(await index.search([a!]), []);
  t.deepEqual(await index.search([a!, b!]), []);
  await index.close();
});

/** What a film shows at any time: numbers that swing, each at a rate of its own. */
function shownAt(film: number, seconds: number): Float32Array {
  const rates = vectorOf(`/rates${film}`, 0);
  return rates.map((rate, d) => Math.sin(6 * rate * seconds + film + d));
}

const shown = (film: number, from: number, count: number, every: number) =>
  Array.from({ length: count }, (_, i) => {
    const start = i * every;
    return { start, end: start + 1, vector: shownAt(film, from + start) };
  });

test('windows that stand closer than those of the index place a scene that begins between two of them', async (t) => {
  const index = await VideoIndex.open(file('finer'), { encoder: ENCODER });
  await index.add(Array.from({ length: 20 }, (_, i) => ({ path: `/film${i}`, windows: shown(i, 0, 30, 1) })));
  for (const from of [7.4, 12.55, 20]) {
    const [coarse] = await index.search(shown(3, from, 4, 1));
    const [fine] = await index.search(shown(3, from, 13, 0.25));
    t.is(fine!.path, '/film3');
    t.true(Math.abs(fine!.start! - from) <= 0.15, `${fine!.start} instead of ${from}`);
    t.true(fine!.similarity >= coarse!.similarity - 1e-3 && fine!.similarity > 0.98, `${fine!.similarity}`);
    t.true(Math.abs(fine!.end! - fine!.start! - 4) < 1e-3);
  }
  // its second half is not there
  const places = await index.search(shown(3, 26, 33, 0.25), { filter: { path: '/film3' } });
  const half = places.find(({ end }) => end === 30)!;
  t.true(
    Math.abs(half.start! - 26) <= 0.25 && Math.abs(half.similarity - 4 / 9) < 0.02,
    `${half.start}, ${half.similarity}`,
  );
  await index.close();
});
