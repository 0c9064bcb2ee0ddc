// Finds libtorch, or gets it when asked. One explicit command downloads it (setup); nothing else ever does.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, log, output, run, ToolError } from './common.mjs';

/** The version that setup gets; 2.6 to current are supported. */
export const libtorchVersion = '2.13.0';

const isLibtorch = (folder) =>
  folder &&
  existsSync(join(folder, 'include/torch/csrc/api/include/torch/torch.h')) &&
  ['libtorch_cpu.so', 'libtorch_cpu.dylib'].some((file) => existsSync(join(folder, 'lib', file)));

const cached = () => join(cacheFolder(), `libtorch-${libtorchVersion}-cpu`);

/** { prefix, version, source } or undefined. `tried` collects what was looked at. */
export function locateLibtorch(explicit, tried = []) {
  const places = [
    ['--libtorch', explicit],
    ['LIBTORCH', process.env.LIBTORCH],
    ['Torch_DIR', process.env.Torch_DIR && join(process.env.Torch_DIR, '../../..')],
    ['cache', cached()],
  ];
  if (process.env.LIBTORCH_USE_PYTORCH === '1') {
    const prefix = output('python3', ['-c', 'import os, torch; print(os.path.dirname(torch.__file__))']);
    places.splice(1, 0, ['LIBTORCH_USE_PYTORCH', prefix]);
  }
  for (const [source, prefix] of places) {
    if (!prefix) continue;
    if (isLibtorch(prefix)) return { prefix, version: versionOf(prefix), source };
    tried.push(`${source}: ${prefix}: no libtorch there`);
    if (source !== 'cache')
      throw new ToolError(`${source} names '${prefix}', which holds no libtorch (include/ and lib/)`, 3);
  }
  return undefined;
}

function versionOf(prefix) {
  const zip = join(prefix, 'build-version');
  if (existsSync(zip)) return readFileSync(zip, 'utf8').trim();
  const wheel = join(prefix, 'version.py');
  if (existsSync(wheel))
    return /__version__\s*=\s*'([^']+)'/.exec(readFileSync(wheel, 'utf8'))?.[1] ?? 'unknown';
  return 'unknown';
}

/** Downloads the official CPU wheel with pip and unpacks its headers and libraries into the cache. */
export function getLibtorch() {
  const target = cached();
  const work = `${target}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    const wheel = process.env.VSSL_TORCH_WHEEL ?? download(work);
    log(`unpacking ${wheel}`);
    // Python is needed for pip anyway and spares the need for unzip; only what C++ needs is unpacked.
    run('python3', ['-c', unpackScript, wheel, work]);
    if (!isLibtorch(join(work, 'torch')))
      throw new ToolError(
        `'${wheel}' holds no CPU libtorch. Name an index with CPU wheels in VSSL_TORCH_INDEX, or a wheel in VSSL_TORCH_WHEEL`,
        3,
      );
    if (existsSync(target)) rmSync(target, { recursive: true });
    renameSync(join(work, 'torch'), target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return { prefix: target, version: versionOf(target), source: 'cache' };
}

const unpackScript = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in wheel.namelist():
        if name.startswith(("torch/lib/", "torch/include/", "torch/version.py")) or ".libs/" in name:
            wheel.extract(name, sys.argv[2])
`;

function download(folder) {
  const pip = (platform) => [
    ...['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '-d', folder],
    ...['--python-version', '3.11', '--platform', platform],
    ...(process.env.VSSL_TORCH_INDEX ? ['--index-url', process.env.VSSL_TORCH_INDEX] : []),
    `torch==${libtorchVersion}`,
  ];
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  log(`getting libtorch ${libtorchVersion} (about 190 MB) with pip`);
  try {
    run('python3', pip(`manylinux_2_28_${machine}`));
  } catch (error) {
    throw new ToolError(
      `pip could not download torch ${libtorchVersion}: ${error.message}. Set VSSL_TORCH_INDEX to an index with CPU wheels, ` +
        'VSSL_TORCH_WHEEL to a wheel file, or LIBTORCH to an unpacked libtorch',
      3,
    );
  }
  const wheel = readdirSync(folder).find((file) => file.endsWith('.whl'));
  if (!wheel) throw new ToolError('pip reported success but left no wheel', 3);
  return join(folder, wheel);
}
