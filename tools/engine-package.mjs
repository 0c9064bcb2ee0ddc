// The engine from a package of its own: installed into the project that has vssl-native, tried, and used where it loads.
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { log, output, platformTag, root, run, ToolError } from './common.mjs';
import { nameOf, packageFor } from './package-list.mjs';
import { agree } from './terminal.mjs';

/** What installs one exact version, by the lock file of the project. */
const managers = [
  ['pnpm-lock.yaml', ['pnpm', 'add', '--save-exact']],
  ['yarn.lock', ['yarn', 'add', '--exact']],
  ['bun.lock', ['bun', 'add', '--exact']],
  ['package-lock.json', ['npm', 'install', '--save-exact']],
];

const above = (folder) => (dirname(folder) === folder ? [folder] : [folder, ...above(dirname(folder))]);

/** The folder of the project around `from` that has this package; undefined where none has. */
function projectAround(from) {
  return above(from).find((folder) => {
    const installed = join(folder, 'node_modules/vssl-native');
    return existsSync(installed) && realpathSync(installed) === realpathSync(root);
  });
}

/** Program and arguments that install `wanted` in a project. */
export function installCommand(project, wanted) {
  const places = above(project);
  const [, command] =
    managers.find(([lock]) => places.some((folder) => existsSync(join(folder, lock)))) ?? managers.at(-1);
  return [...command, wanted];
}

function isInstalled(entry) {
  try {
    createRequire(join(root, 'package.json')).resolve(`${nameOf(entry)}/${entry.addon}.node`);
    return true;
  } catch {
    return false;
  }
}

/** Whether the engine of a package is there, or is installed now. */
async function install(entry, version, yes) {
  if (isInstalled(entry)) return true;
  const wanted = `${nameOf(entry)}@${version}`;
  const project = projectAround(process.cwd());
  if (!project) {
    log(
      `${wanted} is ${entry.what}, prebuilt; give this command in the project that has vssl-native to use it`,
    );
    return false;
  }
  const [program, ...args] = installCommand(project, wanted);
  await agree(`${entry.what}, prebuilt, is a package. In ${project}:\n  ${[program, ...args].join(' ')}`, {
    yes,
  });
  try {
    run(program, args, { cwd: project });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    log(`going on without it: ${error.message}`);
  }
  return isInstalled(entry);
}

/**
 * Whether the process has an engine for `flavour` by a package, which loads here. `getLibtorch`: called where libtorch is
 * needed to tell.
 */
export async function usePackage(flavour, { version, yes, getLibtorch }) {
  const entry = packageFor(flavour === 'cuda' ? 'engine-cuda' : 'engine', platformTag);
  const local = join(root, 'build/Release', flavour === 'cuda' ? 'cuda' : '', 'vssl_engine.node');
  if (!entry || existsSync(local) || !(await install(entry, version, yes))) return false;
  await getLibtorch();
  const probe = join(root, 'dist/esm/native/probe-engine.js');
  const answer = output(process.execPath, [probe], { env: { ...process.env, VSSL_ENGINE: flavour } });
  const { attempts = [] } = JSON.parse(answer?.split('\n').at(-1) || '{}');
  const loaded = attempts.find(({ code }) => code === 'loaded');
  if (loaded) log(`${entry.what} loads: ${loaded.path}`);
  else
    log(
      `${nameOf(entry)} cannot be used:${attempts.map(({ path, message }) => `\n  ${path}: ${message}`).join('')}`,
    );
  return loaded !== undefined;
}
