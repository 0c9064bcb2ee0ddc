// `node tools/ci.mjs lint|kernels|engine|engine-cuda [--prebuild DIR [--any-system]]`: what the jobs of .github/workflows do,
// here as there. Each builds what it needs and tests it, an engine with the FFmpeg that is published in it; --prebuild also
// makes the addon that is published, and --any-system lets that need as new a system as this one. kernels --built FILE tests an
// addon that was built elsewhere. Needs the npm packages (`npm ci`).
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildTypeScript } from './build.mjs';
import { buildFfmpeg } from './build-ffmpeg.mjs';
import { buildNative, cmakeBuild } from './build-native.mjs';
import { isProgram, log, main, root, ToolError } from './common.mjs';
import { locateLibtorch } from './locate-libtorch.cjs';
import { prebuild } from './prebuild.mjs';
import { haveLibtorch } from './setup.mjs';
import { checkBiome, runAva, runSteps, runSuites } from './test-runner.mjs';

/** Rooms of the tests that need an engine, and no GPU. */
const ENGINE_ROOMS = ['engine', 'embed', 'methods', 'train', 'video', 'weights'];

const tests = (rooms) => rooms.map((room) => `build/test/${room}/**/*.test.js`);

/** By job: the steps, each of which may fail without keeping the next from being tried. */
const jobs = {
  lint: () => [
    async function biome() {
      await checkBiome();
    },
    async function documents() {
      buildTypeScript();
      await runAva(['build/test/install/{docs,doors,functions,workflows}.test.js']);
    },
  ],
  kernels: ({ built }) => {
    if (built === undefined) buildNative({ kernelsOnly: true });
    else {
      mkdirSync(join(root, 'build/Release'), { recursive: true });
      copyFileSync(built, join(root, 'build/Release/vssl_kernels.node'));
    }
    buildTypeScript();
    return [
      async function kernels() {
        await runAva(tests(['kernels']));
      },
    ];
  },
  engine: async () => {
    const { prefix } = await haveLibtorch('cpu', { yes: true });
    const ffmpeg = buildFfmpeg();
    buildNative({ libtorch: prefix, ffmpeg });
    buildTypeScript();
    cmakeBuild({ libtorch: prefix, target: 'vssl_tests', ffmpeg });
    return [
      async function suites() {
        await runSuites('build/cmake', ['engine_test', 'video_test']);
      },
      async function rooms() {
        await runAva(tests(ENGINE_ROOMS));
      },
    ];
  },
  // Built and linked: the machines that do this have no GPU.
  'engine-cuda': async () => {
    await haveLibtorch('cuda', { yes: true });
    buildNative({
      libtorch: (await haveLibtorch('cpu', { yes: true })).prefix,
      cuda: { libtorch: locateLibtorch(undefined, 'cuda').prefix },
      ffmpeg: buildFfmpeg(),
    });
    buildTypeScript();
    return [
      async function loads() {
        await runAva(['build/test/engine/flavour-process.test.js']);
      },
    ];
  },
};

if (isProgram(import.meta.url))
  await main(async () => {
    const { values, positionals } = parseArgs({
      options: { prebuild: { type: 'string' }, 'any-system': { type: 'boolean' }, built: { type: 'string' } },
      allowPositionals: true,
    });
    const [name] = positionals;
    if (positionals.length !== 1 || !(name in jobs))
      throw new ToolError(`expected one of ${Object.keys(jobs).join(', ')}`, 2);
    const steps = await jobs[name](values);
    if (values.prebuild !== undefined)
      steps.push(async function published() {
        log(`making the package's ${name}`);
        prebuild(name, { out: values.prebuild, anySystem: values['any-system'] });
      });
    await runSteps(steps);
  });
