/**
 * Tries every writer of the project where hardly anything can be written (a size limit, or a full disk: whoever starts
 * this sees to it) and prints one line of JSON each. Arguments: folder to write in, video file, weights file.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FactsIndex } from '#src/data/facts-index.js';
import { loadManifest } from '#src/data/manifest.js';
import type { VideoRow } from '#src/data/rows.js';
import { embedToFile } from '#src/embed/embed-to-file.js';
import { evaluate } from '#src/eval/evaluate.js';
import { prepare } from '#src/prepare/prepare.js';
import { writeSyntheticVideos } from '#src/prepare/write-synthetic.js';
import { RunLog } from '#src/train/run-log.js';
import { train } from '#src/train/train.js';
import { writeResultFile } from '#src/weights/atomic-write.js';
import { writeCheckpoint } from '#src/weights/checkpoint.js';
import { tinyConfig } from './tiny-run.js';

const [out, videos, weights] = process.argv.slice(2) as [string, string, string];
const KINDS = ['metrics', 'plans', 'quarantine'] as const;

async function attempt(writer: string, write: () => Promise<unknown>): Promise<void> {
  const result = await write().then(
    () => ({ code: 'none', message: '' }),
    (error) => ({ code: error.code, message: error.message }),
  );
  process.stdout.write(`${JSON.stringify({ writer, ...result })}\n`);
}

const long = 'x'.repeat(3000);
const at = (name: string) => join(out, name);

await attempt('result', () => writeResultFile(at('result.json'), long.repeat(20)));
await attempt('pipe', () => loadManifest(`pipe?cache=${at('cache')}:head -c 200000 /dev/zero`));
await attempt('checkpoint', async () => {
  await mkdir(at('checkpoints'), { recursive: true });
  const tensors = [
    { name: 'a', dtype: 'U8', shape: [60_000], data: new Uint8Array(60_000).fill(1) } as const,
  ];
  await writeCheckpoint(at('checkpoints'), { step: 3, state: {}, tensors }, { keep: 1 });
});
for (const kind of KINDS)
  await attempt(kind, async () => {
    const log = await RunLog.open({ folder: out, tensorboard: false, plans: true, step: 0, quarantine: [] });
    try {
      for (let step = 1; step <= 40; step++) {
        if (kind === 'metrics') await log.metrics({ step, epoch: 0, note: long }, {});
        else if (kind === 'plans')
          await log.plan(step, {
            step,
            epoch: 0,
            plan: { version: 2, views: [{ name: long, clips: [] }] },
            samples: [],
            samplePlans: [],
            failed: [],
            unusable: [],
          });
        else
          await log.quarantine({
            what: 'file',
            id: `${step}`,
            path: `${step}`,
            code: 'ERR_VSSL_VIDEO_OPEN',
            reason: long,
            where: -1,
            epoch: 0,
            step,
          });
      }
    } finally {
      await log.close();
    }
  });
await attempt('tensorboard', async () => {
  const log = await RunLog.open({ folder: out, tensorboard: true, plans: false, step: 0, quarantine: [] });
  try {
    const tags = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${i}${long}`, i]));
    for (let step = 1; step <= 3; step++) await log.metrics({ step, epoch: 0 }, tags);
  } finally {
    await log.close();
  }
});
await attempt('facts cache', async () => {
  let warning = '';
  const index = await FactsIndex.open({
    readFacts: async ({ path }) => ({
      path,
      codec: '',
      width: 1,
      height: 1,
      times: Float64Array.from({ length: 5000 }, Math.random).sort(),
      end: 2,
      warnings: [],
    }),
    cacheFile: at('video-index.jsonl'),
    generation: '',
    onWarning: (message) => {
      warning = message;
    },
  });
  await index.get({ id: 'a', path: videos, source: { kind: 'file', path: videos } } as VideoRow);
  await index.flush();
  throw Object.assign(new Error(warning), { code: 'warning' });
});
const given = { weights, data: videos, threads: 1 };
await attempt('embed to safetensors', () => embedToFile({ ...given, out: at('v.safetensors'), clips: 1 }));
await attempt('embed to JSON lines', () => embedToFile({ ...given, out: at('v.jsonl'), clips: 1 }));
await attempt('prepare', () => prepare({ data: videos, out: at('copy'), threads: 1 }));
await attempt('synthesize', () =>
  writeSyntheticVideos({ data: 'synthetic:motion?count=2&pixels=64', out: at('clips') }),
);
await attempt('eval', async () => {
  await evaluate({
    protocol: 'retrieval',
    run: process.argv[5]!,
    data: videos,
    threads: 1,
  });
});
await attempt('train', async () => {
  await train(tinyConfig({ train: { steps: 1 } }) as never, { data: videos, out: at('run') }).result;
});
const left = (await readdir(out, { recursive: true })).filter((name) =>
  /\.(tmp|part)$|\.tmp|clips\/.*mp4/.test(name),
);
process.stdout.write(`${JSON.stringify({ writer: 'left over', message: left.join(' '), code: '' })}\n`);
