import test from 'ava';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { scratch, tiny, writeSquareVideo } from './make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

test('encoders that were disposed of leave nothing behind', async (t) => {
  await writeSquareVideo(file('v.avi'), (time) => [0, time]);
  const round = async () => {
    const encoder = await VideoEncoder.create({ arch: 'r3d_10', width: 0.25, clip: tiny });
    await encoder.embed(file('v.avi'));
    const { hostBytes, liveTensors } = encoder.stats();
    await encoder.dispose();
    return { hostBytes, liveTensors };
  };
  const first = await round();
  t.true(first.hostBytes > 2 ** 19, 'big enough to be seen');
  // the first rounds fill caches and thread pools
  for (let i = 0; i < 6; i++) t.deepEqual(await round(), first);
  const before = process.memoryUsage().rss;
  const rounds = 24;
  for (let i = 0; i < rounds; i++) await round();
  const growth = process.memoryUsage().rss - before;
  t.true(
    growth < 0.3 * rounds * first.hostBytes,
    `${growth} bytes after ${rounds} encoders of ${first.hostBytes}`,
  );
});
