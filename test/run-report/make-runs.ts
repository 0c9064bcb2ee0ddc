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
    const config = tinyConfig({
      train: { steps, seed: i, threads: 1 },
      data: { workers: 1 },
      log: { plans: i === 0 },
    });
    const evaluated = {
      everyEpochs: 2,
      data: 'synthetic:motion?count=32&pixels=48&appearances=4',
      folds: 'group',
    };
    await train({ ...config, data: { ...config.data, path: videos }, eval: evaluated, out });
    for (const protocol of ['knn', 'retrieval'] as const)
      await evaluate({
        protocol,
        run: out,
        train: videos,
        test: videos,
        windows: 1,
        threads: 1,
        baseline: 'random',
      });
    await evaluate({
      protocol: 'lowshot',
      run: out,
      train: videos,
      test: videos,
      shots: [1],
      draws: 2,
      threads: 1,
    });
    runs.push(out);
  }
  return runs;
}
