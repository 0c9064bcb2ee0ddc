// What tar shards gain over files in folders: seconds until the videos are listed, and until a clip of each of some of them
// is looked at, decoded and there, in turn: files, shards, files, shards. Each time is of a process of its own.
//   node benchmarks/tar-shards.mjs FOLDER [--clips 400] [--pairs 5] [--per-shard 500] [--threads 2]
// FOLDER holds videos (benchmarks/start-up.mjs --folder FOLDER --files 5000 makes some). Shards are made of them beside it
// with the system's tar, and removed. As root the kernel's caches are dropped before each process, so that the disk is read;
// otherwise both are warm, as it says. Prints a line of JSON.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from '../dist/esm/bench/statistics.js';
import { planEvaluationClips } from '../dist/esm/data/clip-plan.js';
import { loadManifest } from '../dist/esm/data/manifest.js';
import { Rng } from '../dist/esm/data/rng.js';
import { readFacts } from '../dist/esm/embed/video-facts.js';
import { loadEngine } from '../dist/esm/native/load.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    clips: { type: 'string', default: '400' },
    pairs: { type: 'string', default: '5' },
    'per-shard': { type: 'string', default: '500' },
    threads: { type: 'string', default: '2' },
    child: { type: 'boolean', default: false },
    seed: { type: 'string', default: '0' },
  },
});
const [given] = positionals;
if (!given) throw new Error('say which videos: node benchmarks/tar-shards.mjs FOLDER');

const BATCH = 16;
const FORMAT = {
  clip: { frames: 8, stride: 4, size: 112, fps: null },
  input: 'rgb',
  shrink: 'auto',
  mean: [0.45, 0.45, 0.45],
  std: [0.225, 0.225, 0.225],
};

async function measure(spec) {
  const engine = loadEngine();
  const loader = engine.createLoader({ threads: Number(values.threads), cacheBytes: 0 });
  const start = performance.now();
  const { rows } = await loadManifest(spec);
  const listed = performance.now();
  const order = new Rng(Number(values.seed), 'clips').shuffle(Uint32Array.from(rows, (_, i) => i));
  const drawn = Array.from(order.subarray(0, Number(values.clips)), (i) => rows[i]);
  for (let i = 0; i < drawn.length; i += BATCH) {
    const clips = await Promise.all(
      drawn.slice(i, i + BATCH).map(async (row) => {
        const facts = await readFacts(engine, row);
        return planEvaluationClips({ source: row.source, facts, format: FORMAT, windows: 1 })[0];
      }),
    );
    const { batch, failures } = await loader.load({ version: 2, views: [{ name: 'view', clips }] });
    if (failures.length > 0) throw new Error(`${failures[0].path}: ${failures[0].reason}`);
    batch.dispose();
  }
  loader.dispose();
  const loaded = performance.now();
  return {
    videos: rows.length,
    clips: drawn.length,
    list: (listed - start) / 1000,
    load: (loaded - listed) / 1000,
  };
}

function dropCaches() {
  try {
    execFileSync('sync');
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    return true;
  } catch {
    return false;
  }
}

function inChild(spec, seed) {
  const args = [
    '--child',
    '--clips',
    values.clips,
    '--threads',
    values.threads,
    '--seed',
    String(seed),
    spec,
  ];
  return JSON.parse(
    execFileSync(process.execPath, [fileURLToPath(import.meta.url), ...args], { encoding: 'utf8' }),
  );
}

/** Shards of the videos, in their order. */
async function pack(folder, into) {
  const { rows } = await loadManifest(folder);
  const perShard = Number(values['per-shard']);
  for (let i = 0; i < rows.length; i += perShard) {
    const names = rows.slice(i, i + perShard).map(({ id }) => id);
    const shard = join(into, `clips-${String(i / perShard).padStart(6, '0')}.tar`);
    execFileSync('tar', ['-cf', shard, '-C', folder, '--verbatim-files-from', '-T', '-'], {
      input: names.join('\n'),
    });
  }
}

if (values.child) {
  console.log(JSON.stringify(await measure(given)));
} else {
  const folder = resolve(given);
  const shards = mkdtempSync(join(dirname(folder), 'vssl-shards-'));
  try {
    await pack(folder, shards);
    const cold = dropCaches();
    const found = { files: [], shards: [] };
    for (let pair = 0; pair < Number(values.pairs); pair++)
      for (const [name, spec] of [
        ['files', folder],
        ['shards', `tar:${shards}`],
      ]) {
        dropCaches();
        found[name].push(inChild(spec, pair));
      }
    const ratioOf = (key) => median(found.files.map((files, i) => files[key] / found.shards[i][key]));
    const secondsOf = (key) => ({
      files: median(found.files.map((one) => one[key])),
      shards: median(found.shards.map((one) => one[key])),
      ratio: ratioOf(key),
    });
    const { videos, clips } = found.files[0];
    console.log(
      JSON.stringify({
        videos,
        clips,
        cold,
        pairs: found.files.length,
        list: secondsOf('list'),
        load: secondsOf('load'),
      }),
    );
  } finally {
    rmSync(shards, { recursive: true });
  }
}
