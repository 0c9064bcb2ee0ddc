// Finds libtorch: for the CPU, or for CUDA. What gets it is tools/get-libtorch.mjs and tools/cuda-libtorch.mjs.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, output, ToolError } from './common.mjs';

/** The versions that setup gets. 2.6 to current are supported, and 2.10 to current for CUDA. */
export const libtorchVersions = { cpu: '2.13.0', cuda: '2.14.1' };

export const isLibtorch = (folder) =>
  existsSync(join(folder, 'include/torch/csrc/api/include/torch/torch.h')) &&
  ['libtorch_cpu.so', 'libtorch_cpu.dylib'].some((file) => existsSync(join(folder, 'lib', file)));

/** One for CUDA, which computes on the CPU as well. */
export const isCudaLibtorch = (folder) =>
  isLibtorch(folder) && existsSync(join(folder, 'lib/libtorch_cuda.so'));

/** Where setup puts it. That of CUDA has NVIDIA's libraries beside it, where its own libraries look for them. */
export const cachedLibtorch = (flavour = 'cpu') =>
  flavour === 'cuda'
    ? join(cacheFolder(), `libtorch-${libtorchVersions.cuda}-cu130`, 'torch')
    : join(cacheFolder(), `libtorch-${libtorchVersions.cpu}-cpu`);

/** { prefix, version, cuda, source }, or undefined. `flavour`: 'cpu' takes any libtorch, 'cuda' one for CUDA alone. */
export function locateLibtorch(explicit, flavour = 'cpu') {
  const places = [
    ['--libtorch', explicit],
    ['LIBTORCH', process.env.LIBTORCH],
    ['Torch_DIR', process.env.Torch_DIR && join(process.env.Torch_DIR, '../../..')],
    ['cache', cachedLibtorch(flavour)],
  ];
  if (process.env.LIBTORCH_USE_PYTORCH === '1') {
    const prefix = output('python3', ['-c', 'import os, torch; print(os.path.dirname(torch.__file__))']);
    places.splice(1, 0, ['LIBTORCH_USE_PYTORCH', prefix]);
  }
  for (const [source, prefix] of places) {
    if (!prefix) continue;
    const fits = flavour === 'cuda' ? isCudaLibtorch(prefix) : isLibtorch(prefix);
    if (fits) return describeLibtorch(prefix, source);
    if (source === 'cache') continue;
    if (!isLibtorch(prefix))
      throw new ToolError(`${source} names '${prefix}', which holds no libtorch (include/ and lib/)`, 3);
    // The environment may name the libtorch of the CPU engine: that of CUDA is looked for further on.
    if (source === '--libtorch')
      throw new ToolError(
        `${source} names '${prefix}', a libtorch for the CPU alone; the CUDA engine needs one that has lib/libtorch_cuda.so`,
        3,
      );
  }
  return undefined;
}

export function describeLibtorch(prefix, source) {
  return { prefix, version: versionOf(prefix), cuda: cudaVersionOf(prefix), source };
}

/** '2.14.1+cu130', or 'unknown'. */
export function versionOf(prefix) {
  const zip = join(prefix, 'build-version');
  if (existsSync(zip)) return readFileSync(zip, 'utf8').trim();
  return /__version__\s*=\s*'([^']+)'/.exec(wheelVersion(prefix))?.[1] ?? 'unknown';
}

/** Version of CUDA that it is for, '13.0'; null: none, or it does not say. */
function cudaVersionOf(prefix) {
  const said = /^cuda\b[^=]*=\s*'([\d.]+)'/m.exec(wheelVersion(prefix))?.[1];
  if (said) return said;
  const tag = /\+cu(\d+)(\d)$/.exec(versionOf(prefix));
  return tag ? `${tag[1]}.${tag[2]}` : null;
}

function wheelVersion(prefix) {
  const file = join(prefix, 'version.py');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
