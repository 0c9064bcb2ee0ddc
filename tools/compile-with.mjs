// `node tools/compile-with.mjs VERSION|newest [--cuda]`: compiles the engine against the headers of another libtorch, which
// pip gets. Nothing is linked or run: it says whether the sources are at home there. For CUDA the toolkit's headers are used and,
// where it lacks cuBLAS and its kin, those beside the libtorch that `setup --cuda` keeps.
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { jobs, log, main, run, ToolError } from './common.mjs';
import { cachedLibtorch } from './locate-libtorch.cjs';
import { unpackWheel } from './wheel.mjs';
import { pipDownload } from './wheel-sources.mjs';

function argumentsOf([version, ...rest]) {
  if (!/^(\d+\.\d+\.\d+|newest)$/.test(version ?? '') || rest.some((option) => option !== '--cuda'))
    throw new ToolError(
      'expected the version of a PyTorch wheel and, for its CUDA part too, --cuda: 2.10.0 --cuda',
      2,
    );
  return { version, cuda: rest.includes('--cuda') };
}

main(async () => {
  const { version, cuda } = argumentsOf(process.argv.slice(2));
  const work = mkdtempSync(join(tmpdir(), 'vssl-libtorch-'));
  try {
    const wheel = pipDownload(work, { name: 'torch', version: version === 'newest' ? '' : version });
    await unpackWheel(wheel, work);
    rmSync(wheel);
    const beside = join(dirname(cachedLibtorch('cuda')), 'nvidia');
    if (cuda && existsSync(beside)) symlinkSync(beside, join(work, 'nvidia'));
    const build = join(work, 'build');
    mkdirSync(build);
    const settings = {
      CMAKE_BUILD_TYPE: 'Release',
      VSSL_LIBTORCH: join(work, 'torch'),
      VSSL_ENGINE: 'ON',
      VSSL_ENGINE_CUDA: cuda ? 'ON' : 'OFF',
    };
    const given = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
    run('cmake', ['-S', '.', '-B', build, ...given]);
    run('cmake', ['--build', build, '--target', 'vssl_engine_core', '-j', String(jobs())]);
    log(`the engine compiles with libtorch ${version}${cuda ? ' for CUDA' : ''}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});
