// What an index takes: to write, to open, and to be searched, in this process and with the event loop watched.
//   node benchmarks/index-speed.mjs [--sizes 100000,1000000] [--dim 512] [--windows 1] [--searches 30] [--out FILE]
//   node benchmarks/index-speed.mjs --table [--check]
//
// Random unit vectors in fp16, a video for every --windows of them. --windows 1 is the most lines that an index of so many
// vectors can have, and so the slowest to open. Each answer is compared with one that is computed here in doubles. Prints
// a JSON object, or writes it to FILE. --table makes the table of docs/search.md from benchmarks/results/index-speed.json.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { describeMachine } from '../dist/esm/bench/machine.js';
import { median } from '../dist/esm/bench/statistics.js';
import { halfToFloat } from '../dist/esm/data/half.js';
import { VideoIndex } from '../dist/esm/index.js';
import { fillPage, markdown, root } from './page.mjs';

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '100000,1000000' },
    dim: { type: 'string', default: '512' },
    windows: { type: 'string', default: '1' },
    searches: { type: 'string', default: '30' },
    out: { type: 'string' },
    table: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
  },
});
const [dim, windows, searches] = [values.dim, values.windows, values.searches].map(Number);
const ENTRIES = 4096;
const CHECKED = 3; // searches whose answers are computed here too
const TOP = 10;
const HALVES = Float64Array.from({ length: 65536 }, (_, half) => halfToFloat(half));

/** Numbers in [-1, 1), the same for the same seed (xorshift32). */
function numbers(seed) {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  };
}

function drawVector(draw) {
  const vector = Float32Array.from({ length: dim }, draw);
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
  return vector.map((x) => x / length);
}

async function secondsOf(work) {
  const start = performance.now();
  const result = await work();
  return [(performance.now() - start) / 1000, result];
}

async function write(db, count) {
  const draw = numbers(1);
  const index = await VideoIndex.open(db, { encoder: { digest: `sha256:${'0'.repeat(64)}`, dim } });
  for (let video = 0; video < count / windows; ) {
    const entries = [];
    for (; entries.length < ENTRIES && video < count / windows; video++)
      entries.push({
        path: `videos/${String(video).padStart(8, '0')}.mp4`,
        label: `class ${video % 100}`,
        windows: Array.from({ length: windows }, (_, i) => ({
          start: i,
          end: i + 1,
          vector: drawVector(draw),
        })),
      });
    await index.add(entries);
  }
  await index.close();
}

/** Scores of the best, in doubles, from what lies on the disk. */
function exactly(db, query) {
  const best = [];
  for (const name of readdirSync(db)
    .filter((file) => file.endsWith('.vectors'))
    .sort()) {
    const bytes = readFileSync(join(db, name));
    const rows = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
    for (let row = 0; row < rows.length; row += dim) {
      let sum = 0;
      for (let i = 0; i < dim; i++) sum += query[i] * HALVES[rows[row + i]];
      if (best.length < TOP || sum > best[TOP - 1]) {
        best.push(sum);
        best.sort((a, b) => b - a).splice(TOP);
      }
    }
  }
  return best;
}

/** Median seconds of a search, and the longest time for which the event loop stood still. */
async function timeSearches(index, draw, options, count) {
  const times = [];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  for (let i = 0; i < count; i++) {
    const query = drawVector(draw);
    delay.enable();
    times.push((await secondsOf(() => index.search(query, { top: TOP, ...options })))[0]);
    delay.disable();
  }
  return { seconds: median(times), longestStall: delay.max / 1e9 };
}

async function check(db, index, draw) {
  for (let i = 0; i < CHECKED; i++) {
    const query = drawVector(draw);
    const found = (await index.search(query, { top: TOP })).map(({ similarity }) => similarity);
    const wanted = exactly(db, query);
    const off = Math.max(...wanted.map((score, k) => Math.abs(score - found[k])));
    if (!(off < 1e-5)) throw new Error(`a search gave ${found}, and exactly it is ${wanted}`);
  }
}

async function measure(count) {
  const db = mkdtempSync(join(tmpdir(), 'vssl-index-speed-'));
  try {
    const [writing] = await secondsOf(() => write(db, count));
    const opening = [];
    let index;
    for (let i = 0; i < 3; i++) {
      await index?.close();
      const [seconds, opened] = await secondsOf(() => VideoIndex.open(db));
      opening.push(seconds);
      index = opened;
    }
    const draw = numbers(7);
    const [firstSearch] = await secondsOf(() => index.search(drawVector(draw), { top: TOP }));
    await check(db, index, draw);
    const row = {
      ...{ windows: count, videos: count / windows, dim, writing, opening: median(opening), firstSearch },
      one: await timeSearches(index, draw, {}, searches),
      perVideo: await timeSearches(index, draw, { perVideo: true }, searches),
      filter: await timeSearches(index, draw, { filter: { label: 'class 1?' } }, Math.ceil(searches / 6)),
      bytes: readdirSync(db).reduce((sum, file) => sum + statSync(join(db, file)).size, 0),
      residentBytes: process.memoryUsage.rss(),
    };
    await index.close();
    return row;
  } finally {
    rmSync(db, { recursive: true });
  }
}

const ms = (seconds) => `${(1000 * seconds).toFixed(seconds < 0.0995 ? 1 : 0)} ms`;

function table({ machine, threads, searches, date, rows }) {
  const cells = ({ windows, opening, firstSearch, one, perVideo, filter, bytes, residentBytes }) => [
    ...[windows.toLocaleString('en'), `${opening.toFixed(2)} s`, `${firstSearch.toFixed(2)} s`],
    ...[one, perVideo, filter].map(({ seconds }) => ms(seconds)),
    ...[ms(one.longestStall), `${(bytes / 1e6).toFixed(0)} MB`, `${(residentBytes / 1e6).toFixed(0)} MB`],
  ];
  const columns = ['windows', 'to open', 'first search', 'a search', 'per video', 'with a filter'];
  const made = `${rows[0].dim} numbers, fp16, ${rows[0].videos === rows[0].windows ? 'a video each' : `${rows[0].windows / rows[0].videos} to a video`}`;
  return `${markdown([...columns, 'longest stall', 'on the disk', 'of the process'], rows.map(cells))}

(${made}; medians of ${searches} searches for the best ${TOP}; ${machine.cpu}, ${threads} threads, Node ${machine.node}, commit ${(machine.commit ?? 'unknown').slice(0, 10)}, ${date.slice(0, 10)})
`;
}

async function run() {
  const rows = [];
  for (const count of values.sizes.split(',').map(Number)) {
    rows.push(await measure(count));
    console.error(JSON.stringify(rows.at(-1)));
  }
  const result = {
    ...{ format: 'vssl-native index speed', formatVersion: 1, date: new Date().toISOString() },
    ...{ machine: describeMachine(), threads: availableParallelism(), searches, rows },
  };
  const text = `${JSON.stringify(result, null, 2)}\n`;
  if (values.out) writeFileSync(values.out, text);
  else console.log(text);
}

const committed = join(root, 'benchmarks/results/index-speed.json');
if (values.table)
  fillPage('docs/search.md', 'index-speed', table(JSON.parse(readFileSync(committed, 'utf8'))), values.check);
else await run();
