// NVIDIA's compiler, which the engine for CUDA is built with.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { packageRoot } from '#src/native/package-root.js';

const { findNvcc, requireNvcc } = (await import(
  pathToFileURL(join(packageRoot, 'tools/cuda-toolkit.mjs')).href
)) as {
  findNvcc(places: readonly string[]): object | undefined;
  requireNvcc(cuda: string | null, nvcc: { path: string; version: string } | null): object;
};

test('without a compiler that fits: what was looked for, and what to install', (t) => {
  const refusal = (cuda: string | null, version?: string) => {
    const nvcc = version === undefined ? null : { path: '/opt/nvcc', version };
    const fault = t.throws(() => requireNvcc(cuda, nvcc)) as unknown as { message: string; exitCode: number };
    t.is(fault.exitCode, 3);
    return fault.message;
  };
  t.is(findNvcc(['/nonexistent/nvcc', "/none/it's"]), undefined);
  t.regex(
    refusal('13.0'),
    /nvcc, which was not found \(CUDACXX, PATH, .*\); install NVIDIA's CUDA toolkit 13/,
  );
  t.regex(refusal(null, '11.8'), /\/opt\/nvcc is of CUDA 11\.8; expected 12\.1 or newer/);
  t.regex(refusal('13.0', '12.4'), /of CUDA 12\.4, and libtorch is for CUDA 13\.0.*toolkit 13/);
  t.notThrows(() => requireNvcc('13.0', { path: 'nvcc', version: '13.1' }));
});
