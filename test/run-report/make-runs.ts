/** Small runs that were really trained, evaluated and logged, on videos whose names no page may trip over. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { evaluate, train } from '#src/index.js';
import { writeHostileVideos } from '../browser/hostile-videos.js';
import { tinyConfig } from '../helpers/tiny-run.js';

/** Cannot be opened, and has a name to match. */
export const BROKEN = 'broken <b>one</b>.mp4'.replaceAll('/', '\u2215');

/** `folder/videos`, and `folder/run-a`, `folder/run-b`... trained on them. The first logs its plans. */
export async function makeRuns(folder: string, count: number, steps = 12): Promise<string[]> {
  const videos = join(folder, 'videos');
  await writeHostileVideos(videos);
  await writeFile(join(videos, 'left', BROKEN), 'no video');
  const runs: string[] = [];
  for (let i = 0; i < count; i++) {
    const out = join(folder, `run-${'abcdefgh'[i]}`);
    const config = tinyConfig({ train: { steps, seed: i }, log: { plans: i === 0 } });
    const evaluated = { everyEpochs: 1, data: videos, folds: 'label:2' };
    await train({ ...config, data: { ...config.data, path: videos }, eval: evaluated, out });
    for (const protocol of ['knn', 'retrieval'] as const)
      await evaluate({
        protocol,
        run: out,
        train: videos,
        test: videos,
        windows: 1,
        threads: 2,
        baseline: 'random',
      });
    runs.push(out);
  }
  return runs;
}
