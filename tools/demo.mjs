// npm run demo: set-up, then the main job on real encoded video files that it makes: train, evaluate, print a table.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { log, main, root, run } from './common.mjs';
import { setup } from './setup.mjs';

const folder = join(root, 'demo');
const videos = join(folder, 'videos');
const set = { seed: 1, pixels: 96, seconds: 2, fps: 25 };
/** Appearances (sprites, backgrounds) of the two splits differ, so only the motion is common to a class. */
const splits = [
  { split: 'train', count: 320 },
  { split: 'test', count: 160 },
];
/** Steps of 48 pairs: about three minutes on two cores. */
const steps = 300;

/** Small labelled motion clips as real files, and their manifest. Made once. */
async function makeVideos() {
  const manifest = join(videos, 'manifest.csv');
  const made = JSON.stringify({ set, splits });
  const record = join(videos, 'made.json');
  if (existsSync(record) && readFileSync(record, 'utf8') === made) return manifest;
  rmSync(videos, { recursive: true, force: true });
  const { planSyntheticSet } = await import('../dist/esm/data/synthetic.js');
  const { loadEngine } = await import('../dist/esm/native/load.js');
  const engine = loadEngine();
  const lines = ['path,label,group'];
  for (const { split, count } of splits) {
    log(`making ${count} ${split} videos`);
    for (const row of planSyntheticSet({ ...set, split, count })) {
      const file = `${row.name}.mp4`;
      mkdirSync(dirname(join(videos, file)), { recursive: true });
      const frames = await engine.renderSynthetic(row.source, row.times, set.pixels, set.pixels);
      await engine.writeVideo(join(videos, file), frames, [row.times.length, set.pixels, set.pixels], {
        fps: row.fps,
      });
      lines.push(`${file},${row.label},${split}`);
    }
  }
  writeFileSync(manifest, `${lines.join('\n')}\n`);
  writeFileSync(record, made);
  return manifest;
}

/** One command of the package, shown as the user would type it. */
function cli(...args) {
  log(`\n$ npx vssl-native ${args.map((arg) => (/[?*&=]/.test(arg) ? `'${arg}'` : arg)).join(' ')}`);
  run(process.execPath, ['dist/esm/cli/main.js', ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
}

await main(async () => {
  const started = performance.now();
  await setup({ yes: true });
  const manifest = relative(root, await makeVideos());
  const out = relative(root, join(folder, 'run'));
  const train = `${manifest}?group=train`;
  const test = `${manifest}?group=test`;
  cli('check', '--data', manifest);
  cli('train', '--preset', 'cvrl-tiny', '--data', train, '--out', out, '--set', `train.steps=${steps}`);
  for (const protocol of ['knn', 'linear', 'retrieval'])
    cli('eval', protocol, '--run', out, '--train', train, '--test', test, '--baseline', 'random', '--floors');
  const minutes = ((performance.now() - started) / 60000).toFixed(1);
  log(
    `\nThe demo took ${minutes} minutes. In ${out}/: weights.safetensors, metrics.jsonl, the TensorBoard file and`,
  );
  log('eval-*.json with the results above. The same commands train on your own folder of videos.');
});
