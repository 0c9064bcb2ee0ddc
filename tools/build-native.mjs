// Builds vssl_kernels.node with node-gyp and vssl_engine.node with cmake-js into build/Release; the engine for CUDA into
// build/Release/cuda.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  filesUnder,
  fingerprint,
  flowHeader,
  isProgram,
  jobs,
  log,
  main,
  nodePrefix,
  npmTool,
  output,
  requireWritable,
  root,
  run,
  ToolError,
} from './common.mjs';
import { requireNvcc } from './cuda-toolkit.mjs';
import { locateLibtorch } from './locate-libtorch.cjs';

const release = join(root, 'build/Release');
const record = join(release, 'vssl-build.json');
const readRecord = () => (existsSync(record) ? JSON.parse(readFileSync(record, 'utf8')) : {});

function writeRecord(update) {
  const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
  writeFileSync(
    record,
    `${JSON.stringify({ ...readRecord(), version, napiVersion: 9, ...update }, null, 2)}\n`,
  );
}

/** The two builds of the engine: `place` is below the folder of an engine, here and beside methods of one's own. */
const flavours = {
  cpu: { title: 'the engine addon', folder: 'build/cmake', place: '', defines: {} },
  cuda: {
    title: 'the engine addon for CUDA',
    folder: 'build/cuda',
    place: 'cuda',
    defines: { VSSL_ENGINE_CUDA: 'ON', VSSL_CUDA: 'ON' },
  },
};

function buildKernels(force) {
  const print = fingerprint(
    [
      ...filesUnder('native/kernels'),
      ...filesUnder('native/common'),
      ...filesUnder('native/binding'),
      'binding.gyp',
    ],
    process.versions.modules,
  );
  if (!force && existsSync(join(release, 'vssl_kernels.node')) && readRecord().kernels === print) return;
  requireWritable();
  mkdirSync(release, { recursive: true });
  log('building the kernels addon (node-gyp)');
  const prefix = nodePrefix();
  const [program, args] = npmTool('node-gyp', 12);
  // configure + build, not rebuild: rebuild would delete all of build/.
  run(program, [
    ...args,
    'configure',
    'build',
    '--silent',
    // Who asks for a build gets one, where there is a package with the addon as well.
    '--force_build=1',
    `-j${jobs()}`,
    ...(prefix ? [`--nodedir=${prefix}`] : []),
  ]);
  writeRecord({ kernels: print });
}

/**
 * CMake's output stays in the flavour's folder, or `folder`, so that a second build only compiles what changed. `ffmpeg`: of
 * tools/build-ffmpeg.mjs, for an engine that carries it; default: the system's.
 */
export function cmakeBuild({
  libtorch,
  target,
  defines = {},
  flavour = 'cpu',
  folder = flavours[flavour].folder,
  ffmpeg = '',
}) {
  const own = flavours[flavour].defines;
  const [program, args] = npmTool('cmake-js', 8);
  const cache = join(root, folder, 'CMakeCache.txt');
  // A build folder that another checkout configured cannot be used again.
  if (existsSync(cache) && !readFileSync(cache, 'utf8').includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${root}\n`))
    rmSync(join(root, folder), { recursive: true });
  const settings = { VSSL_LIBTORCH: libtorch, VSSL_FFMPEG: ffmpeg, ...own, ...defines };
  run(program, [
    ...[
      ...args,
      'compile',
      '--out',
      folder,
      '--generator',
      'Ninja',
      '--parallel',
      String(jobs()),
      '--log-level',
      'error',
    ],
    ...(target ? ['--target', target] : []),
    ...Object.entries(settings).map(([name, value]) => `--CD${name}=${value}`),
  ]);
}

/** Renamed into place: a process that has the old one loaded keeps it whole. */
function install(built, name, folder) {
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(root, built), join(folder, `${name}.new`));
  renameSync(join(folder, `${name}.new`), join(folder, name));
}

/** The engine that CMake made, into its place below `target`. */
function installEngine(flavour, built, target) {
  const { folder, place } = flavours[flavour];
  install(`${folder}/${built}`, 'vssl_engine.node', join(target, place));
  // Optical flow, where OpenCV is: the engine looks for it beside itself.
  if (flowHeader() && existsSync(join(root, folder, 'vssl_flow.so')))
    install(`${folder}/vssl_flow.so`, 'vssl_flow.so', join(target, place));
}

function buildEngine(flavour, libtorch, { force, ffmpeg }) {
  const files = ['common', 'kernels', 'video', 'engine', 'binding', 'cmake'].flatMap((room) =>
    filesUnder(`native/${room}`),
  );
  const libav = ffmpeg
    ? readFileSync(join(ffmpeg, 'built-from'), 'utf8')
    : (output('pkg-config', ['--modversion', 'libavformat', 'libavcodec']) ?? '');
  const facts = [libtorch.prefix, libtorch.version, libav, flowHeader() ?? ''];
  if (flavour === 'cuda') facts.push(requireNvcc(libtorch.cuda));
  const print = fingerprint([...files, 'CMakeLists.txt'], ...facts);
  const { title, place } = flavours[flavour];
  const before = flavour === 'cpu' ? readRecord() : (readRecord()[flavour] ?? {});
  if (!force && existsSync(join(release, place, 'vssl_engine.node')) && before.engine === print) return;
  requireWritable();
  log(`building ${title} (cmake-js, libtorch ${libtorch.version}); a first build takes some minutes`);
  cmakeBuild({ libtorch: libtorch.prefix, target: 'vssl_engine', flavour, ffmpeg });
  installEngine(flavour, 'Release/vssl_engine.node', release);
  const built = { engine: print, libtorch };
  writeRecord(flavour === 'cpu' ? built : { [flavour]: built });
}

/** The names of the methods in a folder: those of its C++ files. */
function methodsIn(folder) {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.cpp'))
    .map((file) => basename(file, '.cpp'));
}

/** Throws unless every C++ file of the folder can be a method beside the engine's; gives their names. */
function checkMethods(folder) {
  if (!existsSync(folder)) throw new ToolError(`--methods: there is no folder ${folder}`, 2);
  const own = methodsIn(folder);
  if (own.length === 0)
    throw new ToolError(`--methods: ${folder} has no C++ file; a method NAME is written in NAME.cpp`, 2);
  for (const name of own) {
    const file = join(folder, `${name}.cpp`);
    if (!/^[a-z][a-z0-9_]*$/.test(name))
      throw new ToolError(
        `${file}: a method has the name of its file, of lower-case letters, digits and '_'`,
        2,
      );
    if (methodsIn(join(root, 'native/engine/methods')).includes(name))
      throw new ToolError(`${file}: the engine has a method '${name}'; give the file another name`, 2);
  }
  return own;
}

/** The engine with the methods of a folder as well: DIR/build/vssl_engine.node, beside the package's own. */
function buildMethods(flavour, folder, libtorch) {
  const own = checkMethods(folder);
  log(`building ${flavours[flavour].title} with the methods of ${folder}: ${own.join(', ')}`);
  const cmake = join(root, flavours[flavour].folder);
  cmakeBuild({ libtorch: libtorch.prefix, target: 'vssl_engine', flavour });
  run('cmake', [cmake, `-DVSSL_METHODS=${folder}`, `-DVSSL_LIBTORCH=${libtorch.prefix}`]);
  run('cmake', ['--build', cmake, '--parallel', String(jobs()), '--target', 'vssl_engine_own']);
  installEngine(flavour, 'own/vssl_engine.node', join(folder, 'build'));
}

/** `cuda`: the engine for CUDA too, against the libtorch that it names or that is found. `ffmpeg`: as for cmakeBuild. */
export function buildNative({ libtorch, kernelsOnly = false, force = false, methods, cuda, ffmpeg } = {}) {
  if (cuda) requireNvcc();
  buildKernels(force);
  if (kernelsOnly) return;
  for (const [flavour, explicit] of [['cpu', libtorch], ...(cuda ? [['cuda', cuda.libtorch]] : [])]) {
    const found = locateLibtorch(explicit, flavour);
    if (!found) {
      const why = methods ? 'methods of your own in C++ need a source build: ' : '';
      const [what, flag] = flavour === 'cuda' ? ['libtorch for CUDA', ' --cuda'] : ['libtorch', ''];
      throw new ToolError(`${why}${what} was not found. Run 'npx vssl-native setup${flag}' to get it`, 3);
    }
    buildEngine(flavour, found, { force, ffmpeg });
    if (methods) buildMethods(flavour, resolve(methods), found);
  }
}

/** Flags of the tools that build, as buildNative takes them: with --cuda, --libtorch names that of the CUDA engine. */
export function buildOptions(more = {}) {
  const { values } = parseArgs({
    options: {
      libtorch: { type: 'string' },
      'kernels-only': { type: 'boolean' },
      force: { type: 'boolean' },
      cuda: { type: 'boolean' },
      ...more,
    },
  });
  const { libtorch, 'kernels-only': kernelsOnly, cuda, ...rest } = values;
  return { ...rest, kernelsOnly, ...(cuda ? { cuda: { libtorch } } : { libtorch }) };
}

if (isProgram(import.meta.url)) await main(async () => buildNative(buildOptions()));
