// npm run setup: everything a fresh machine needs, then the build; with --cuda, for a GPU as well. Cheap to run again.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildAll } from './build.mjs';
import { flowHeader, have, isProgram, log, main, output, root, run, ToolError } from './common.mjs';
import { getCudaLibtorch } from './cuda-libtorch.mjs';
import { requireNvcc } from './cuda-toolkit.mjs';
import { getLibtorch } from './get-libtorch.mjs';
import { locateLibtorch } from './locate-libtorch.mjs';

/** Debian packages, each with a test of its presence. */
const systemPackages = [
  ['g++', () => have('g++')],
  ['make', () => have('make')],
  ['cmake', () => have('cmake')],
  ['ninja-build', () => have('ninja')],
  ['python3-pip', () => have('python3') && output('python3', ['-m', 'pip', '--version']) !== undefined],
  ['pkg-config', () => have('pkg-config')],
  ...['avformat', 'avcodec', 'avutil', 'swscale'].map((name) => [
    `lib${name}-dev`,
    () => output('pkg-config', ['--exists', `lib${name}`]) !== undefined,
  ]),
];

/** Without these the build goes on, and has less. */
const optionalPackages = [['libopencv-video-dev', () => flowHeader() !== undefined, 'optical flow']];

function installSystemPackages() {
  const absent = ([, present]) => !present();
  const missing = systemPackages.filter(absent).map(([name]) => name);
  const optional = optionalPackages.filter(absent);
  if (missing.length > 0) aptInstall(missing);
  for (const [name, , purpose] of optional) {
    try {
      aptInstall([name]);
    } catch (error) {
      log(`going on without ${purpose}: ${error.message}`);
    }
  }
}

/** Installs Debian packages; tells the administrator's command and ends where that is not allowed. */
export function aptInstall(packages) {
  const command = `apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  const isRoot = process.getuid?.() === 0;
  const sudo = !isRoot && output('sudo', ['-n', 'true']) !== undefined;
  if (!have('apt-get') || (!isRoot && !sudo))
    throw new ToolError(`system packages are missing. An administrator must run: ${command}`, 3);
  log(`installing system packages: ${packages.join(' ')}`);
  run(...(sudo ? ['sudo', ['-n', 'sh', '-c', command]] : ['sh', ['-c', command]]), {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

function installNpmPackages() {
  const marker = join(root, 'node_modules/.package-lock.json');
  const wanted = join(root, 'package-lock.json');
  // npm's own record of what is installed holds the same entries as the lock file, less the root's.
  const versions = (file) =>
    JSON.stringify(
      Object.entries(JSON.parse(readFileSync(file, 'utf8')).packages)
        .filter(([path, entry]) => path && !entry.optional)
        .map(([path, entry]) => [path, entry.version])
        .sort(),
    );
  if (existsSync(marker) && versions(marker) === versions(wanted)) return;
  log('installing npm packages');
  run('npm', ['ci', '--no-audit', '--no-fund']);
}

/** `cuda`: the engine for CUDA as well. */
export async function setup({ cuda = false } = {}) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 17))
    throw new ToolError(`Node ${process.versions.node} is too old: 20.17 or newer is needed`, 3);
  if (cuda) requireNvcc(); // gigabytes are fetched for it
  installSystemPackages();
  if (existsSync(join(root, 'package-lock.json'))) installNpmPackages();
  const libtorch = locateLibtorch() ?? getLibtorch();
  log(`libtorch ${libtorch.version} in ${libtorch.prefix}`);
  await buildAll({ libtorch: libtorch.prefix, ...(cuda && { cuda: { libtorch: await cudaLibtorch() } }) });
}

async function cudaLibtorch() {
  const { version, prefix } = locateLibtorch(undefined, 'cuda') ?? (await getCudaLibtorch());
  log(`libtorch ${version} for CUDA in ${prefix}`);
  return prefix;
}

if (isProgram(import.meta.url))
  await main(async () => await setup(parseArgs({ options: { cuda: { type: 'boolean' } } }).values));
