// Gets libtorch for CUDA into the cache: PyTorch's wheel and those of NVIDIA's libraries that it names, unpacked beside
// each other as pip lays them out, because PyTorch's libraries look for the others there. 4.3 GB when all is unpacked; a
// call that was broken off goes on with the wheels that it lacks.
import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { log, ToolError } from './common.mjs';
import { downloadWheel, ownWheel, torchParts, unpackWheel } from './get-libtorch.mjs';
import {
  cachedLibtorch,
  describeLibtorch,
  isCudaLibtorch,
  libtorchVersions,
  versionOf,
} from './locate-libtorch.mjs';

/**
 * What libtorch 2.14.1 for CUDA 13.0 is made of on Linux x64: the versions that PyTorch's wheel demands, by itself or through
 * cuda-toolkit 13.0.3. Name, version, SHA-256 of the wheel (PyTorch's is that of Python 3.11).
 */
export const cudaWheels = [
  ['torch', libtorchVersions.cuda, '305a61f61f35f128579f299c5bd33d475f6a01c6307336139632e30856c4854d'],
  ['nvidia-cublas', '13.1.1.3', '37936a16db8fe4ac1f065c2139360608a543a09275cb1a1af612e08cfa065436'],
  ['nvidia-cuda-cupti', '13.0.85', '4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8'],
  ['nvidia-cuda-nvrtc', '13.0.88', 'ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575'],
  ['nvidia-cuda-runtime', '13.0.96', '7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548'],
  ['nvidia-cudnn-cu13', '9.24.0.43', '71f181cd810e90f9b6023b01186fe82d13d65f0ec098581ee201d39fad769e4b'],
  ['nvidia-cufft', '12.0.0.61', '6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3'],
  ['nvidia-cufile', '1.15.1.6', '08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44'],
  ['nvidia-curand', '10.4.0.35', '1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc'],
  ['nvidia-cusolver', '12.0.4.66', '0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112'],
  ['nvidia-cusparse', '12.6.3.3', '2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b'],
  ['nvidia-cusparselt-cu13', '0.8.1', '786ce87568c303fadb5afcc7102d454cd3040d75f6f8626f5db460d1871f4dd0'],
  ['nvidia-nccl-cu13', '2.30.7', 'cefa7fdb9710efd0f39c5f1be1d61ff6fc9a996c451265bd7fbdcf9455ed4b50'],
  ['nvidia-nvjitlink', '13.4.92', 'e0391f24ed94ec879b84e3da4d4ec320c879aff681f2c7a638462f7199284323'],
  ['nvidia-nvshmem-cu13', '3.4.5', '290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80'],
  ['nvidia-nvtx', '13.0.85', '4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4'],
].map(([name, version, sha256]) => ({ name, version, sha256 }));

/** Bytes of all that is unpacked, and of the largest wheel beside it. */
const ROOM = 5.5e9;

/** { prefix, version, cuda, source }. Nothing is at its place until all of it is whole. */
export async function getCudaLibtorch({
  folder = dirname(cachedLibtorch('cuda')),
  wheels = cudaWheels,
  room = ROOM,
  download = (work, wheel) =>
    downloadWheel(work, wheel, 'an index with the wheels of CUDA 13.0', ['--retries', '0']),
} = {}) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new ToolError(
      `libtorch for CUDA is got on Linux x64 alone, and this is ${process.platform} ${process.arch}; set LIBTORCH to one that you have`,
      3,
    );
  const part = `${folder}.part`;
  if (!existsSync(part)) checkRoom(dirname(folder), room);
  mkdirSync(join(part, 'unpacked'), { recursive: true });
  for (const [i, wheel] of wheels.entries()) {
    const record = join(part, 'unpacked', `${wheel.name}-${wheel.version}`);
    if (existsSync(record) && readFileSync(record, 'utf8') === wheel.sha256) continue;
    log(`getting ${wheel.name} ${wheel.version} with pip (${i + 1} of ${wheels.length})`);
    await getWheel(wheel, part, download);
    writeFileSync(record, wheel.sha256);
  }
  const { version } = wheels[0];
  const torch = join(part, 'torch');
  if (!isCudaLibtorch(torch) || !versionOf(torch).startsWith(version)) {
    rmSync(join(part, 'unpacked', `torch-${version}`));
    throw new ToolError(
      `what was unpacked is libtorch ${versionOf(torch)}${isCudaLibtorch(torch) ? '' : ', without CUDA'}; expected ` +
        `${version} for CUDA. Does VSSL_TORCH_WHEEL name another wheel?`,
    );
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(part, folder);
  return describeLibtorch(join(folder, 'torch'), 'cache');
}

async function getWheel(wheel, part, download) {
  const work = join(part, 'download');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work);
  try {
    const own = wheel.name === 'torch' ? ownWheel() : undefined;
    const file = own ?? download(work, wheel);
    // Whoever names a file vouches for it; its version is looked at when all is there.
    if (!own) await checkDigest(wheel, file);
    unpackWheel(file, part, [...torchParts, 'nvidia/']);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function checkDigest({ name, version, sha256 }, file) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  const found = hash.digest('hex');
  if (found === sha256) return;
  throw new ToolError(
    `${name} ${version}: the SHA-256 of ${basename(file)} is ${found}, expected ${sha256}: another build, or not the ` +
      'file that was published. Leave VSSL_TORCH_INDEX out, or set LIBTORCH to a libtorch that you trust',
  );
}

/** Before gigabytes are on their way. */
function checkRoom(folder, room) {
  mkdirSync(folder, { recursive: true });
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= room) return;
  const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new ToolError(
    `libtorch for CUDA needs ${gigabytes(room)} in ${folder}, where ${gigabytes(bavail * bsize)} are free; ` +
      'VSSL_CACHE names another folder',
    3,
  );
}
