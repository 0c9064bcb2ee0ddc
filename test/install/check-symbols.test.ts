// The oldest system that a library runs on: told of what is built here, and refused of one that asks for too new a system.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { packageRoot } from '#src/native/package-root.js';

const scratch = mkdtempSync(join(tmpdir(), 'vssl-symbols-'));
test.after.always(() => rmSync(scratch, { recursive: true, force: true }));

const check = (...args: string[]) => {
  const tool = join(packageRoot, 'tools/check-symbols.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [tool, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
};
const onLinux = process.platform === 'linux' ? test : test.skip;

/** A library that asks for a symbol of that version, of a library that says it is the system's. */
function libraryThatNeeds(version: string, system = 'libm.so.6'): string {
  const write = (name: string, text: string) => {
    writeFileSync(join(scratch, name), text);
    return join(scratch, name);
  };
  const map = write('map', `${version} { global: newest; };\n`);
  const lib = write('lib.c', 'void newest(void) {}\n');
  const user = write('user.c', 'void newest(void); void use(void) { newest(); }\n');
  const flags = ['-shared', '-fPIC', '-nostdlib'];
  const stub = join(scratch, 'libstub.so');
  execFileSync('cc', [...flags, lib, `-Wl,--version-script=${map}`, `-Wl,-soname=${system}`, '-o', stub]);
  const file = join(scratch, `user-${version}.so`);
  execFileSync('cc', [...flags, user, stub, '-o', file]);
  return file;
}

onLinux('the floor of what was built here is printed', (t) => {
  const built = join(packageRoot, 'build/Release/vssl_kernels.node');
  const { status, stdout } = check('--glibc', '9', '--glibcxx', '9', built);
  t.is(status, 0);
  t.regex(stdout, /^vssl_kernels\.node: GLIBC 2\.\d+(\.\d+)?, GLIBCXX 3\.4\.\d+\n$/);
});

onLinux('a library that needs a newer system fails, by name and version', (t) => {
  const newer = libraryThatNeeds('GLIBC_2.99');
  const { status, stdout, stderr } = check(newer);
  t.is(status, 1);
  t.regex(stdout, /GLIBC 2\.99, GLIBCXX none/);
  t.regex(stderr, /user-GLIBC_2\.99\.so needs GLIBC 2\.99, and 2\.28 is the limit/);
  t.is(check('--glibc', '2.100', newer).status, 0);
  t.regex(
    check(libraryThatNeeds('GLIBCXX_3.4.30', 'libstdc++.so.6')).stderr,
    /needs GLIBCXX 3\.4\.30, and 3\.4\.25/,
  );
  t.is(check(libraryThatNeeds('GLIBC_2.9')).status, 0);
});

onLinux('so does one that needs a library which nobody brings', (t) => {
  const { status, stderr } = check(libraryThatNeeds('FOO_1', 'libavcodec.so.59'));
  t.is(status, 1);
  t.regex(stderr, /needs libavcodec\.so\.59, which is neither the system's nor beside it/);
  t.regex(check(join(scratch, 'map')).stderr, /readelf finds no shared library in/);
  t.is(check().status, 2);
});
