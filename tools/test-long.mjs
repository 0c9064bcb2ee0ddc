// npm run test:long: what takes minutes, or gigabytes of disk. A list of ten million videos gives its first batch plan
// within a minute, and the process needs no more than 4 GB. ROWS=N for another number.
import { spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { log, main, root, ToolError } from './common.mjs';

const MOST_SECONDS = 60;
const MOST_BYTES = 4e9;
const BATCH = 64;

/** Lines of a list as people write it: a class folder, a name, a label. */
function* lines(rows) {
  yield 'path,label\n';
  for (let i = 0; i < rows; i += 10_000) {
    let text = '';
    for (let row = i; row < Math.min(rows, i + 10_000); row++) {
      const label = `class${String(row % 400).padStart(3, '0')}`;
      text += `videos/${label}/clip-${String(row).padStart(8, '0')}.mp4,${label}\n`;
    }
    yield text;
  }
}

/** In a process of its own, for its peak memory: loads the list and plans the first batch, and one of the third epoch. */
async function planFirst(list) {
  const from = (name) => import(new URL(`../dist/esm/${name}.js`, import.meta.url).href);
  const [{ loadManifest }, { BatchPlanner }, { Quarantine }, { resolveConfig }, { getMethod }] =
    await Promise.all(
      ['data/manifest', 'data/planner', 'data/quarantine', 'methods/config', 'methods/registry'].map(from),
    );
  const start = performance.now();
  const manifest = await loadManifest(list);
  const listed = performance.now();
  const train = { batch: BATCH, epochs: 10, schedule: { warmupSteps: 0 } };
  const config = resolveConfig({ method: 'cvrl', data: { path: list }, train });
  const method = getMethod('cvrl');
  let looked = 0;
  const times = Float64Array.from({ length: 300 }, (_, i) => i / 30);
  const getFacts = async ({ path }) => {
    looked++;
    return { path, codec: 'h264', width: 340, height: 256, times, end: 10, warnings: [] };
  };
  const planner = new BatchPlanner({
    ...{ config, manifest, getFacts, quarantine: new Quarantine() },
    totalSteps: 10 * Math.floor(manifest.rows.length / BATCH),
    planViews: (context) => method.planViews(context, config),
  });
  const { batch } = await planner.planBatch(0);
  const planned = performance.now();
  const far = await planner.planBatch(3 * planner.stepsPerEpoch(0) - 1);
  console.log(
    JSON.stringify({
      rows: manifest.rows.length,
      videos: new Set(batch.samples.map(({ index }) => index)).size,
      epoch: far.batch.epoch,
      looked,
      listSeconds: (listed - start) / 1000,
      planSeconds: (planned - listed) / 1000,
      peakBytes: process.resourceUsage().maxRSS * 1024,
    }),
  );
}

async function testLong() {
  if (!existsSync(join(root, 'dist/esm')))
    throw new ToolError("dist/ is not there: 'npm run build' makes it");
  const rows = Number(process.env.ROWS ?? 10_000_000);
  const folder = mkdtempSync(join(tmpdir(), 'vssl-long-'));
  try {
    const list = join(folder, 'videos.csv');
    await pipeline(lines(rows), createWriteStream(list));
    const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), list], { encoding: 'utf8' });
    if (child.status !== 0)
      throw new ToolError(`planning ended with ${child.status ?? child.signal}:\n${child.stderr}`);
    const told = JSON.parse(child.stdout);
    const seconds = told.listSeconds + told.planSeconds;
    log(
      `${told.rows} rows: listed in ${told.listSeconds.toFixed(1)} s, first plan ${told.planSeconds.toFixed(1)} s later, ` +
        `peak ${(told.peakBytes / 1e9).toFixed(2)} GB`,
    );
    const checks = [
      ['every row is there', told.rows === rows],
      ['a batch of different videos', told.videos === BATCH],
      ['the third epoch is found', told.epoch === 2],
      ['files are looked at as they are drawn', told.looked === 2 * BATCH],
      [`the first plan within ${MOST_SECONDS} s (${seconds.toFixed(1)} s)`, seconds <= MOST_SECONDS],
      [`peak memory of 4 GB (${(told.peakBytes / 1e9).toFixed(2)} GB)`, told.peakBytes <= MOST_BYTES],
    ];
    for (const [name, holds] of checks) if (!holds) console.log(`FAILED ${name}`);
    const failed = checks.filter(([, holds]) => !holds).length;
    console.log(`${checks.length - failed} passed, ${failed} failed`);
    process.exitCode = failed > 0 ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [list] = process.argv.slice(2);
if (list === undefined) await main(testLong);
else await planFirst(list);
