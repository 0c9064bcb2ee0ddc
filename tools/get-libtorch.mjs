// Gets libtorch for the CPU into the cache. One explicit command downloads it (setup); nothing else ever does.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { log, run, ToolError } from './common.mjs';
import {
  cachedLibtorch,
  describeLibtorch,
  isCudaLibtorch,
  isLibtorch,
  libtorchVersions,
} from './locate-libtorch.mjs';

/** Downloads the official CPU wheel with pip and unpacks its headers and libraries into the cache. */
export function getLibtorch() {
  const target = cachedLibtorch();
  const work = `${target}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    const wheel = ownWheel() ?? download(work);
    unpackWheel(wheel, work, torchParts);
    const found = join(work, 'torch');
    if (!isLibtorch(found) || isCudaLibtorch(found))
      throw new ToolError(
        `'${wheel}' holds ${isCudaLibtorch(found) ? 'a libtorch for CUDA' : 'no libtorch'}, and one for the CPU is ` +
          'wanted. Name an index with CPU wheels in VSSL_TORCH_INDEX, or a wheel in VSSL_TORCH_WHEEL',
        3,
      );
    if (existsSync(target)) rmSync(target, { recursive: true });
    renameSync(found, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return describeLibtorch(target, 'cache');
}

function download(folder) {
  log(`getting libtorch ${libtorchVersions.cpu} (about 190 MB) with pip`);
  return downloadWheel(folder, { name: 'torch', version: libtorchVersions.cpu }, 'an index with CPU wheels');
}

/** The wheel of libtorch that the user has; undefined where VSSL_TORCH_WHEEL names none, or a folder of wheels. */
export function ownWheel() {
  const path = process.env.VSSL_TORCH_WHEEL;
  return path && !isFolder(path) ? path : undefined;
}

const isFolder = (path) => existsSync(path) && statSync(path).isDirectory();

/** Downloads one wheel, with nothing that it depends on, and gives its path. `index`: what VSSL_TORCH_INDEX may name. */
export function downloadWheel(folder, { name, version }, index, options = []) {
  const { VSSL_TORCH_WHEEL: wheels, VSSL_TORCH_INDEX: named } = process.env;
  const from =
    wheels && isFolder(wheels) ? ['--no-index', '--find-links', wheels] : named ? ['--index-url', named] : [];
  try {
    run('python3', [
      ...['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', ...options, '-d', folder],
      ...[
        '--python-version',
        '3.11',
        ...platforms().flatMap((platform) => ['--platform', platform]),
        ...from,
      ],
      `${name}==${version}`,
    ]);
  } catch (error) {
    throw new ToolError(
      `pip could not download ${name} ${version}: ${error.message}. Set VSSL_TORCH_INDEX to ${index}, ` +
        'VSSL_TORCH_WHEEL to a wheel file or a folder of wheels, or LIBTORCH to an unpacked libtorch',
      3,
    );
  }
  const wheel = readdirSync(folder).find((file) => file.endsWith('.whl'));
  if (!wheel) throw new ToolError('pip reported success but left no wheel', 3);
  return join(folder, wheel);
}

/** Of wheels that run with glibc 2.28: pip takes each of these names by itself alone. */
function platforms() {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const minors = Array.from({ length: 12 }, (_, i) => `manylinux_2_${28 - i}`);
  return [...minors, 'manylinux2014', 'manylinux2010', 'manylinux1'].map((name) => `${name}_${machine}`);
}

/** What C++ needs of PyTorch's wheel. */
export const torchParts = ['torch/lib/', 'torch/include/', 'torch/version.py'];

/** Unpacks the files of a wheel whose names begin with one of `parts`. */
export function unpackWheel(wheel, folder, parts) {
  log(`unpacking ${wheel}`);
  // Python is needed for pip anyway and spares the need for unzip.
  run('python3', ['-c', unpackScript, wheel, folder, ...parts]);
}

const unpackScript = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in wheel.namelist():
        if (name.startswith(tuple(sys.argv[3:])) or ".libs/" in name) and not name.endswith(".a"):
            wheel.extract(name, sys.argv[2])
`;
