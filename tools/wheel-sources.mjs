// Where a wheel is had from, in the order in which that is tried.
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { log, run, ToolError } from './common.mjs';
import { digestOf, fetchFile, shown, unavailable } from './fetch-file.mjs';
import { findInIndex } from './package-index.mjs';
import { progressBar } from './terminal.mjs';

/**
 * { what, isNetwork, get(wheel, folder, signal) } each; `get` gives the path of the file, in `folder` where it had to be
 * made. A wheel that the user names, `own`, or a folder of wheels is the only one: whoever says where it is wants no other.
 */
export function sourcesOf(wheel, { own, index, env = process.env }) {
  const named = own ?? env.VSSL_TORCH_WHEEL;
  if (named && isFolder(named)) return [folderSource(named)];
  if (named && wheel.name === 'torch') return [fileSource(named)];
  return [indexSource(env.VSSL_TORCH_INDEX ?? index), pipSource(env.VSSL_TORCH_INDEX)];
}

const isFolder = (path) => existsSync(path) && statSync(path).isDirectory();

function fileSource(path) {
  return {
    what: path,
    isNetwork: false,
    /** Its user vouches for it: no digest is asked for. */
    async get() {
      if (!existsSync(path)) throw unavailable('there is no such file');
      return resolve(path);
    },
  };
}

function folderSource(folder) {
  return {
    what: `the folder ${folder}`,
    isNetwork: false,
    async get(wheel) {
      const path = join(folder, wheel.file);
      if (!existsSync(path)) throw unavailable('it is not there');
      await checkDigest(wheel, path);
      return path;
    },
  };
}

function indexSource(index) {
  return {
    what: shown(index),
    isNetwork: true,
    async get(wheel, folder, signal) {
      const url = await findInIndex(index, wheel, { signal });
      const bar = progressBar();
      const file = join(folder, wheel.file);
      try {
        await fetchFile(url, file, { sha256: wheel.sha256, signal, onProgress: bar.update });
      } finally {
        bar.end();
      }
      return file;
    },
  };
}

function pipSource(index) {
  return {
    what: 'pip',
    isNetwork: true,
    async get(wheel, folder) {
      const fresh = join(folder, 'pip');
      rmSync(fresh, { recursive: true, force: true });
      mkdirSync(fresh);
      const path = pipDownload(fresh, wheel, index);
      await checkDigest(wheel, path);
      return path;
    },
  };
}

async function checkDigest({ name, version, sha256 }, path) {
  const found = await digestOf(path);
  if (found === sha256) return;
  throw unavailable(
    `the SHA-256 of ${path} is ${found}, and that of ${name} ${version} is ${sha256}: another build, or not the file ` +
      'that was published',
  );
}

/** Downloads one wheel with pip into an empty folder, with nothing that it depends on, and gives its path. No version: the newest. */
export function pipDownload(folder, { name, version }, index = process.env.VSSL_TORCH_INDEX) {
  try {
    run('python3', [
      ...[
        '-m',
        'pip',
        'download',
        '--quiet',
        '--no-deps',
        '--only-binary=:all:',
        '--retries',
        '0',
        '-d',
        folder,
      ],
      ...['--python-version', '3.11', ...platforms().flatMap((platform) => ['--platform', platform])],
      ...(index ? ['--index-url', index] : []),
      version ? `${name}==${version}` : name,
    ]);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    // Without the thousand letters of the command.
    throw unavailable(error.message.replace(/^'python3 .*' ended/, 'it ended'));
  }
  const wheel = readdirSync(folder).find((file) => file.endsWith('.whl'));
  if (!wheel) throw unavailable('pip reported success but left no wheel');
  return join(folder, wheel);
}

/** Of wheels that run with glibc 2.28, or macOS 14: pip takes each of these names by itself alone. */
function platforms() {
  if (process.platform === 'darwin') return ['macosx_14_0_arm64', 'macosx_11_0_arm64'];
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const minors = Array.from({ length: 12 }, (_, i) => `manylinux_2_${28 - i}`);
  return [...minors, 'manylinux2014', 'manylinux2010', 'manylinux1'].map((name) => `${name}_${machine}`);
}

/** Each source in turn; one error for all of them. */
export async function getWheel(wheel, sources, folder, signal) {
  const failures = [];
  for (const source of sources) {
    log(`getting ${wheel.file} from ${source.what}`);
    try {
      return await source.get(wheel, folder, signal);
    } catch (error) {
      if (error.code !== 'ERR_VSSL_DOWNLOAD') throw error;
      failures.push(`${source.what}: ${error.message}`);
      log(`  not from there: ${error.message}`);
    }
  }
  throw unavailable(
    `${wheel.file} could not be had. Tried, in this order:\n${failures.map((line) => `  ${line}`).join('\n')}\n` +
      "What to do: where the network is, get that file and give 'npx vssl-native setup --wheel FILE' (or a folder of " +
      'wheels); behind a proxy, set HTTPS_PROXY; of a mirror, set VSSL_TORCH_INDEX; or set LIBTORCH to an unpacked libtorch',
  );
}
