// How long a run takes to its first step on many files that nobody looked at yet: time, files looked at, memory.
//   node benchmarks/start-up.mjs [--files 20000] [--folder DIR] [--index-first] [--cache-mb N]
// --cache-mb: decoded pictures that are kept, of which two batches fill the more the longer their groups of pictures are.
// DIR is kept, and used again when it holds the files. Prints one line of JSON.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const [FPS, SECONDS, HEIGHT, WIDTH] = [25, 10, 96, 128];
/** Different films; the files of one film differ in what stands behind it. */
const FILMS = 16;

/** A square that moves over a pattern, 10 s. */
function film(number) {
  const frames = FPS * SECONDS;
  const rgb = new Uint8Array(frames * HEIGHT * WIDTH * 3);
  let at = 0;
  for (let t = 0; t < frames; t++) {
    const [left, top] = [(t * (1 + (number % 3)) + number * 7) % WIDTH, (t + number * 11) % HEIGHT];
    for (let y = 0; y < HEIGHT; y++)
      for (let x = 0; x < WIDTH; x++) {
        const inside = Math.abs(x - left) < 12 && Math.abs(y - top) < 12;
        for (let c = 0; c < 3; c++)
          rgb[at++] = inside ? 230 - 60 * c : 110 + 60 * Math.sin((x * (1 + (number % 5)) + y * (c + 1)) / 9);
      }
  }
  return { rgb, shape: [frames, HEIGHT, WIDTH] };
}

/** A box of a kind that players pass over, with a number in it. */
function numberedBox(number) {
  const box = Buffer.alloc(16);
  box.writeUInt32BE(16, 0);
  box.write('free', 4, 'latin1');
  box.writeUInt32BE(number, 12);
  return box;
}

/** `count` different MP4 files in class folders. */
async function makeFiles(folder, count) {
  const { loadEngine } = await import('../dist/esm/native/load.js');
  const scratch = mkdtempSync(join(tmpdir(), 'vssl-films-'));
  const films = [];
  for (let i = 0; i < FILMS; i++) {
    const path = join(scratch, `${i}.mp4`);
    const { rgb, shape } = film(i);
    await loadEngine().writeVideo(path, rgb, shape, { fps: FPS, codec: 'mpeg4', gop: 50 });
    films.push(readFileSync(path));
  }
  rmSync(scratch, { recursive: true });
  for (let i = 0; i < count; i++) {
    const group = join(folder, `class${String(i % 100).padStart(2, '0')}`);
    if (i < 100) mkdirSync(group, { recursive: true });
    const path = join(group, `clip-${String(i).padStart(6, '0')}.mp4`);
    writeFileSync(path, Buffer.concat([films[i % FILMS], numberedBox(i)]));
  }
}

const countFiles = (folder) =>
  readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.mp4')).length;

/** In a process of its own: a new run up to its first step, the loading of the batch after it included. */
async function takeOneStep(path, out) {
  const [{ loadEngine }, { train }] = await Promise.all([
    import('../dist/esm/native/load.js'),
    import('../dist/esm/train/train.js'),
  ]);
  const engine = loadEngine();
  const looked = new Set();
  const { indexVideo } = engine;
  engine.indexVideo = (path, ...rest) => {
    looked.add(path);
    return indexVideo.call(engine, path, ...rest);
  };
  let told = null;
  const stop = new AbortController();
  const { indexFirst, cacheMB } = JSON.parse(process.env.VSSL_START_UP);
  const data = cacheMB === undefined ? { path } : { path, cacheMB };
  const run = train({ extends: 'cvrl-tiny', data }, { out, signal: stop.signal, indexFirst });
  const follow = async () => {
    for await (const event of run) {
      if (event.type !== 'step' || told) continue;
      told = {
        seconds: (performance.timeOrigin + performance.now() - Number(process.env.VSSL_BEGUN)) / 1000,
        stepSeconds: event.stepSeconds,
        dataSeconds: event.dataSeconds,
        clips: event.clips,
        looked: looked.size,
        peakBytes: process.resourceUsage().maxRSS * 1024,
      };
      stop.abort();
    }
  };
  await follow().catch((error) => {
    if (error !== stop.signal.reason) throw error;
  });
  console.log(JSON.stringify(told));
}

function measure(folder) {
  const out = mkdtempSync(join(tmpdir(), 'vssl-start-'));
  try {
    const cacheMB = values['cache-mb'] === undefined ? undefined : Number(values['cache-mb']);
    const asked = JSON.stringify({ indexFirst: values['index-first'], cacheMB });
    const env = { ...process.env, VSSL_BEGUN: String(Date.now()), VSSL_START_UP: asked };
    const child = spawnSync(
      process.execPath,
      [fileURLToPath(import.meta.url), 'run', folder, join(out, 'run')],
      {
        ...{ env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
      },
    );
    if (child.status !== 0) throw new Error(`the run ended with ${child.status ?? child.signal}`);
    return JSON.parse(child.stdout.trim().split('\n').at(-1));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

const { values, positionals } = parseArgs({
  options: {
    files: { type: 'string', default: '20000' },
    folder: { type: 'string' },
    'index-first': { type: 'boolean', default: false },
    'cache-mb': { type: 'string' },
  },
  allowPositionals: true,
});
if (positionals[0] === 'run') await takeOneStep(positionals[1], positionals[2]);
else {
  const files = Number(values.files);
  const folder = values.folder ?? mkdtempSync(join(tmpdir(), 'vssl-many-'));
  mkdirSync(folder, { recursive: true });
  try {
    if (countFiles(folder) !== files) await makeFiles(folder, files);
    console.log(JSON.stringify({ files, ...measure(folder) }));
  } finally {
    if (values.folder === undefined) rmSync(folder, { recursive: true, force: true });
  }
}
