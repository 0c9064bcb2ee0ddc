// npm run setup: everything a fresh machine needs, then the build; with --cuda, for a GPU as well. Cheap to run again.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildAll } from './build.mjs';
import { flowHeader, have, isProgram, log, main, output, root, run, ToolError } from './common.mjs';
import { requireNvcc } from './cuda-toolkit.mjs';
import { usePackage } from './engine-package.mjs';
import { locateLibtorch } from './locate-libtorch.cjs';
import { agree } from './terminal.mjs';

/** A checkout of the repository, and no installed package. */
const isClone = existsSync(join(root, 'package-lock.json'));

/** Debian packages, each with a test of its presence. */
const systemPackages = [
  ['g++', () => have('g++')],
  ['make', () => have('make')],
  ['cmake', () => have('cmake')],
  ['ninja-build', () => have('ninja')],
  ['pkg-config', () => have('pkg-config')],
  ...['avformat', 'avcodec', 'avutil', 'swscale'].map((name) => [
    `lib${name}-dev`,
    () => output('pkg-config', ['--exists', `lib${name}`]) !== undefined,
  ]),
];

/** Without these the build goes on, and has less. */
const optionalPackages = [['libopencv-video-dev', () => flowHeader() !== undefined, 'optical flow']];

async function installSystemPackages(yes) {
  const absent = ([, present]) => !present();
  const missing = systemPackages.filter(absent).map(([name]) => name);
  const optional = optionalPackages.filter(absent);
  const names = [...missing, ...optional.map(([name]) => name)];
  if (names.length === 0) return;
  await agree(`To be installed with apt-get: ${names.join(' ')}`, { yes });
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

/**
 * `cuda`: the engine for CUDA as well. `yes`: do not ask before a download. `wheel`: PyTorch's wheel, or a folder of wheels.
 * `build`: from source, also where there is a package with the engine.
 */
export async function setup({ cuda = false, yes = false, wheel, build = false } = {}) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 17))
    throw new ToolError(`Node ${process.versions.node} is too old: 20.17 or newer is needed`, 3);
  const libtorchFor = (flavour) =>
    haveLibtorch(flavour, { yes, wheel: cuda === (flavour === 'cuda') ? wheel : undefined });
  const flavours = cuda ? ['cpu', 'cuda'] : ['cpu'];
  if (!build && !isClone && (await usePackages(flavours, { yes, libtorchFor }))) return;
  if (cuda) requireNvcc(); // gigabytes are fetched for it
  await installSystemPackages(yes);
  if (isClone) installNpmPackages();
  const libtorch = await libtorchFor('cpu');
  const forCuda = cuda && (await libtorchFor('cuda'));
  await buildAll({ libtorch: libtorch.prefix, ...(cuda && { cuda: { libtorch: forCuda.prefix } }) });
}

/** Whether packages have all that is asked for. */
async function usePackages(flavours, { yes, libtorchFor }) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const flavour of flavours)
    if (!(await usePackage(flavour, { version, yes, getLibtorch: () => libtorchFor(flavour) }))) return false;
  return true;
}

/** The libtorch that is here, or is got now. */
export async function haveLibtorch(flavour, options) {
  // It needs npm packages, which a fresh clone has only now.
  const get = async () => (await import('./get-libtorch.mjs')).getLibtorch(flavour, options);
  const libtorch = locateLibtorch(undefined, flavour) ?? (await get());
  const { version, prefix } = libtorch;
  log(`libtorch ${version}${flavour === 'cuda' ? ' for CUDA' : ''} in ${prefix}`);
  return libtorch;
}

if (isProgram(import.meta.url))
  await main(async () => {
    const options = {
      cuda: { type: 'boolean' },
      yes: { type: 'boolean', short: 'y' },
      wheel: { type: 'string' },
    };
    await setup(parseArgs({ options }).values);
  });
