// Gets libtorch into the cache: wheels that are unpacked beside each other, as pip lays them out, because PyTorch's
// libraries look for NVIDIA's there. One explicit command does it (setup); nothing else ever does. A call that was broken
// off goes on with what it lacks.
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { log, platformTag as platform, ToolError } from './common.mjs';
import { libtorchBuilds } from './libtorch-wheels.mjs';
import { describeLibtorch, isCudaLibtorch, isLibtorch } from './locate-libtorch.cjs';
import { agree, megabytes } from './terminal.mjs';
import { describeWheel, unpackWheel } from './wheel.mjs';
import { getWheel, sourcesOf } from './wheel-sources.mjs';

/**
 * { prefix, version, cuda, source }. `wheel`: a file or a folder of wheels to take instead of what is published; `yes`: do
 * not ask before a download. Nothing is at its place until all of it is whole.
 */
export async function getLibtorch(
  flavour = 'cpu',
  { yes, wheel: own, build = libtorchBuilds[flavour] } = {},
) {
  const wheels = build.wheels[platform];
  if (!wheels)
    throw new ToolError(
      `there is no official ${build.title} for ${platform}, but for ${Object.keys(build.wheels).join(', ')}; set ` +
        'LIBTORCH to one that you have',
      3,
      'ERR_VSSL_LIBTORCH',
    );
  const place = build.place();
  // With others beside it, PyTorch's folder is one of several; alone it is the whole.
  const [folder, inside] = wheels.length > 1 ? [dirname(place), '.'] : [place, 'torch'];
  const part = `${folder}.part`;
  const isDone = (wheel) =>
    existsSync(recordOf(part, wheel)) && readFileSync(recordOf(part, wheel), 'utf8') === wheel.sha256;
  const release = makeFolder(part);
  try {
    const missing = wheels.filter((wheel) => !isDone(wheel));
    await agreeTo(missing, { build, own, folder, yes });
    await untilStopped(async (signal) => {
      for (const wheel of missing) await unpackOne(wheel, { build, own, flavour, part, signal });
    });
    checkWhole(join(part, 'torch'), flavour, build);
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(part, inside), folder);
    if (inside !== '.') rmSync(part, { recursive: true });
  } finally {
    release();
  }
  return describeLibtorch(place, 'cache');
}

/** That a wheel is unpacked, by its digest. */
const recordOf = (part, { name, version }) => join(part, 'unpacked', `${name}-${version}`);

/** Makes the folder for one process; gives what ends that. */
function makeFolder(part) {
  const lock = `${part}.lock`;
  try {
    mkdirSync(join(part, 'unpacked'), { recursive: true });
    if (isHeld(lock))
      throw new ToolError(
        `another process is getting libtorch into ${dirname(part)} (its number is in ${lock}): wait for it, then give the command again`,
        3,
        'ERR_VSSL_LOCKED',
      );
    rmSync(lock, { force: true });
    const file = openSync(lock, 'wx');
    writeFileSync(file, String(process.pid));
    closeSync(file);
  } catch (error) {
    if (error instanceof ToolError) throw error;
    throw new ToolError(
      `libtorch is kept in ${dirname(part)}, which cannot be written: ${error.message}. Name another folder in VSSL_CACHE`,
      3,
      'ERR_VSSL_ENVIRONMENT',
    );
  }
  return () => rmSync(lock, { force: true });
}

/** Whether a process that lives holds the lock. */
function isHeld(lock) {
  const pid = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0;
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Says what is going to be loaded, how much, from where and where to; and sees to it that there is room. */
async function agreeTo(missing, { build, own, folder, yes }) {
  if (missing.length === 0) return;
  const bytes = missing.reduce((sum, wheel) => sum + wheel.bytes, 0);
  const largest = Math.max(...missing.map((wheel) => wheel.bytes));
  const sources = sourcesOf(missing[0], { own, index: build.index });
  const from = sources.map(({ what }) => what).join(', else ');
  const plan = [
    `${build.title} is not here yet. It will be taken from ${from}:`,
    ...missing.map((wheel) => `  ${wheel.file}, ${megabytes(wheel.bytes)}`),
    `${megabytes(bytes)} in all, into ${folder}, where it takes ${megabytes(build.unpacked)}`,
  ].join('\n');
  checkRoom(dirname(folder), (build.unpacked * bytes) / totalOf(build) + largest, build.title);
  await agree(plan, { yes: yes || !sources.some(({ isNetwork }) => isNetwork) });
}

const totalOf = (build) => build.wheels[platform].reduce((sum, wheel) => sum + wheel.bytes, 0);

/** Before gigabytes are on their way. */
function checkRoom(folder, room, title) {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= room) return;
  throw new ToolError(
    `${title} needs ${megabytes(room)} in ${folder}, where ${megabytes(bavail * bsize)} are free; VSSL_CACHE names another folder`,
    3,
    'ERR_VSSL_ENVIRONMENT',
  );
}

async function unpackOne(wheel, { build, own, flavour, part, signal }) {
  const downloads = join(part, 'download');
  mkdirSync(downloads, { recursive: true });
  const file = await getWheel(wheel, sourcesOf(wheel, { own, index: build.index }), downloads, signal);
  if (wheel.name === 'torch') {
    await checkWheel(file, wheel, flavour);
    rmSync(join(part, 'torch'), { recursive: true, force: true }); // half of another one
  }
  await unpackWheel(file, part, signal);
  rmSync(downloads, { recursive: true });
  writeFileSync(recordOf(part, wheel), wheel.sha256);
}

/** By what is in it, before gigabytes are unpacked: whoever names a file vouches for it, and may mean another. */
async function checkWheel(file, { version, file: name }, flavour) {
  const found = await describeWheel(file);
  const machine = { x64: 'x86_64', arm64: /darwin/.test(platform) ? 'arm64' : 'aarch64' }[process.arch];
  const system = process.platform === 'darwin' ? 'macosx' : 'linux';
  const wrong = !found.hasTorch
    ? 'no libtorch'
    : found.hasCuda !== (flavour === 'cuda')
      ? `a libtorch ${found.hasCuda ? 'for CUDA' : 'for the CPU alone'}`
      : !found.tags.some((tag) => tag.includes(system) && tag.endsWith(machine))
        ? `a libtorch for another system (${found.tags.join(', ')})`
        : found.version.split('+')[0] !== version.split('+')[0]
          ? `libtorch ${found.version}`
          : null;
  if (wrong === null) return;
  throw new ToolError(
    `'${file}' holds ${wrong}; expected ${name}, or the like. Another libtorch (2.6 or newer): unpack it and set LIBTORCH ` +
      'to its folder torch',
    3,
    'ERR_VSSL_LIBTORCH',
  );
}

function checkWhole(torch, flavour, build) {
  if (flavour === 'cuda' ? isCudaLibtorch(torch) : isLibtorch(torch)) return;
  rmSync(join(torch, '../unpacked'), { recursive: true });
  throw new ToolError(
    `what was unpacked in ${torch} is not ${build.title}: headers or libraries are missing`,
    3,
    'ERR_VSSL_LIBTORCH',
  );
}

/** Ctrl-C stops the work between two pieces of a file; what was loaded is kept. */
async function untilStopped(work) {
  const stop = new AbortController();
  const onStop = () => stop.abort();
  process.once('SIGINT', onStop);
  try {
    await work(stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    log('');
    throw new ToolError(
      'stopped; what was loaded is kept, and the same command goes on from there',
      130,
      'ERR_VSSL_ABORTED',
    );
  } finally {
    process.removeListener('SIGINT', onStop);
  }
}
