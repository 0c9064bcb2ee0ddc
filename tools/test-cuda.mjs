// `npm run test:cuda`: the engine for CUDA, built and tested wherever NVIDIA's nvcc is: every C++ suite of the engine and
// the TypeScript tests that use it, on that build's CPU device. Gets libtorch for CUDA where it is missing (about 3 GB).
import { spawnSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildNative, cmakeBuild } from './build-native.mjs';
import { filesUnder, log, main, root, ToolError } from './common.mjs';
import { requireNvcc } from './cuda-toolkit.mjs';
import { haveLibtorch, setup } from './setup.mjs';
import { count, env, runAva, runSteps, runSuites, skip } from './test-runner.mjs';

/** Rooms whose tests use the engine. */
const ROOMS = [
  ...[
    'api',
    'bench',
    'claims',
    'cli',
    'compare',
    'embed',
    'engine',
    'eval',
    'examples',
    'init',
    'exchange',
    'methods',
    'predict',
    'prepare',
    'report',
    'run-report',
    'search',
    'sweep',
  ],
  ...['train', 'video', 'weights'],
];
const MOST_SECONDS = 3;

// That build, and its CPU device: what is right there is what the other build gives.
env.VSSL_ENGINE = 'cuda';
env.CUDA_VISIBLE_DEVICES = '';

/** What `get` gives; undefined, and why, where this machine lacks it. */
async function unlessLacking(get) {
  try {
    return await get();
  } catch (error) {
    if (!(error instanceof ToolError) || error.exitCode !== 3) throw error;
    skip(`the engine for CUDA was not tested: ${error.message}`);
    return undefined;
  }
}

/** The addon comes in fast enough, and says of itself what it is. */
async function loading() {
  const load = pathToFileURL(join(root, 'dist/esm/native/load.js')).href;
  const program = `
    const start = performance.now();
    const engine = (await import(${JSON.stringify(load)})).loadEngine();
    const seconds = (performance.now() - start) / 1000;
    console.log(JSON.stringify({ seconds, info: engine.info() }));`;
  const takes = Array.from({ length: 4 }, () => {
    const args = ['--input-type=module', '-e', program];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
    if (status !== 0) throw new ToolError(`the engine for CUDA does not load: ${stderr}`);
    return JSON.parse(stdout);
  });
  const { torchVersion, cudaVersion, cudnnVersion, cudaBuilt, cudaReason } = takes[0].info;
  const warm = takes.slice(1).map(({ seconds }) => seconds);
  console.log(
    `libtorch ${torchVersion}, CUDA ${cudaVersion}, cuDNN ${cudnnVersion}; ${cudaReason}; loads in ` +
      `${warm.map((seconds) => seconds.toFixed(2)).join(', ')} s`,
  );
  for (const good of [cudaBuilt, Math.min(...warm) < MOST_SECONDS]) count[good ? 'passed' : 'failed']++;
}

function stepsWith(libtorch) {
  const suites = filesUnder('native/tests')
    .map((file) => basename(file, '.cpp'))
    .filter((name) => /^engine_(.*_)?test$/.test(name));
  const cpp = async () => {
    log('building the C++ tests of the engine for CUDA');
    cmakeBuild({ libtorch, target: 'vssl_engine_tests', flavour: 'cuda' });
    await runSuites('build/cuda', suites);
  };
  const ava = () => runAva(ROOMS.map((room) => `build/test/${room}/**/*.test.js`));
  return [loading, cpp, ava];
}

await main(async () => {
  const nvcc = await unlessLacking(() => requireNvcc());
  if (nvcc) await setup({ yes: true });
  const libtorch = nvcc && (await unlessLacking(() => haveLibtorch('cuda', { yes: true })))?.prefix;
  if (libtorch) buildNative({ cuda: { libtorch } });
  await runSteps(libtorch ? stepsWith(libtorch) : []);
});
