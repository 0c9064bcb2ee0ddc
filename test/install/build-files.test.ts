// The two build files share one source list and make the same kernels addon.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

test('native/kernels/sources.txt lists every source of kernels and common, once', (t) => {
  const listed = read('native/kernels/sources.txt')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !line.startsWith('#'));
  const sources = (room: string) =>
    readdirSync(join(root, 'native', room), { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.cpp'),
    );
  const present = [...sources('kernels'), ...sources('common').map((file) => `../common/${file}`)];
  t.deepEqual([...listed].sort(), present.sort());
});

test('neither build file names a kernel source', (t) => {
  for (const file of ['binding.gyp', 'CMakeLists.txt']) {
    t.regex(read(file), /sources\.txt/);
    t.notRegex(read(file), /native\/kernels\/\w+\.cpp/);
  }
});

test('both builds of the kernels addon export the same', (t) => {
  const exported = (addon: string) =>
    execFileSync(
      process.execPath,
      [
        '-p',
        `const a = require(${JSON.stringify(join(root, addon))}); JSON.stringify([Object.keys(a).sort(), a.kernelApiVersion])`,
      ],
      { encoding: 'utf8' },
    );
  t.is(exported('build/Release/vssl_kernels.node'), exported('build/cmake/Release/vssl_kernels.node'));
});

test('npm install builds and downloads nothing', (t) => {
  const manifest = JSON.parse(read('package.json'));
  t.is(manifest.gypfile, false);
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare'])
    t.is(manifest.scripts[script], undefined);
});
