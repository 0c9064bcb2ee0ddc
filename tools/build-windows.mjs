// The kernels for Windows x64, built on another system by mingw-w64: vssl_kernels.node needs no library but Windows' own.
// Microsoft's compiler lacks what the kernels are written in, vectors as types and targets for single functions.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { jobs, root, run } from './common.mjs';

export const WINDOWS = 'win32-x64';
const PREFIX = 'x86_64-w64-mingw32';
const FOLDER = 'build/cross/windows';

/** Programs, and Debian's packages that have them. */
export const windowsTools = [
  [`${PREFIX}-g++-posix`, 'g++-mingw-w64-x86-64-posix'],
  [`${PREFIX}-dlltool`, 'binutils-mingw-w64-x86-64'],
];
export const windowsStrip = `${PREFIX}-strip`;

const folderOf = (name) => dirname(createRequire(join(root, 'package.json')).resolve(`${name}/package.json`));

/** What stands for Node when the addon is linked: its functions are looked up in the process when they are first called. */
function importLibrary() {
  const definitions = join(folderOf('node-api-headers'), 'def');
  const names = ['js_native_api', 'node_api'].flatMap((name) =>
    readFileSync(join(definitions, `${name}.def`), 'utf8')
      .split(/\r?\n/)
      .filter((line) => /^(napi|node_api)_\w+$/.test(line)),
  );
  const list = join(root, FOLDER, 'node.def');
  writeFileSync(list, `NAME node.exe\nEXPORTS\n${[...new Set(names)].join('\n')}\n`);
  const library = join(root, FOLDER, 'libnode.a');
  run(`${PREFIX}-dlltool`, ['--input-def', list, '--output-delaylib', library, '--dllname', 'node.exe']);
  return library;
}

/** Builds these targets of CMakeLists.txt for Windows; gives their folder. */
export function buildForWindows(targets, flags = '') {
  mkdirSync(join(root, FOLDER), { recursive: true });
  const headers = [join(folderOf('node-api-headers'), 'include'), folderOf('node-addon-api')];
  const settings = {
    CMAKE_BUILD_TYPE: 'Release',
    CMAKE_SYSTEM_NAME: 'Windows',
    CMAKE_SYSTEM_PROCESSOR: 'x86_64',
    CMAKE_CXX_COMPILER: `${PREFIX}-g++-posix`,
    CMAKE_CXX_FLAGS: `-static ${flags}`,
    CMAKE_JS_INC: headers.join(';'),
    CMAKE_JS_LIB: `${importLibrary()};delayimp`,
    CMAKE_JS_SRC: join(root, 'native/binding/windows_hook.cpp'),
    VSSL_ENGINE: 'OFF',
    VSSL_CUDA: 'OFF',
  };
  const defines = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
  const place = join(root, FOLDER);
  run('cmake', ['-S', root, '-B', place, '-G', 'Ninja', '--log-level=WARNING', ...defines]);
  run('cmake', ['--build', place, '--parallel', String(jobs()), '--target', ...targets]);
  return FOLDER;
}
