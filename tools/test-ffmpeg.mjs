// `npm run test:ffmpeg [-- FOLDER...]`: the engine with an FFmpeg inside, as it is published, beside the one with the system's.
// It is seen to hide that FFmpeg, to pass the C++ tests of videos, and to read every file of the folders as the other one does:
// the same pictures and the same errors, at no less than 0.95 of its speed. Files are also made with every encoder and container
// that the system's FFmpeg has.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildFfmpeg } from './build-ffmpeg.mjs';
import { buildNative, cmakeBuild } from './build-native.mjs';
import { floorOf } from './check-symbols.mjs';
import { log, main, output, root, run, ToolError } from './common.mjs';
import { haveLibtorch } from './setup.mjs';
import { count, env, runSteps, runSuites, skip } from './test-runner.mjs';

const FOLDER = 'build/ffmpeg/cmake';
const SUITES = [
  'video_test',
  'video_batch_test',
  'video_pictures_test',
  'video_motion_test',
  'video_memory_test',
];
const CODECS = [
  'mpeg4',
  'mjpeg',
  'ffv1',
  'huffyuv',
  'png',
  'rawvideo',
  'mpeg1video',
  'mpeg2video',
  'flv',
  'h263p',
];
const OUTSIDE = ['libx264', 'libx264rgb', 'libx265', 'libvpx', 'libvpx-vp9', 'libaom-av1', 'libtheora'];
const CONTAINERS = ['mp4', 'mov', 'mkv', 'avi', 'ts', 'nut', 'webm', 'flv', 'ogv'];
/** The speed that is asked for, of that of the system's, and how far it may seem below on a machine that does other things. */
const [LEAST, SLACK, PAIRS, SPEED_SECONDS] = [0.95, 0.05, 7, 10];

/** Folders with each engine: the system's FFmpeg, and its own. */
const engines = { system: join(root, 'build/Release'), own: join(root, FOLDER, 'Release') };

function passed(what, holds, why) {
  if (holds) count.passed++;
  else {
    count.failed++;
    console.log(`FAILED ${what}: ${why}`);
  }
}

/** What read-whole.mjs says with one of the engines. */
function read(which, folders, more = {}) {
  const program = join(root, 'test/video/read-whole.mjs');
  const done = spawnSync(process.execPath, [program, root, ...folders], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...env, VSSL_NATIVE_BINDING: engines[which], ...more },
  });
  if (done.status !== 0)
    throw new ToolError(`reading with the ${which} FFmpeg ended with ${done.signal ?? done.status}`);
  return JSON.parse(done.stdout);
}

/** A video of each encoder in each container that the system's FFmpeg writes. */
async function makeVideos(folder) {
  process.env.VSSL_NATIVE_BINDING = engines.system;
  const { loadEngine } = await import('../dist/esm/native/load.js');
  const engine = loadEngine('cpu');
  const [frames, height, width] = [40, 96, 128];
  const pixels = Uint8Array.from({ length: frames * height * width * 3 }, (_, i) => {
    const [x, y, t] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width) % height, i / 3 / width / height];
    return (
      127.5 + 60 * Math.sin(x / 9 + Math.floor(t) / 3 + (i % 3)) + 60 * Math.cos(y / 7 - Math.floor(t) / 5)
    );
  });
  let made = 0;
  for (const codec of [...CODECS, ...OUTSIDE])
    for (const container of CONTAINERS)
      try {
        await engine.writeVideo(join(folder, `${codec}.${container}`), pixels, [frames, height, width], {
          ...{ codec, fps: 25, gop: 12 },
        });
        made++;
      } catch (error) {
        if (error.code !== 'ERR_VSSL_VIDEO_WRITE') throw error;
        rmSync(join(folder, `${codec}.${container}`), { force: true });
      }
  log(`${made} videos of ${CODECS.length + OUTSIDE.length} encoders in ${CONTAINERS.length} containers`);
  return made;
}

function hidden() {
  const file = join(engines.own, 'vssl_engine.node');
  const { needed } = floorOf(file);
  const strange = needed.filter((name) => /^lib(av|sw|dav1d|z\.|postproc)/.test(name));
  passed('needs no FFmpeg', strange.length === 0, `it needs ${strange.join(', ')}`);
  const names =
    output('nm', ['--dynamic', '--defined-only', '--format=just-symbols', file])?.split('\n') ?? [];
  const seen = names.filter((name) =>
    /^(av|ff|sws|swr|swri|dav1d|inflate|deflate|crc32|z)_|^(in|de)flate/.test(name),
  );
  passed('shows no FFmpeg', names.length > 0 && seen.length === 0, `it shows ${seen.slice(0, 5).join(', ')}`);
}

async function suites() {
  await runSuites(FOLDER, SUITES);
}

const scratch = mkdtempSync(join(tmpdir(), 'vssl-ffmpeg-'));
const folders = [];
/** Files of which `speed` measures the reading: one in so many of those that are read. */
const timed = [];

async function reading() {
  passed('videos were made', (await makeVideos(scratch)) >= 20, 'fewer than 20');
  const [one, other] = ['system', 'own'].map((which) => read(which, folders));
  log(`the system's: ${one.ffmpeg}; its own: ${other.ffmpeg}`);
  for (const [file, { what }] of Object.entries(one.found)) {
    const own = other.found[file].what;
    passed(file, own === what, `${what} by the system's, ${own} by its own`);
  }
  const sound = Object.entries(one.found).filter(([, { seconds }]) => seconds !== undefined);
  const all = sound.reduce((sum, [, { seconds }]) => sum + seconds, 0);
  const step = Math.max(1, Math.ceil(all / SPEED_SECONDS));
  timed.push(...sound.filter((_, i) => i % step === 0).map(([file]) => file));
}

/** Two FFmpegs in one process. */
function beside() {
  const library = output('sh', [
    '-c',
    "ldconfig -p | sed -n 's/.*=> \\(.*libavformat[.]so[.0-9]*\\)$/\\1/p' | head -n 1",
  ]);
  if (!library) return skip('there is no libavformat.so to have in the process as well');
  const { ffmpeg, found } = read('own', [scratch], { LD_PRELOAD: library });
  passed('it keeps its own', /vssl/.test(ffmpeg), `it uses ${ffmpeg}`);
  const alone = read('own', [scratch]).found;
  const other = Object.keys(alone).filter((file) => found[file].what !== alone[file].what);
  passed('it reads beside another as it does alone', other.length === 0, other.join(', '));
}

function speed() {
  const secondsOf = (which) =>
    Object.values(read(which, timed).found).reduce((sum, { seconds }) => sum + seconds, 0);
  const ratios = Array.from({ length: PAIRS }, (_, i) => {
    const order = i % 2 ? ['own', 'system'] : ['system', 'own'];
    const seconds = Object.fromEntries(order.map((which) => [which, secondsOf(which)]));
    return seconds.system / seconds.own;
  }).sort((a, b) => a - b);
  const middle = ratios[PAIRS >> 1];
  const shown = `${middle.toFixed(3)} (${ratios[0].toFixed(3)} to ${ratios.at(-1).toFixed(3)})`;
  log(`speed, own over the system's: ${shown}, ${PAIRS} pairs of ${timed.length} files`);
  passed(`speed of at least ${LEAST}`, middle >= LEAST - SLACK, shown);
}

await main(async () => {
  try {
    const { prefix } = await haveLibtorch('cpu', { yes: true });
    buildNative({ libtorch: prefix });
    run(process.execPath, [join(root, 'tools/build-ts.mjs')]);
    const ffmpeg = buildFfmpeg();
    for (const target of ['vssl_engine', ...SUITES])
      cmakeBuild({ libtorch: prefix, target, folder: FOLDER, ffmpeg });
    const given = process.argv.slice(2).map((folder) => resolve(folder));
    folders.push(scratch, ...(given.length > 0 ? given : [env.VSSL_TEST_DATA].filter(Boolean)));
    await runSteps([hidden, suites, reading, beside, speed]);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});
