// NVIDIA's compiler, which the CUDA engine is built with.
import { join } from 'node:path';
import { have, output, ToolError } from './common.mjs';

/** The oldest with which the kernels are built. */
const OLDEST = [12, 1];

/** { path, version } of nvcc, or undefined. The same places as native/cmake/Cuda.cmake. */
export function findNvcc(places = [process.env.CUDACXX, 'nvcc', '/usr/local/cuda/bin/nvcc']) {
  for (const path of places) {
    if (!path || !have(`'${path.replaceAll("'", "'\\''")}'`)) continue;
    const version = /release (\d+\.\d+)/.exec(output(path, ['--version']) ?? '')?.[1];
    if (version) return { path, version };
  }
  return undefined;
}

/** Throws unless the CUDA engine can be built. `cuda`: the version that libtorch is for, where it is known. */
export function requireNvcc(cuda = null, nvcc = findNvcc()) {
  const major = (cuda ?? '13.0').split('.')[0];
  const remedy = `install NVIDIA's CUDA toolkit ${major} (its packages nvcc and cudart are enough), or set CUDACXX to its nvcc`;
  if (!nvcc)
    throw new ToolError(
      `the CUDA engine is compiled by nvcc, which was not found (CUDACXX, PATH, ${join('/usr/local/cuda/bin', 'nvcc')}); ${remedy}`,
      3,
    );
  const [of, minor] = nvcc.version.split('.').map(Number);
  if (of < OLDEST[0] || (of === OLDEST[0] && minor < OLDEST[1]))
    throw new ToolError(
      `${nvcc.path} is of CUDA ${nvcc.version}; expected ${OLDEST.join('.')} or newer; ${remedy}`,
      3,
    );
  if (cuda !== null && String(of) !== major)
    throw new ToolError(
      `${nvcc.path} is of CUDA ${nvcc.version}, and libtorch is for CUDA ${cuda}: one process has one CUDA runtime; ${remedy}`,
      3,
    );
  return nvcc;
}
