/** Rows of two manifests may have one id: what is known of one video must not be taken for another's. */
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import test from 'ava';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { evaluate } from '#src/eval/evaluate.js';
import { loadEvaluationData } from '#src/eval/evaluation-data.js';
import { FeatureExtractor } from '#src/eval/feature-extractor.js';
import { scratch, squareFrames, writeTinyWeights } from '../embed/make-videos.js';
import { encodePng } from '../helpers/png.js';

const { file, remove } = scratch();
test.after.always(remove);

const COLUMNS = 'path,label,frames,height,width,fps';

/** Videos 0 to 3 of a set, raw and as pictures; the two sets differ in length, size, rate and content. */
function writeSet(name: string, frames: number, side: number, fps: number, prefix = ''): void {
  const packed: string[] = [];
  const pictures: string[] = [];
  for (let v = 0; v < 4; v++) {
    const label = v % 2 ? 'down' : 'right';
    const at = (t: number) => (v % 2 ? ([t % side, 4 + v] as const) : ([4 + v, t % side] as const));
    const pixels = squareFrames(frames, side, side, at, [60 * v + 40, 200, 255 - 60 * v]);
    put(`${name}/${prefix}v${v}.rgb8`, pixels);
    packed.push(`${prefix}v${v}.rgb8,${label},${frames},${side},${side},${fps}`);
    const byte = (t: number, y: number, x: number) => 3 * ((t * side + y) * side + x);
    for (let t = 0; t < frames; t++)
      put(
        `${name}/${prefix}p${v}/${t}.png`,
        encodePng(side, side, (x, y) => [...pixels.subarray(byte(t, y, x), byte(t, y, x) + 3), 255]),
      );
    pictures.push(`${prefix}p${v},${label},,,,${fps}`);
  }
  put(`${name}/packed.csv`, [COLUMNS, ...packed].join('\n'));
  put(`${name}/pictures.csv`, [COLUMNS, ...pictures].join('\n'));
}

function put(name: string, content: string | Uint8Array): void {
  mkdirSync(dirname(file(name)), { recursive: true });
  writeFileSync(file(name), content);
}

test.before(async () => {
  await writeTinyWeights(file('weights.safetensors'));
  writeSet('a', 40, 32, 25);
  writeSet('b', 9, 48, 10);
  writeSet('c', 9, 48, 10, 'other-'); // the videos of b under ids of their own
});

for (const kind of ['packed', 'pictures'])
  test(`eval --train A --test B with the same ids on both sides: ${kind}`, async (t) => {
    const sides = (other: string) => ({ train: file(`a/${kind}.csv`), test: file(`${other}/${kind}.csv`) });
    const data = await loadEvaluationData(sides('b'));
    t.deepEqual(
      data.rows.slice(0, 4).map(({ id }) => id),
      data.rows.slice(4).map(({ id }) => id),
    );
    const extractor = await FeatureExtractor.open(file('weights.safetensors'), data, { threads: 2 });
    try {
      for (const [i, row] of data.rows.entries()) {
        const { times, width } = await extractor.facts.get(row);
        t.deepEqual([times.length, width], i < 4 ? [40, 32] : [9, 48]);
      }
    } finally {
      await extractor.close();
    }
    const alone: number[][] = [];
    await using encoder = await VideoEncoder.load(file('weights.safetensors'), { threads: 2 });
    for await (const result of encoder.embedRows(data.rows.slice(4)))
      if ('vectors' in result) alone.push([...result.vectors[0]!]);
    t.is(alone.length, 4);
    const options = { protocol: 'knn', weights: file('weights.safetensors'), k: 1, threads: 2 } as const;
    const collide = await evaluate({ ...options, ...sides('b') });
    const distinct = await evaluate({ ...options, ...sides('c') });
    t.deepEqual(collide.trained, distinct.trained);
    t.deepEqual(collide.warnings, []);
  });

test('windows of one packed file, and the same pictures in two manifests, share what is known', async (t) => {
  const rows = ['v0.rgb8,right,40,32,32,25,0,1', 'v0.rgb8,right,40,32,32,25,1,'];
  put('a/windows.csv', [`${COLUMNS},start,end`, ...rows].join('\n'));
  const data = await loadEvaluationData({ train: file('a/windows.csv'), test: file('a/packed.csv') });
  const extractor = await FeatureExtractor.open(file('weights.safetensors'), data, {});
  try {
    const [first, second, whole] = await Promise.all(data.rows.map((row) => extractor.facts.get(row)));
    t.is(first, second);
    t.is(first, whole);
  } finally {
    await extractor.close();
  }
});

test('a folder of pictures that grows is looked at again', async (t) => {
  const load = () => loadEvaluationData({ data: file('a/pictures.csv'), folds: 'label' });
  const extractor = await FeatureExtractor.open(file('weights.safetensors'), await load(), {});
  try {
    const before = await extractor.facts.get((await load()).rows[0]!);
    const some = readdirSync(file('a/p0'))[0]!;
    copyFileSync(file(`a/p0/${some}`), file('a/p0/99.png'));
    const after = await extractor.facts.get((await load()).rows[0]!);
    t.deepEqual([before.times.length, after.times.length], [40, 41]);
  } finally {
    await extractor.close();
  }
});
