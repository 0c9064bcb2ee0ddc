// `node tools/build-ffmpeg.mjs [--sources DIR]`: the FFmpeg that a prebuilt engine carries, as static libraries in
// build/ffmpeg/prefix: LGPL parts alone, every reader, writer, decoder and encoder of FFmpeg's own, dav1d for AV1, no network.
// --sources only gets the archives, into DIR. Some minutes; built once for a list of sources.
// Needs a C compiler, make, meson, ninja, patch, pkg-config, and nasm on x86.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { fingerprint, have, isProgram, jobs, log, main, root, run, ToolError } from './common.mjs';
import { getSources, sources, unpackSource } from './ffmpeg-sources.mjs';

const isX86 = ['x64', 'ia32'].includes(process.arch);
const TOOLS = ['make', 'meson', 'ninja', 'patch', 'pkg-config', 'xz', 'bzip2', ...(isX86 ? ['nasm'] : [])];

const configure = (prefix) => [
  `--prefix=${prefix}`,
  ...[
    '--enable-static',
    '--disable-shared',
    '--enable-pic',
    '--extra-version=vssl',
    '--pkg-config-flags=--static',
  ],
  ...['programs', 'doc', 'debug', 'avdevice', 'avfilter', 'postproc', 'network', 'autodetect'].map(
    (part) => `--disable-${part}`,
  ),
  ...['--disable-protocols', '--enable-protocol=file,pipe'],
  ...['--enable-zlib', '--enable-libdav1d', '--enable-swresample'],
  // Nothing of it is to be seen outside the engine, whichever linker makes that.
  `--extra-cflags=-I${prefix}/include -fvisibility=hidden`,
  `--extra-ldflags=-L${prefix}/lib`,
];

const builders = {
  zlib(source, prefix) {
    const env = { ...process.env, CFLAGS: '-O3 -fPIC -fvisibility=hidden -DHAVE_HIDDEN' };
    run('sh', ['configure', `--prefix=${prefix}`, '--static'], { cwd: source, env });
    run('make', [`-j${jobs()}`, 'libz.a'], { cwd: source });
    for (const folder of ['lib', 'include']) mkdirSync(join(prefix, folder), { recursive: true });
    copyFileSync(join(source, 'libz.a'), join(prefix, 'lib/libz.a'));
    for (const header of ['zlib.h', 'zconf.h'])
      copyFileSync(join(source, header), join(prefix, 'include', header));
  },
  dav1d(source, prefix) {
    const options = [
      ...['-Denable_tools=false', '-Denable_tests=false', '-Ddefault_library=static', '-Db_staticpic=true'],
      ...['--buildtype=release', `--prefix=${prefix}`, '--libdir=lib'],
    ];
    run('meson', ['setup', 'build', ...options], { cwd: source });
    run('ninja', ['-C', 'build', `-j${jobs()}`, 'install'], { cwd: source });
  },
  ffmpeg(source, prefix) {
    // Its own pkg-config files alone: what else is on the machine must not get in.
    const env = { ...process.env, PKG_CONFIG_LIBDIR: join(prefix, 'lib/pkgconfig'), PKG_CONFIG_PATH: '' };
    run('sh', ['configure', ...configure(prefix)], { cwd: source, env });
    run('make', [`-j${jobs()}`], { cwd: source, env });
    run('make', ['install-libs', 'install-headers'], { cwd: source, env });
  },
};

/** What goes into the package: whose software it is, under which terms, and how to have it otherwise. */
function writeNotices(work, prefix) {
  const folder = join(prefix, 'licenses');
  for (const { name, licence } of sources) {
    mkdirSync(join(folder, name), { recursive: true });
    for (const file of licence) copyFileSync(join(work, name, file), join(folder, name, file));
  }
  const list = sources.map(
    ({ name, version, debian, terms, files }) =>
      `- **${name} ${version}** (Debian's source package ${name} ${debian}), ${terms}:\n${Object.entries(
        files,
      )
        .map(([file, sha256]) => `  - ${file}, SHA-256 ${sha256}`)
        .join('\n')}`,
  );
  const given = configure('PREFIX').map((option) => (option.includes(' ') ? `'${option}'` : option));
  writeFileSync(
    join(folder, 'README.md'),
    `# Software of others inside the engine

The engine holds these libraries, built from the sources named here without a change but Debian's patches:

${list.join('\n')}

FFmpeg is under the GNU Lesser General Public License, version 2.1 or later. It is used as a library: you may change it and put
your own in its place. All that this takes is in the package vssl-native, which holds the whole source of the engine and the
build: \`npx vssl-native setup --build\` links the engine with the FFmpeg of your system.

Debian's archive has the sources above. Who asks for them gets them from whoever publishes this package, for three years after
its version was published. FFmpeg was configured with

    ${given.join(' \\\n    ')}
`,
  );
}

/** The folder with include/, lib/ and licenses/. `sources`: as for getSources. */
export function buildFfmpeg({ sources: given } = {}) {
  const base = join(root, 'build/ffmpeg');
  const prefix = join(base, 'prefix');
  const record = join(prefix, 'built-from');
  const print = fingerprint(
    ['tools/build-ffmpeg.mjs', 'tools/ffmpeg-sources.mjs'],
    process.platform,
    process.arch,
  );
  if (existsSync(record) && readFileSync(record, 'utf8') === print) return prefix;
  const missing = TOOLS.filter((tool) => !have(tool));
  if (missing.length > 0)
    throw new ToolError(
      `to build FFmpeg, these programs are missing: ${missing.join(', ')}; on Debian: apt-get install ` +
        `${missing.map((tool) => ({ ninja: 'ninja-build', xz: 'xz-utils' })[tool] ?? tool).join(' ')}`,
      3,
    );
  const archives = join(base, 'sources');
  getSources(archives, given);
  const work = join(base, 'work');
  for (const folder of [work, prefix]) rmSync(folder, { recursive: true, force: true });
  for (const source of sources) {
    log(`building ${source.name} ${source.version}`);
    builders[source.name](unpackSource(source, archives, work), prefix);
  }
  writeNotices(work, prefix);
  rmSync(work, { recursive: true });
  writeFileSync(record, print);
  return prefix;
}

if (isProgram(import.meta.url))
  await main(async () => {
    const { values } = parseArgs({ options: { sources: { type: 'string' } } });
    if (values.sources !== undefined) getSources(resolve(values.sources));
    else log(`FFmpeg is in ${buildFfmpeg()}`);
  });
