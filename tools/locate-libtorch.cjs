// Finds libtorch: for the CPU, or for CUDA. CommonJS, because both the tools and the package's own loader ask it, the latter
// while somebody waits in require(). What gets libtorch is tools/get-libtorch.mjs.
const { spawnSync } = require('node:child_process');
const { existsSync, readFileSync } = require('node:fs');
const { homedir } = require('node:os');
const { join } = require('node:path');

/** The versions that setup gets. 2.6 to current are supported, and 2.10 to current for CUDA. */
const libtorchVersions = { cpu: '2.13.0', cuda: '2.14.1' };

const cacheFolder = () =>
  process.env.VSSL_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'vssl-native');

/** The library that has most of it, by its name on this platform; undefined where there is none. */
const mainLibrary = (folder) =>
  ['libtorch_cpu.so', 'libtorch_cpu.dylib']
    .map((file) => join(folder, 'lib', file))
    .find((file) => existsSync(file));

const isLibtorch = (folder) =>
  existsSync(join(folder, 'include/torch/csrc/api/include/torch/torch.h')) &&
  mainLibrary(folder) !== undefined;

/** One for CUDA, which computes on the CPU as well. */
const isCudaLibtorch = (folder) => isLibtorch(folder) && existsSync(join(folder, 'lib/libtorch_cuda.so'));

/** Where setup puts it. That of CUDA has NVIDIA's libraries beside it, where its own libraries look for them. */
const cachedLibtorch = (flavour = 'cpu') =>
  flavour === 'cuda'
    ? join(cacheFolder(), `libtorch-${libtorchVersions.cuda}-cu130`, 'torch')
    : join(cacheFolder(), `libtorch-${libtorchVersions.cpu}-cpu`);

/** { prefix, version, cuda, source }, or undefined. `flavour`: 'cpu' takes any libtorch, 'cuda' one for CUDA alone. */
function locateLibtorch(explicit, flavour = 'cpu') {
  const places = [
    ['--libtorch', explicit],
    ['LIBTORCH', process.env.LIBTORCH],
    ['Torch_DIR', process.env.Torch_DIR && join(process.env.Torch_DIR, '../../..')],
    ['cache', cachedLibtorch(flavour)],
  ];
  if (process.env.LIBTORCH_USE_PYTORCH === '1')
    places.splice(1, 0, ['LIBTORCH_USE_PYTORCH', folderOfPyTorch()]);
  for (const [source, prefix] of places) {
    if (!prefix) continue;
    const fits = flavour === 'cuda' ? isCudaLibtorch(prefix) : isLibtorch(prefix);
    if (fits) return describeLibtorch(prefix, source);
    if (source === 'cache') continue;
    if (!isLibtorch(prefix))
      throw unfit(`${source} names '${prefix}', which holds no libtorch (include/ and lib/)`);
    // The environment may name the libtorch of the CPU engine: that of CUDA is looked for further on.
    if (source === '--libtorch')
      throw unfit(
        `${source} names '${prefix}', a libtorch for the CPU alone; the CUDA engine needs one that has lib/libtorch_cuda.so`,
      );
  }
  return undefined;
}

/** As the tools' ToolError, which is in an ES module. */
const unfit = (message) => Object.assign(new Error(message), { exitCode: 3, code: 'ERR_VSSL_LIBTORCH' });

function folderOfPyTorch() {
  const script = 'import os, torch; print(os.path.dirname(torch.__file__))';
  const { status, stdout } = spawnSync('python3', ['-c', script], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

const describeLibtorch = (prefix, source) => ({
  prefix,
  version: versionOf(prefix),
  cuda: cudaVersionOf(prefix),
  source,
});

/** '2.14.1+cu130', or 'unknown'. */
function versionOf(prefix) {
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

module.exports = {
  cachedLibtorch,
  cacheFolder,
  describeLibtorch,
  isCudaLibtorch,
  isLibtorch,
  libtorchVersions,
  locateLibtorch,
  mainLibrary,
  versionOf,
};
