// `npm run test:cross [-- arm64 windows clang]`: the kernels where they also run. Their C++ suites, built for arm64 Linux and run
// by qemu, built for Windows and run by wine, and built by clang with every warning an error. Gets the compilers through
// apt-get. What runs in an emulator says nothing about speed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildForWindows, windowsTools } from './build-windows.mjs';
import { filesUnder, have, jobs, log, main, root, run, ToolError } from './common.mjs';
import { aptInstall } from './setup.mjs';
import { env, runSteps, runSuites } from './test-runner.mjs';

const suites = filesUnder('native/tests')
  .map((file) => /\/(kernels_(?:\w+_)?test)\.cpp$/.exec(file)?.[1])
  .filter(Boolean);

/** Builds the suites with one compiler; gives their folder. */
function buildSuites(name, settings) {
  const folder = `build/cross/${name}`;
  const given = { CMAKE_BUILD_TYPE: 'Release', VSSL_ENGINE: 'OFF', VSSL_CUDA: 'OFF', ...settings };
  const defines = Object.entries(given).map(([key, value]) => `-D${key}=${value}`);
  run('cmake', ['-S', root, '-B', join(root, folder), '-G', 'Ninja', '--log-level=WARNING', ...defines]);
  run('cmake', ['--build', join(root, folder), '--parallel', String(jobs()), '--target', ...suites]);
  return folder;
}

/** By where: programs with Debian's packages, what builds the suites, and what runs them. */
const places = {
  arm64: {
    needs: [
      ['aarch64-linux-gnu-g++', 'g++-aarch64-linux-gnu'],
      ['qemu-aarch64', 'qemu-user'],
    ],
    build: () =>
      buildSuites('arm64', {
        CMAKE_SYSTEM_NAME: 'Linux',
        CMAKE_SYSTEM_PROCESSOR: 'aarch64',
        CMAKE_CXX_COMPILER: 'aarch64-linux-gnu-g++',
        CMAKE_CXX_FLAGS: '-Werror',
      }),
    launcher: ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu'],
  },
  windows: {
    needs: [...windowsTools, ['wine', 'wine']],
    build: () => buildForWindows([...suites, 'vssl_kernels'], '-Werror'),
    suffix: '.exe',
    launcher: ['wine'],
  },
  clang: {
    needs: [['clang++', 'clang']],
    build: () =>
      buildSuites('clang', {
        CMAKE_CXX_COMPILER: 'clang++',
        CMAKE_CXX_FLAGS: '-Wall -Wextra -Wpedantic -Werror',
      }),
    launcher: [],
  },
};

function stepFor(name) {
  const { build, suffix = '', launcher } = places[name];
  const step = async () => {
    log(`the kernels' suites: ${name}`);
    await runSuites(
      build(),
      suites.map((suite) => suite + suffix),
      launcher,
    );
  };
  return Object.defineProperty(step, 'name', { value: name });
}

await main(async () => {
  const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(places);
  const strange = chosen.find((name) => !(name in places));
  if (strange !== undefined)
    throw new ToolError(`expected some of ${Object.keys(places).join(', ')}, not '${strange}'`, 2);
  const missing = chosen.flatMap((name) => places[name].needs).filter(([program]) => !have(program));
  if (missing.length > 0) aptInstall(missing.map(([, debian]) => debian));
  const prefix = mkdtempSync(join(tmpdir(), 'vssl-wine-'));
  Object.assign(env, { WINEPREFIX: prefix, WINEDEBUG: '-all' });
  try {
    await runSteps(chosen.map(stepFor));
  } finally {
    rmSync(prefix, { recursive: true, force: true });
  }
});
