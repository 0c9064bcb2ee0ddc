/** A run whose group of processes may have less memory than a step needs. */
import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { makeMemoryGroup } from '../helpers/memory-group.js';
import { makeTinyVideos, readLines, tinyConfig } from '../helpers/tiny-run.js';

const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const MB = 2 ** 20;
/** The build for CUDA holds 270 MB more than that for the CPU before it begins. */
const isCuda = process.env.VSSL_ENGINE === 'cuda';
const LIMIT = (isCuda ? 770 : 500) * MB;
const group = process.platform === 'linux' ? makeMemoryGroup(LIMIT) : null;
test.after.always(() => group?.remove());

(group ? test : test.skip)(
  'no memory left: what was asked for and the limit are named, the checkpoint is whole, and the run goes on',
  async (t) => {
    const videos = await makeTinyVideos(9);
    const folder = await mkdtemp(join(tmpdir(), 'vssl-memory-'));
    const config = join(folder, 'config.json');
    const clip = { frames: 8, stride: 1, size: 112 };
    const run = tinyConfig({ data: { clip }, train: { batch: 8, steps: 3, checkpointEvery: 1 } });
    await writeFile(config, JSON.stringify({ ...run, model: { arch: 'r3d_10', width: 0.5 } }));
    const command = (out: string, ...more: string[]) =>
      [process.execPath, main, 'train', '--config', config, '--data', videos.folder, '--out', out].concat(
        more,
      );
    const start = ([program, ...args]: readonly string[]) =>
      spawnSync(program!, args, { encoding: 'utf8', env: { ...process.env, CI: '1' } });

    const [whole, limited] = [join(folder, 'whole'), join(folder, 'limited')];
    const begun = start(command(limited, '--max-steps', '1'));
    t.is(begun.status, 0, begun.stderr);
    await cp(limited, whole, { recursive: true });

    const [program, args] = group!.wrap(command(limited));
    const failed = start([program, ...args]);
    t.is(group!.kills() ?? 0, 0);
    t.is(failed.status, 1, failed.stderr);
    const message =
      /error: step 2, a batch of 8: (\d+) bytes more were asked for; this process holds (\d+) of the (\d+) that it can have; .*train\.accumulate.*\[ERR_VSSL_OUT_OF_MEMORY\]/;
    t.regex(failed.stderr, message);
    const [asked, holds, limit] = message.exec(failed.stderr)!.slice(1).map(Number);
    t.is(limit, LIMIT);
    t.true(asked! + holds! > limit!);
    // what libraries map counts as held, though it may be charged to others: much of it in the build for CUDA
    t.true(isCuda || holds! <= limit!);
    t.deepEqual(await readdir(join(limited, 'checkpoints')), ['step-000000001.safetensors']);
    t.deepEqual(
      (await readLines(join(limited, 'metrics.jsonl'))).map(({ step }) => step),
      [1],
    );

    for (const out of [whole, limited]) {
      const done = start(command(out));
      t.is(done.status, 0, done.stderr);
    }
    const weights = (out: string) => readFile(join(out, 'weights.safetensors'));
    t.true((await weights(whole)).equals(await weights(limited)));
    await rm(folder, { recursive: true });
  },
);
