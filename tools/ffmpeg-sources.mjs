// The sources of the FFmpeg that a prebuilt engine carries, as Debian has them: the authors' archives, and Debian's patches
// (security fixes) in an archive beside each. Every file by its SHA-256.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { have, log, run, sha256Of, ToolError } from './common.mjs';

/** `licence`: files of it that go into the package, by what names the part it is for. */
export const sources = [
  {
    name: 'zlib',
    version: '1.2.13',
    debian: '1:1.2.13.dfsg-1',
    terms: 'Zlib',
    files: {
      'zlib_1.2.13.dfsg.orig.tar.bz2': '71feb7947e3c00ef125f83b79a4e529bde31171e5babe48b391f06758d1ab0a1',
      'zlib_1.2.13.dfsg-1.debian.tar.xz': 'f66cf3d4f2d7defcd4d1fd1fb0a11ee39f1e01b42ec7d059c9dc5c1695133c44',
    },
    licence: ['README'],
  },
  {
    name: 'dav1d',
    version: '1.0.0',
    debian: '1.0.0-2+deb12u1',
    terms: 'BSD-2-Clause',
    files: {
      'dav1d_1.0.0.orig.tar.xz': '51737db7e4897e599684f873a4725176dd3c779e639411d7c4fce134bb5ebb82',
      'dav1d_1.0.0-2+deb12u1.debian.tar.xz':
        'ae53e2bda2a18275cc66570194fced9b9681df2b3b8e041586a26a59d69a727e',
    },
    licence: ['COPYING'],
  },
  {
    name: 'ffmpeg',
    version: '5.1.9',
    debian: '7:5.1.9-0+deb12u1',
    terms: 'LGPL-2.1-or-later',
    files: {
      'ffmpeg_5.1.9.orig.tar.xz': 'd9b593bb2ba93d4b50f74177e0cdcd41747e708596367deed0c30348a71dd176',
      'ffmpeg_5.1.9-0+deb12u1.debian.tar.xz':
        '71b20472ecd2764bc98e3229d34c0f7c8dcfe4a6cbacc23fd5604c23bac04632',
    },
    licence: ['COPYING.LGPLv2.1', 'LICENSE.md'],
  },
];

const isRight = (folder, [file, sha256]) =>
  existsSync(join(folder, file)) && sha256Of(join(folder, file)) === sha256;

/**
 * Puts all archives into `folder`: those of `given` (default VSSL_FFMPEG_SOURCES, a folder of them), else by apt-get, which
 * any Debian has. Throws ERR_VSSL_ENVIRONMENT's exit code where neither has them.
 */
export function getSources(folder, given = process.env.VSSL_FFMPEG_SOURCES) {
  mkdirSync(folder, { recursive: true });
  const files = sources.flatMap((source) => Object.entries(source.files));
  const lacking = () => files.filter((file) => !isRight(folder, file));
  if (given) {
    for (const [file] of lacking())
      if (existsSync(join(given, file))) copyFileSync(join(given, file), join(folder, file));
  } else if (lacking().length > 0 && have('apt-get')) byApt(folder, lacking);
  const still = lacking();
  if (still.length === 0) return;
  const names = still.map(([file, sha256]) => `\n  ${file}, SHA-256 ${sha256}`).join('');
  throw new ToolError(
    `sources of FFmpeg are missing${given ? ` in ${given}` : ''}, or are not the pinned ones:${names}\nOn Debian 12 apt-get ` +
      'gets them; elsewhere name a folder that holds them in VSSL_FFMPEG_SOURCES (Debian keeps every version it had in its ' +
      'snapshot archive)',
    3,
  );
}

/** With a list of its own: the system's is not touched, and nothing is installed. */
function byApt(folder, lacking) {
  const state = join(folder, 'apt');
  for (const part of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(join(state, part), { recursive: true });
  writeFileSync(join(state, 'sources.list'), sourceLines().join('\n'));
  const options = [
    ['Dir::Etc::sourcelist', join(state, 'sources.list')],
    ['Dir::Etc::sourceparts', '-'],
    ['Dir::State::lists', join(state, 'lists')],
    ['Dir::Cache', join(state, 'cache')],
    ['APT::Sandbox::User', 'root'],
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  try {
    run('apt-get', [...options, '--quiet', 'update']);
    for (const { name, debian, files } of sources)
      if (lacking().some(([file]) => file in files))
        run('apt-get', [...options, '--quiet', 'source', '--download-only', `${name}=${debian}`], {
          cwd: folder,
        });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    log(`apt-get does not give them: ${error.message}`);
  }
}

/** The lines of the system's own lists that are of its release, asking for sources. */
export function sourceLines(etc = '/etc') {
  const release = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync(join(etc, 'os-release'), 'utf8'))?.[1];
  const parts = join(etc, 'apt/sources.list.d');
  const files = [
    join(etc, 'apt/sources.list'),
    ...(existsSync(parts) ? readdirSync(parts).map((name) => join(parts, name)) : []),
  ].filter((file) => existsSync(file) && /\.(list|sources)$/.test(file));
  return files
    .flatMap((file) => entriesOf(readFileSync(file, 'utf8'), file.endsWith('.sources')))
    .filter(({ suite }) => suite === release || suite.startsWith(`${release}-`))
    .map(({ options, uri, suite, components }) => `deb-src ${options}${uri} ${suite} ${components}`);
}

function entriesOf(text, isStanzas) {
  if (!isStanzas)
    return [...text.matchAll(/^deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#\n]+)/gm)].map(
      ([, options = '', uri, suite, components]) => ({ options, uri, suite, components: components.trim() }),
    );
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const field = (name) => new RegExp(`^${name}:\\s*(.+)$`, 'm').exec(stanza)?.[1].trim().split(/\s+/) ?? [];
    const [key] = field('Signed-By');
    const options = key?.startsWith('/') ? `[signed-by=${key}] ` : '';
    const components = field('Components').join(' ');
    return field('Types').includes('deb')
      ? field('URIs').flatMap((uri) => field('Suites').map((suite) => ({ options, uri, suite, components })))
      : [];
  });
}

/** Unpacks a source below `folder`, with Debian's patches; gives its folder. */
export function unpackSource({ name, files }, from, folder) {
  const place = join(folder, name);
  const [archive, debian] = Object.keys(files);
  for (const [file, into] of [
    [archive, place],
    [debian, join(folder, `${name}-debian`)],
  ]) {
    mkdirSync(into, { recursive: true });
    const strip = file === archive ? ['--strip-components=1'] : [];
    run('tar', ['-xf', join(from, file), '-C', into, ...strip]);
  }
  const patches = join(folder, `${name}-debian/debian/patches`);
  const series = readFileSync(join(patches, 'series'), 'utf8').split('\n').filter(Boolean);
  for (const patch of series) {
    const done = spawnSync('patch', ['-p1', '--quiet', '-i', join(patches, patch)], {
      cwd: place,
      stdio: ['ignore', process.stderr, 'inherit'],
    });
    if (done.status !== 0) throw new ToolError(`${name}: ${patch} cannot be applied (is 'patch' there?)`, 3);
  }
  return place;
}
