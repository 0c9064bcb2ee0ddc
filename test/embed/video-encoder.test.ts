import { mkdirSync, writeFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { loadEngine } from '#src/native/load.js';
import { scratch, squareFrames, tiny, writeSquareVideo, writeTinyWeights } from './make-videos.js';

const { folder, file, remove } = scratch();
test.after.always(remove);

const small = { arch: 'r3d_10', width: 0.125, clip: tiny, precision: 'fp32' } as const;
const invalid = { code: 'ERR_VSSL_INVALID_ARGUMENT' };
const disposed = { code: 'ERR_VSSL_DISPOSED' };

test.before(async () => {
  await writeTinyWeights(file('weights.safetensors'));
  for (const i of [0, 1, 2])
    await writeSquareVideo(file(`v${i}.avi`), (t) => [10 * i, 2 * t], { frames: 30 });
  writeFileSync(file('bad.avi'), 'this is no video');
});

async function withEncoder(t: ExecutionContext, use: (encoder: VideoEncoder) => Promise<void>, more = {}) {
  const encoder = await VideoEncoder.create({ ...small, ...more });
  try {
    await use(encoder);
  } finally {
    await encoder.dispose();
  }
  t.pass();
}

function close(t: ExecutionContext, a: Float32Array, b: Float32Array, tolerance = 1e-5) {
  t.is(a.length, b.length);
  const scale = Math.max(...b.map(Math.abs), 1e-12);
  const error = Math.max(...a.map((v, i) => Math.abs(v - b[i]!))) / scale;
  t.true(error <= tolerance, `relative error ${error}`);
}

test('says what it is', async (t) => {
  await withEncoder(t, async (encoder) => {
    t.is(encoder.arch, 'r3d_10');
    t.is(encoder.dim, 64);
    t.deepEqual(encoder.inputSize, { frames: 4, stride: 2, fps: null, height: 32, width: 32 });
    const { liveTensors, hostBytes } = encoder.stats();
    t.true(liveTensors > 0 && hostBytes > 0);
  });
});

test('a file gives the same vector each time, and another file another', async (t) => {
  await withEncoder(t, async (encoder) => {
    const [a, again, b] = await Promise.all(
      ['v0.avi', 'v0.avi', 'v1.avi'].map((name) => encoder.embed(file(name))),
    );
    t.is(a!.length, encoder.dim);
    t.true(a!.every(Number.isFinite));
    t.deepEqual(a, again);
    t.notDeepEqual(a, b);
    t.notDeepEqual(await encoder.embed(file('v0.avi'), { clips: 1 }), a);
  });
});

test('bf16 is the default where the processor multiplies it, and its vectors are near', async (t) => {
  const { bf16Fast } = loadEngine().info();
  const { precision: _, ...asDefault } = small;
  const encoder = await VideoEncoder.create(asDefault);
  t.is(encoder.precision, bf16Fast ? 'bf16' : 'fp32');
  await withEncoder(t, async (exact) => {
    t.is(exact.precision, 'fp32');
    const [a, b] = await Promise.all([encoder, exact].map((each) => each.embed(file('v0.avi'))));
    const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
    const distance = 1 - dot(a!, b!) / Math.sqrt(dot(a!, a!) * dot(b!, b!));
    t.true(distance < 1e-3, `cosine distance ${distance}`);
    t.is(distance > 1e-12, bf16Fast);
  });
  await encoder.dispose();
});

/** Frames (T, H, W, 3) of bytes as a clip (1, 3, T, H, W) of floats in [0, 1]. */
function asClip(frames: Uint8Array, t: number, h: number, w: number): Float32Array {
  const out = new Float32Array(frames.length);
  for (let i = 0; i < t * h * w; i++)
    for (let c = 0; c < 3; c++) out[c * t * h * w + i] = frames[3 * i + c]! / 255;
  return out;
}

test('embed is the network on the right pixels: frames that need no resizing', async (t) => {
  const { frames, size } = tiny;
  const pixels = squareFrames(7, size, size, (time) => [time, 2 * time]);
  const every2nd = Uint8Array.from({ length: frames * size * size * 3 }, (_, i) => {
    const frame = Math.floor(i / (size * size * 3));
    return pixels[2 * frame * size * size * 3 + (i % (size * size * 3))]!;
  });
  const clip = asClip(every2nd, frames, size, size);
  await withEncoder(t, async (encoder) => {
    const direct = await encoder.forward(clip, [1, 3, frames, size, size]);
    close(t, await encoder.embed({ frames: pixels, shape: [7, size, size, 3] }, { clips: 1 }), direct);
  });
  await withEncoder(
    t,
    async (encoder) => {
      const plane = size * size;
      const still = Float32Array.from(clip, (value, i) => {
        const first = Math.floor(i / (frames * plane)) * frames * plane + (i % plane);
        let mean = 0;
        for (let f = 0; f < frames; f++) mean += clip[first + f * plane]! / frames;
        return value - mean;
      });
      const direct = await encoder.forward(still, [1, 3, frames, size, size]);
      close(
        t,
        await encoder.embed({ frames: pixels, shape: [7, size, size, 3] }, { clips: 1 }),
        direct,
        1e-4,
      );
    },
    { input: 'temporal-mean-removed' },
  );
});

test('clips cut by time: frames in memory at twice the rate give the same vector', async (t) => {
  const { frames, size } = tiny;
  const pixels = squareFrames(2 * frames, size, size, (time) => [time, 2 * time]);
  const bytes = size * size * 3;
  const everySecond = pixels.filter((_, i) => Math.floor(i / bytes) % 2 === 0);
  const clip = { frames, stride: 1, size, fps: 10 };
  await withEncoder(
    t,
    async (encoder) => {
      t.is(encoder.inputSize.fps, 10);
      const slow = await encoder.embed({ frames: everySecond, shape: [frames, size, size, 3] }, { clips: 1 });
      const shape = [2 * frames, size, size, 3] as const;
      t.deepEqual(await encoder.embed({ frames: pixels, shape, fps: 20 }, { clips: 1 }), slow);
      t.notDeepEqual(await encoder.embed({ frames: pixels, shape }, { clips: 1 }), slow);
      await t.throwsAsync(encoder.embed({ frames: pixels, shape, fps: 0 }), {
        code: 'ERR_VSSL_INVALID_ARGUMENT',
        message: /video\.fps/,
      });
    },
    { clip },
  );
  await t.throwsAsync(VideoEncoder.create({ ...small, clip: { ...clip, fps: -1 } }), {
    message: /clip\.fps/,
  });
});

test('a file and its frames in memory are close: only the codec lies between', async (t) => {
  await withEncoder(t, async (encoder) => {
    const frames = squareFrames(30, 48, 64, (time) => [0, 2 * time]);
    const fromFile = await encoder.embed(file('v0.avi'));
    close(t, await encoder.embed({ frames, shape: [30, 48, 64, 3] }), fromFile, 0.2);
  });
});

test('windows and crops are averaged; a video shorter than a clip is looped', async (t) => {
  await withEncoder(t, async (encoder) => {
    const wide = squareFrames(40, 32, 96, (time) => [4, 2 * time]);
    const video = { frames: wide, shape: [40, 32, 96, 3] } as const;
    const three = await encoder.embed(video, { clips: 5, crops: 3 });
    t.notDeepEqual(three, await encoder.embed(video, { clips: 5 }));
    // more clips than a batch holds
    t.is((await encoder.embed(video, { clips: 11, crops: 3 })).length, encoder.dim);
    const short = { frames: wide.subarray(0, 32 * 96 * 3), shape: [1, 32, 96, 3] } as const;
    t.true((await encoder.embed(short)).every(Number.isFinite));
  });
});

test('weights come back from a file and from a run folder', async (t) => {
  const made = await VideoEncoder.create({ ...small, seed: 3 });
  const fromFile = await VideoEncoder.load(file('weights.safetensors'), { precision: 'fp32' });
  const fromFolder = await VideoEncoder.load(folder, { precision: 'fp32' });
  const vectors = await Promise.all(
    [made, fromFile, fromFolder].map((encoder) => encoder.embed(file('v2.avi'))),
  );
  t.deepEqual(vectors[1], vectors[0]);
  t.deepEqual(vectors[2], vectors[0]);
  t.is(fromFile.description.step, 7);
  t.deepEqual(fromFile.inputSize, made.inputSize);
  await Promise.all([made, fromFile, fromFolder].map((encoder) => encoder.dispose()));
});

test('an encoder that was made here can be kept', async (t) => {
  await withEncoder(t, async (encoder) => {
    await encoder.save(file('kept.safetensors'));
    const again = await VideoEncoder.load(file('kept.safetensors'), { precision: 'fp32' });
    t.is(await again.digest(), await encoder.digest());
    t.deepEqual(again.description, encoder.description);
    t.deepEqual(await again.embed(file('v0.avi')), await encoder.embed(file('v0.avi')));
    await again.dispose();
    await t.throwsAsync(encoder.save(file('absent/kept.safetensors')), { code: 'ERR_VSSL_WRITE' });
    await t.throwsAsync(encoder.save(3 as never), invalid);
  });
});

test('what cannot be loaded says why', async (t) => {
  await t.throwsAsync(VideoEncoder.load(file('nothing')), { code: 'ERR_VSSL_FILE' });
  mkdirSync(file('empty'));
  await t.throwsAsync(VideoEncoder.load(file('empty')), { code: 'ERR_VSSL_FILE', message: /run folder/ });
  await t.throwsAsync(VideoEncoder.load(file('bad.avi')), { code: 'ERR_VSSL_SAFETENSORS' });
  await t.throwsAsync(VideoEncoder.load(folder, { devise: 'cpu' } as object), {
    ...invalid,
    message: /devise/,
  });
  await t.throwsAsync(VideoEncoder.load(folder, { threads: 0 }), invalid);
  await t.throwsAsync(VideoEncoder.load(folder, { device: 'gpu' as 'cpu' }), invalid);
  await t.throwsAsync(VideoEncoder.create({ arch: 'resnet' }), invalid);
  await t.throwsAsync(VideoEncoder.create({ arch: 'r3d_10', width: -1 }), invalid);
  await t.throwsAsync(VideoEncoder.create({ arch: 'r3d_10', clip: { frames: 0 } }), invalid);
  await t.throwsAsync(VideoEncoder.create({ arch: 'r3d_10', input: 'flow' as 'rgb' }), invalid);
});

test('wrong arguments are refused before any work', async (t) => {
  await withEncoder(t, async (encoder) => {
    const embed = (...args: unknown[]) => encoder.embed(...(args as Parameters<typeof encoder.embed>));
    const forward = (...args: unknown[]) => encoder.forward(...(args as Parameters<typeof encoder.forward>));
    for (const video of [null, 5, {}, { frames: new Uint8Array(5), shape: [1, 1, 1, 3] }])
      await t.throwsAsync(embed(video), invalid);
    await t.throwsAsync(embed({ frames: new Uint8Array(3), shape: [1, 1, 1] }), invalid);
    await t.throwsAsync(embed({ frames: new Uint8Array(0), shape: [0, 1, 1, 3] }), invalid);
    for (const options of [{ clips: 0 }, { crops: 2 }, { clip: 1 }, { signal: {} }, null])
      await t.throwsAsync(embed(file('v0.avi'), options), invalid);
    await t.throwsAsync(forward(new Float32Array(5), [1, 3, 1, 1, 1]), invalid);
    await t.throwsAsync(forward(new Float32Array(4), [1, 4, 1, 1, 1]), invalid);
    await t.throwsAsync(forward([1, 2, 3], [1, 3, 1, 1, 1]), invalid);
    const missing = await t.throwsAsync<Error & { code: string }>(embed(file('nothing.avi')));
    t.regex(missing!.code, /^ERR_VSSL_VIDEO/);
    const bad = await t.throwsAsync<Error & { code: string }>(embed(file('bad.avi')));
    t.regex(bad!.code, /^ERR_VSSL_VIDEO/);
  });
});

test('embedMany keeps the order, and gives bad files as values', async (t) => {
  await withEncoder(t, async (encoder) => {
    const paths = ['v0.avi', 'bad.avi', 'v1.avi', 'nothing.avi', 'v2.avi'].map(file);
    const results = [];
    for await (const result of encoder.embedMany(paths, { clips: 2 })) results.push(result);
    t.deepEqual(
      results.map(({ path }) => path),
      paths,
    );
    t.deepEqual(
      results.map((result) => 'error' in result),
      [false, true, false, true, false],
    );
    const [first, second] = results;
    t.deepEqual('vector' in first! && first.vector, await encoder.embed(paths[0]!, { clips: 2 }));
    t.regex('error' in second! ? second.error.code : '', /^ERR_VSSL_VIDEO/);
  });
});

test('embedMany reads no further ahead than a few files, and stops when left', async (t) => {
  await withEncoder(t, async (encoder) => {
    let taken = 0;
    let closed = false;
    async function* endless() {
      try {
        for (;;) yield file(`v${taken++ % 3}.avi`);
      } finally {
        closed = true;
      }
    }
    let seen = 0;
    for await (const result of encoder.embedMany(endless(), { clips: 1 })) {
      t.true('vector' in result);
      seen++;
      t.true(taken - seen <= 10, `${taken} taken, ${seen} seen`);
      if (seen === 12) break;
    }
    t.true(closed);
  });
});

test('an aborted call rejects with the reason of its signal', async (t) => {
  await withEncoder(t, async (encoder) => {
    const reason = new Error('no longer wanted');
    await t.throwsAsync(encoder.embed(file('v0.avi'), { signal: AbortSignal.abort(reason) }), { is: reason });
    const stop = new AbortController();
    const slow = encoder.embed(file('v0.avi'), { clips: 20, crops: 3, signal: stop.signal });
    setImmediate(() => stop.abort(reason));
    await t.throwsAsync(slow, { is: reason });
    const later = new AbortController();
    await t.throwsAsync(
      async () => {
        for await (const _ of encoder.embedMany(
          [0, 1, 2, 0, 1, 2].map((i) => file(`v${i}.avi`)),
          { signal: later.signal },
        ))
          later.abort(reason);
      },
      { is: reason },
    );
    t.is((await encoder.embed(file('v0.avi'))).length, encoder.dim, 'the encoder still works');
  });
});

test('after dispose every call fails; calls under way are finished first', async (t) => {
  const encoder = await VideoEncoder.create(small);
  const under = encoder.embed(file('v0.avi'));
  const gone = encoder.dispose();
  t.is((await under).length, encoder.dim);
  await gone;
  await encoder.dispose();
  await t.throwsAsync(encoder.embed(file('v0.avi')), disposed);
  await t.throwsAsync(encoder.forward(new Float32Array(3), [1, 3, 1, 1, 1]), disposed);
  await t.throwsAsync(encoder.embedMany([file('v0.avi')]).next(), disposed);
  t.throws(() => encoder.stats(), disposed);
});

test('dispose between two vectors of embedMany ends it', async (t) => {
  const encoder = await VideoEncoder.create(small);
  await t.throwsAsync(async () => {
    for await (const _ of encoder.embedMany([0, 1, 2, 0, 1, 2].map((i) => file(`v${i}.avi`))))
      await encoder.dispose();
  }, disposed);
});

test('Symbol.asyncDispose is dispose', async (t) => {
  const encoder = await VideoEncoder.create(small);
  await encoder[Symbol.asyncDispose]();
  await t.throwsAsync(encoder.embed(file('v0.avi')), disposed);
});

test('a folder of pictures, and an empty folder', async (t) => {
  await withEncoder(t, async (encoder) => {
    mkdirSync(file('no-pictures'), { recursive: true });
    const error = await t.throwsAsync<Error & { code: string }>(encoder.embed(file('no-pictures')));
    t.is(error!.code, 'ERR_VSSL_VIDEO_OPEN');
  });
});
