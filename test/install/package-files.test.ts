// The package holds all that its build needs; the whole way, from tarball to embedding, is `npm run test:pack`.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

function packedFiles(): string[] {
  const out = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ files }] = JSON.parse(out) as [{ files: { path: string }[] }];
  return files.map((file) => file.path);
}

test('CMake finds every source that a build of the packed files names', (t) => {
  const scratch = mkdtempSync(join(tmpdir(), "vssl it's packed-"));
  t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
  const folder = join(scratch, 'package');
  for (const file of packedFiles().filter((name) => /^(native|tools)\/|^CMakeLists/.test(name))) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(root, file), join(folder, file));
  }
  // An addon is asked for, so that every room is; a header folder stands for Node's.
  const record = JSON.parse(readFileSync(join(root, 'build/Release/vssl-build.json'), 'utf8'));
  const defines = [`VSSL_LIBTORCH=${record.libtorch.prefix}`, 'CMAKE_JS_INC=/usr/include', 'VSSL_CUDA=OFF'];
  execFileSync(
    'cmake',
    ['-S', folder, '-B', join(scratch, 'build'), '-G', 'Ninja', ...defines.map((define) => `-D${define}`)],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  t.regex(readFileSync(join(scratch, 'build/CMakeCache.txt'), 'utf8'), /^VSSL_TESTS:BOOL=OFF$/m);
  const ninja = readFileSync(join(scratch, 'build/build.ninja'), 'utf8');
  for (const addon of ['vssl_kernels.node', 'vssl_engine.node']) t.true(ninja.includes(addon), addon);
});

test('tests, and tools of the repository alone, stay out of the package', (t) => {
  t.deepEqual(
    packedFiles().filter((name) =>
      /(^|\/)tests?\/|tools\/(test|fuzz|demo|build-ts|same-runs|count-lines|config-reference)/.test(name),
    ),
    [],
  );
});
