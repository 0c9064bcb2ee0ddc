/** Videos that a program holds in memory or receives as a stream. */
import { createReadStream, existsSync, openAsBlob, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';
import test, { type ExecutionContext } from 'ava';
import type { EmbedManyResult } from '#src/embed/encoder-options.js';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import type { VideoInput } from '#src/embed/video-input.js';
import { loadEngine } from '#src/native/load.js';
import { scratch, squareFrames, tiny, writeSquareVideo } from './make-videos.js';

const { folder, file, remove } = scratch();
test.after.always(remove);

let encoder: VideoEncoder;
test.before(async () => {
  encoder = await VideoEncoder.create({ arch: 'r3d_10', width: 0.125, clip: tiny });
  // an MP4 file of this writer has its table of contents at the end: it cannot be read without seeking
  for (const name of ['a.mp4', 'a.mov', 'a.mkv', 'a.avi'])
    await writeSquareVideo(file(name), (t) => [8, 2 * t]);
  await writeSquareVideo(file('b.mp4'), (t) => [2 * t, 20]);
  await writeSquareVideo(file('long.avi'), (t) => [t % 30, (2 * t) % 50], { frames: 120 });
  for (const [name, codec, frames] of [
    ['a.ts', 'mpeg2video', 20],
    ['a.gif', 'gif', 20],
    ['a.jpg', 'mjpeg', 1],
    ['a.png', 'png', 1],
  ] as const) {
    const pixels = squareFrames(frames, 48, 64, (t) => [8, 2 * t]);
    await loadEngine().writeVideo(file(name), pixels, [frames, 48, 64], { fps: 25, codec });
  }
});
test.after.always(() => encoder?.dispose());

const bytesOf = (name: string) => readFileSync(file(name));
const invalid = { code: 'ERR_VSSL_INVALID_ARGUMENT' };
const tooLarge = { code: 'ERR_VSSL_TOO_LARGE' };

async function same(t: ExecutionContext, video: VideoInput, path: string) {
  t.deepEqual(await encoder.embed(video), await encoder.embed(path));
}

test('bytes of every container give the vector of their file, bit for bit', async (t) => {
  for (const name of readdirSync(folder)) await same(t, bytesOf(name), file(name));
});

test('so do the files of the test data, damaged ones too, with the same warnings and errors', async (t) => {
  const data = process.env.VSSL_TEST_DATA;
  const odd = data ? join(data, 'odd-files') : '';
  // a sound and a damaged one of this test's own, where there is no such folder
  writeFileSync(file('cut.avi'), bytesOf('long.avi').subarray(0, -5000));
  const paths = existsSync(odd) ? readdirSync(odd).map((name) => join(odd, name)) : [];
  for (const path of [file('a.mkv'), file('cut.avi'), ...paths]) {
    const outcome = (video: VideoInput) =>
      encoder.embed(video, { clips: 2, details: true }).then(
        (result) => result as unknown,
        ({ code }: { code: string }) => code,
      );
    t.deepEqual(await outcome(readFileSync(path)), await outcome(path), path);
  }
});

test('every way of holding bytes', async (t) => {
  const bytes = bytesOf('a.mp4');
  const path = file('a.mp4');
  const padded = Buffer.concat([Buffer.alloc(1001, 7), bytes, Buffer.alloc(77, 7)]);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  const exact = new Uint8Array(bytes).buffer;
  const foreign = runInNewContext('new Uint8Array(n)', { n: bytes.length }) as Uint8Array;
  foreign.set(bytes);
  const pieces = (size: number) =>
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
  for (const video of [
    padded.subarray(1001, 1001 + bytes.length),
    new Uint8Array(padded.buffer, padded.byteOffset + 1001, bytes.length),
    exact,
    shared,
    shared.buffer,
    foreign,
    new Blob([bytes.subarray(0, 100), bytes.subarray(100)]),
    new File([bytes], 'upload.mp4'),
    await openAsBlob(path),
    pathToFileURL(path),
    createReadStream(path, { highWaterMark: 1000 }),
    Readable.from(pieces(37)),
    new Blob([bytes]).stream(),
    ReadableStream.from(pieces(999)),
    (async function* () {
      yield* pieces(5000);
    })(),
  ] as VideoInput[])
    await same(t, video, path);
});

test('embedMany takes all kinds at once, in order, and names them', async (t) => {
  const videos: VideoInput[] = [
    file('a.mp4'),
    bytesOf('b.mp4'),
    pathToFileURL(file('a.avi')),
    new File([bytesOf('b.mp4')], 'upload.mp4'),
    Buffer.from('this is no video'),
    { frames: squareFrames(8, 32, 32, (at) => [at, at]), shape: [8, 32, 32, 3] },
    Readable.from([bytesOf('b.mp4')]),
    Readable.from([]),
    5 as never,
  ];
  const results: EmbedManyResult[] = [];
  for await (const result of encoder.embedMany(videos)) results.push(result);
  t.deepEqual(
    results.map(({ path }) => path),
    [file('a.mp4'), '#1', file('a.avi'), 'upload.mp4', '#4', '#5', '#6', '#7', '#8'],
  );
  t.deepEqual(
    results.map(({ index }) => index),
    [...videos.keys()],
  );
  const codes = results.map((result) => ('error' in result ? result.error.code : 'vector'));
  const open = 'ERR_VSSL_VIDEO_OPEN';
  t.deepEqual(codes, [
    ...Array(4).fill('vector'),
    open,
    'vector',
    'vector',
    open,
    'ERR_VSSL_INVALID_ARGUMENT',
  ]);
  const vector = (i: number) => (results[i] as { vector: Float32Array }).vector;
  t.deepEqual(vector(1), await encoder.embed(file('b.mp4')));
  t.deepEqual(vector(6), vector(3));
  await t.throwsAsync(encoder.embedMany(bytesOf('a.mp4') as never).next(), invalid);
});

test('what is wrong with a damaged video is told on request', async (t) => {
  t.deepEqual(await encoder.embed(bytesOf('a.avi'), { details: true }), {
    vector: await encoder.embed(file('a.avi')),
    warnings: [],
  });
  const cut = await encoder.embed(bytesOf('long.avi').subarray(0, -3000), { details: true });
  t.true(cut.warnings.length > 0);
  t.regex(cut.warnings.join('; '), /end of the file is missing/);
  const flipped = bytesOf('long.avi');
  for (let at = Math.floor(flipped.length * 0.4); at < flipped.length * 0.8; at += 50) flipped[at]! ^= 0x55;
  const damaged = await encoder.embed(flipped, { details: true, clips: 5 });
  t.regex(damaged.warnings.join('; '), /cannot be decoded|file has|reading stopped/);
  t.true(damaged.vector.every(Number.isFinite));
  for await (const result of encoder.embedMany([flipped], { clips: 5 }))
    t.deepEqual('vector' in result && [...result.warnings], [...damaged.warnings]);
  await t.throwsAsync(encoder.embed(flipped, { details: 1 as never }), invalid);
});

test('bytes that are no video say so without a path', async (t) => {
  for (const [bytes, message] of [
    [Buffer.from('this is no video'), /^the video: cannot open as video/],
    [new Uint8Array(0), /no bytes/],
    [Buffer.from(`ffconcat version 1.0\nfile '${file('a.mp4')}'\n`), /^the video: cannot open/],
    [Buffer.from(`#EXTM3U\n#EXTINF:9,\n${file('a.mp4')}\n#EXT-X-ENDLIST\n`), /^the video: cannot open/],
  ] as const)
    await t.throwsAsync(encoder.embed(bytes), { code: 'ERR_VSSL_VIDEO_OPEN', message });
  const detached = new Uint8Array(bytesOf('a.mp4'));
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  await t.throwsAsync(encoder.embed(detached), { ...invalid, message: /detached/ });
  await t.throwsAsync(encoder.embed(detached.buffer), { ...invalid, message: /detached/ });
  await t.throwsAsync(encoder.embed(new Float32Array(8) as never), invalid);
  await t.throwsAsync(encoder.embed(new URL('https://example.org/a.mp4')), { ...invalid, message: /file:/ });
});

test('a buffer that is taken away or changed while it is read harms nothing', async (t) => {
  const large = new Uint8Array(24 * 2 ** 20);
  large.set(bytesOf('a.mkv'));
  const call = encoder.embed(large);
  structuredClone(large.buffer, { transfer: [large.buffer] });
  await t.throwsAsync(call, { ...invalid, message: /stay as they are/ });
  const size = 24 * 2 ** 20;
  // the types know neither the option nor the method before ES2024
  const buffer = Reflect.construct(ArrayBuffer, [size, { maxByteLength: 2 * size }]) as ArrayBuffer & {
    resize(length: number): void;
  };
  new Uint8Array(buffer).set(bytesOf('a.mkv'));
  const shrunk = encoder.embed(new Uint8Array(buffer));
  buffer.resize(1000);
  await t.throwsAsync(shrunk, { ...invalid, message: /stay as they are/ });
  const bytes = new Uint8Array(24 * 2 ** 20);
  bytes.set(bytesOf('a.mkv'));
  const changed = encoder.embed(bytes);
  setImmediate(() => bytes.fill(255, 8 * 2 ** 20));
  t.is((await changed).length, encoder.dim, 'Matroska ignores what follows the video');
  t.is((await encoder.embed(file('a.mp4'))).length, encoder.dim);
});

test('a size limit holds for all kinds, and stops a stream that exceeds it', async (t) => {
  const bytes = bytesOf('a.mp4');
  const maxBytes = bytes.length - 1;
  for (const video of [bytes, new Blob([bytes]), new Uint8Array(bytes).buffer])
    await t.throwsAsync(encoder.embed(video, { maxBytes }), { ...tooLarge, message: /maxBytes/ });
  t.is((await encoder.embed(bytes, { maxBytes: bytes.length })).length, encoder.dim);
  let pulled = 0;
  const endless = new Readable({
    read() {
      pulled += 1000;
      this.push(Buffer.alloc(1000));
    },
    highWaterMark: 1000,
  });
  await t.throwsAsync(encoder.embed(endless, { maxBytes: 50_000 }), tooLarge);
  t.true(endless.destroyed);
  t.true(pulled < 60_000, `${pulled} bytes were asked for`);
  let cancelled = false;
  const web = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1000)),
    cancel: () => {
      cancelled = true;
    },
  });
  await t.throwsAsync(encoder.embed(web, { maxBytes: 50_000 }), tooLarge);
  t.true(cancelled);
  for (const wrong of [0, -1, 1.5, Number.NaN, '1' as never])
    await t.throwsAsync(encoder.embed(bytes, { maxBytes: wrong }), invalid);
  const results: EmbedManyResult[] = [];
  for await (const result of encoder.embedMany([file('a.mp4'), bytes], { maxBytes })) results.push(result);
  t.deepEqual(
    results.map((result) => 'error' in result && result.error.code),
    [false, 'ERR_VSSL_TOO_LARGE'],
  );
});

test('a stream that fails, was destroyed, is locked or gives no bytes', async (t) => {
  const reason = new Error('connection reset');
  const torn = new PassThrough();
  const call = encoder.embed(torn);
  torn.write(bytesOf('a.mp4').subarray(0, 1000));
  setImmediate(() => torn.destroy(reason));
  const error = await t.throwsAsync<Error & { code: string }>(call);
  t.is(error!.code, 'ERR_VSSL_STREAM');
  t.is(error!.cause, reason);
  t.regex(error!.message, /connection reset/);
  const gone = new PassThrough();
  gone.destroy();
  await t.throwsAsync(encoder.embed(gone), { code: 'ERR_VSSL_STREAM' });
  const failing = new ReadableStream<Uint8Array>({
    pull: () => {
      throw reason;
    },
  });
  t.is((await t.throwsAsync(encoder.embed(failing)))!.cause, reason);
  const locked = new Blob([bytesOf('a.mp4')]).stream();
  locked.getReader();
  await t.throwsAsync(encoder.embed(locked), { ...invalid, message: /locked/ });
  const text = createReadStream(file('a.mp4'), 'utf8');
  await t.throwsAsync(encoder.embed(text), { ...invalid, message: /Uint8Array/ });
  t.true(text.destroyed);
  await t.throwsAsync(encoder.embed(Readable.from([])), { code: 'ERR_VSSL_VIDEO_OPEN', message: /no bytes/ });
});

test('a stream that never ends is let go of by its signal', async (t) => {
  const reason = new Error('no longer wanted');
  for (const make of [
    () => new PassThrough(),
    () => new ReadableStream<Uint8Array>(),
    async function* () {
      await new Promise(() => {});
    },
  ] as (() => VideoInput)[]) {
    const stop = new AbortController();
    const stream = make();
    const call = encoder.embed(stream, { signal: stop.signal });
    setTimeout(() => stop.abort(reason), 20);
    await t.throwsAsync(call, { is: reason });
    if (stream instanceof PassThrough) t.true(stream.destroyed);
  }
});

test('embedMany lets go of streams that it read ahead when it is left', async (t) => {
  const videos = () => [file('a.mp4'), new PassThrough(), new PassThrough()] as const;
  const left = videos();
  for await (const result of encoder.embedMany(left)) {
    t.true('vector' in result);
    break;
  }
  t.true(left[1].destroyed && left[2].destroyed);
  const reason = new Error('enough');
  const stop = new AbortController();
  const aborted = videos();
  await t.throwsAsync(
    async () => {
      for await (const _ of encoder.embedMany(aborted, { signal: stop.signal }))
        setTimeout(() => stop.abort(reason), 20);
    },
    { is: reason },
  );
  t.true(aborted[1].destroyed);
  const other = await VideoEncoder.create({ arch: 'r3d_10', width: 0.125, clip: tiny });
  const disposed = videos();
  await t.throwsAsync(
    async () => {
      for await (const _ of other.embedMany(disposed)) setTimeout(() => other.dispose(), 20);
    },
    { code: 'ERR_VSSL_DISPOSED' },
  );
  t.true(disposed[1].destroyed);
});

test('no file is made: it works where nothing can be written', async (t) => {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = '/proc/nowhere';
  try {
    await same(t, bytesOf('a.mp4'), file('a.mp4'));
    await same(t, createReadStream(file('a.mp4')), file('a.mp4'));
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
});

test('memory is flat over many embeds of bytes', async (t) => {
  const bytes = Buffer.concat([bytesOf('a.mkv'), Buffer.alloc(2 * 2 ** 20)]);
  const resident = () => process.memoryUsage.rss() / 2 ** 20;
  for (let i = 0; i < 40; i++) await encoder.embed(bytes, { clips: 1 });
  const start = resident();
  for (let i = 0; i < 200; i++) await encoder.embed(bytes, { clips: 1 });
  const grown = resident() - start;
  t.true(grown < 60, `grew by ${grown.toFixed(0)} MiB over 200 embeds of ${bytes.length} bytes`);
});

/** Milliseconds that this thread has run: what other processes take of the processor does not count. */
function threadTime(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

test.serial('a large buffer does not block the event loop', async (t) => {
  const bytes = Buffer.alloc(100 * 2 ** 20);
  bytes.set(bytesOf('a.mkv'));
  const vector = await encoder.embed(bytes);
  let [turns, longest, last, open] = [0, 0, threadTime(), true];
  const turn = () => {
    const now = threadTime();
    longest = Math.max(longest, now - last);
    last = now;
    turns++;
    if (open) setImmediate(turn);
  };
  setImmediate(turn);
  t.deepEqual(await encoder.embed(bytes), vector);
  open = false;
  t.true(longest < 50, `${longest.toFixed(0)} ms without a turn`);
  t.true(turns >= 99, `${turns} turns`);
});
