// Builds vssl_kernels.node with node-gyp and vssl_engine.node with cmake-js into build/Release.
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
import { locateLibtorch } from './locate-libtorch.mjs';

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
    `-j${jobs()}`,
    ...(prefix ? [`--nodedir=${prefix}`] : []),
  ]);
  writeRecord({ kernels: print });
}

/** CMake's output stays in build/cmake, so that a second build only compiles what changed. */
export function cmakeBuild({ libtorch, target, defines = {}, folder = 'build/cmake' }) {
  const [program, args] = npmTool('cmake-js', 8);
  const cache = join(root, folder, 'CMakeCache.txt');
  // A build folder that another checkout configured cannot be used again.
  if (existsSync(cache) && !readFileSync(cache, 'utf8').includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${root}\n`))
    rmSync(join(root, folder), { recursive: true });
  const settings = { VSSL_LIBTORCH: libtorch, ...defines };
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
function install(built, name, folder = release) {
  copyFileSync(join(root, built), join(folder, `${name}.new`));
  renameSync(join(folder, `${name}.new`), join(folder, name));
}

function buildEngine(libtorch, force) {
  const files = ['common', 'kernels', 'video', 'engine', 'binding', 'cmake'].flatMap((room) =>
    filesUnder(`native/${room}`),
  );
  const libav = output('pkg-config', ['--modversion', 'libavformat', 'libavcodec']) ?? '';
  const flow = flowHeader() ?? '';
  const print = fingerprint([...files, 'CMakeLists.txt'], libtorch.prefix, libtorch.version, libav, flow);
  if (!force && existsSync(join(release, 'vssl_engine.node')) && readRecord().engine === print) return;
  requireWritable();
  log(`building the engine addon (cmake-js, libtorch ${libtorch.version}); a first build takes some minutes`);
  cmakeBuild({ libtorch: libtorch.prefix, target: 'vssl_engine' });
  mkdirSync(release, { recursive: true });
  install('build/cmake/Release/vssl_engine.node', 'vssl_engine.node');
  // Optical flow, where OpenCV is: the engine looks for it beside itself.
  if (flow && existsSync(join(root, 'build/cmake/vssl_flow.so')))
    install('build/cmake/vssl_flow.so', 'vssl_flow.so');
  writeRecord({ engine: print, libtorch });
}

/** The names of the methods in a folder: those of its C++ files. */
function methodsIn(folder) {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.cpp'))
    .map((file) => basename(file, '.cpp'));
}

/** The engine with the methods of a folder as well: DIR/build/vssl_engine.node, beside the package's own. */
function buildMethods(folder, libtorch) {
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
  log(`building the engine with the methods of ${folder}: ${own.join(', ')}`);
  const cmake = join(root, 'build/cmake');
  cmakeBuild({ libtorch: libtorch.prefix, target: 'vssl_engine' });
  run('cmake', [cmake, `-DVSSL_METHODS=${folder}`, `-DVSSL_LIBTORCH=${libtorch.prefix}`]);
  run('cmake', ['--build', cmake, '--parallel', String(jobs()), '--target', 'vssl_engine_own']);
  const target = join(folder, 'build');
  mkdirSync(target, { recursive: true });
  install('build/cmake/own/vssl_engine.node', 'vssl_engine.node', target);
  if (existsSync(join(release, 'vssl_flow.so')))
    install('build/Release/vssl_flow.so', 'vssl_flow.so', target);
}

export function buildNative({ libtorch, kernelsOnly = false, force = false, methods } = {}) {
  buildKernels(force);
  if (kernelsOnly) return;
  const found = locateLibtorch(libtorch);
  if (!found) {
    const why = methods ? 'methods of your own in C++ need a source build: ' : '';
    throw new ToolError(`${why}libtorch was not found. Run 'npx vssl-native setup' to get it`, 3);
  }
  buildEngine(found, force);
  if (methods) buildMethods(resolve(methods), found);
}

if (isProgram(import.meta.url))
  await main(async () => {
    const { values } = parseArgs({
      options: {
        libtorch: { type: 'string' },
        'kernels-only': { type: 'boolean' },
        force: { type: 'boolean' },
      },
    });
    buildNative({ libtorch: values.libtorch, kernelsOnly: values['kernels-only'], force: values.force });
  });
