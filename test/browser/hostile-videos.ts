/** A folder of small videos of moving things, some of them with names that no page may trip over. */
import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeSyntheticVideos } from '#src/prepare/write-synthetic.js';
import { writeSquareVideo } from '../embed/make-videos.js';

/** A slash alone cannot be in a name. */
export const HOSTILE_NAMES: readonly (string | Buffer)[] = [
  '"><script>alert(1)<\u2215script>.mp4',
  `it's & <b onmouseover="alert(2)">&lt;bold&gt;.mp4`,
  'two\nlines,\ta tab and an escape\u001b[31m.mp4',
  '\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd.mp4',
  'turned \u202e4pm.txet.mp4',
  Buffer.concat([Buffer.from('no text '), Buffer.from([0xff, 0xfe, 0xe9]), Buffer.from('.mp4')]),
  `${'long'.repeat(58)}.mp4`,
  "');background-image:url(http:\u2215\u2215example.org);.mp4",
  '<\u2215style><\u2215title><!--{{1}}`.mp4',
];

/**
 * Writes `count` moving things, DIR/MOTION/NAME.mp4: 6 s, 160 x 160. The first ones have the names above. Beside them are
 * a copy of another, an upright one and a wide one.
 */
export async function writeHostileVideos(folder: string, count = 14): Promise<void> {
  await writeSyntheticVideos({
    data: `synthetic:motion?count=${count}&pixels=160&seconds=6&fps=12`,
    out: folder,
  });
  rmSync(join(folder, 'manifest.csv'));
  const videos = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.mp4'))
    .map((name) => join(folder, name))
    .sort();
  copyFileSync(videos.at(-1)!, join(dirname(videos.at(-1)!), 'copy of another.mp4'));
  for (const [i, name] of HOSTILE_NAMES.entries())
    renameSync(videos[i]!, Buffer.concat([Buffer.from(`${dirname(videos[i]!)}/`), Buffer.from(name)]));
  mkdirSync(join(folder, 'shapes'));
  const shapes = { upright: [200, 90], wide: [60, 240] } as const;
  for (const [name, [height, width]] of Object.entries(shapes))
    await writeSquareVideo(
      join(folder, 'shapes', `${name}.avi`),
      (t) => [t % (height / 2), t % (width / 2)],
      {
        ...{ height, width, frames: 100, color: [90, 190, 170] },
      },
    );
}
