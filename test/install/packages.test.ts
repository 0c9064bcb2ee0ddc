// The packages that are published: what is in them, and a project of somebody who installs them from files, offline.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { packageRoot } from '#src/native/package-root.js';
import { packageVersion } from '#src/native/version.js';

interface Package {
  readonly name: string;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly files: readonly string[];
}
interface Libtorch {
  readonly prefix: string;
  readonly version: string;
  readonly cuda: string | null;
}
interface ListedPackage {
  readonly kind: string;
  readonly tag: string;
}
const tool = (name: string) => import(pathToFileURL(join(packageRoot, 'tools', `${name}.mjs`)).href);
const { makePackages } = (await tool('make-packages')) as { makePackages(options: object): Package[] };
const { prebuild } = (await tool('prebuild')) as { prebuild(kind: string, options: object): string };
const { packages, nameOf, packageFor } = (await tool('package-list')) as {
  packages: ListedPackage[];
  nameOf(entry: ListedPackage): string;
  packageFor(kind: string, tag: string): ListedPackage | undefined;
};
const { platformTag } = (await tool('common')) as { platformTag: string };
const { installCommand } = (await tool('engine-package')) as {
  installCommand(project: string, wanted: string): string[];
};

const release = join(packageRoot, 'build/Release');
const { libtorch } = JSON.parse(readFileSync(join(release, 'vssl-build.json'), 'utf8')) as {
  libtorch: Libtorch;
};
const scratch = mkdtempSync(join(tmpdir(), 'vssl-packages-'));
const project = join(scratch, "an app's folder");
const cache = join(scratch, 'cache');
test.after.always(() => rmSync(scratch, { recursive: true, force: true }));

const engineName = nameOf(packageFor('engine', platformTag) ?? packages[0]!);
const kernelsName = nameOf(packageFor('kernels', platformTag)!);
let made: Package[] = [];
const madeOf = (name: string) => made.find((one) => one.name === name)!;

/** The engine that was built here as it would be built for others: it does not know where libtorch is. */
function engineForOthers(): string {
  const bytes = readFileSync(join(release, 'vssl_engine.node'));
  const here = join(libtorch.prefix, 'lib');
  const nowhere = Buffer.from('$ORIGIN'.padEnd(here.length, '\0'));
  for (let at = bytes.indexOf(here); at >= 0; at = bytes.indexOf(here)) nowhere.copy(bytes, at);
  const file = join(scratch, 'engine.node');
  writeFileSync(file, bytes);
  return file;
}

/** Files of packages that were installed here, for an installation that asks nobody. */
function dependencyTarballs(): Record<string, string> {
  const found: Record<string, string> = {};
  const collect = (name: string) => {
    if (found[name]) return;
    const folder = join(packageRoot, 'node_modules', name);
    const [{ filename }] = JSON.parse(
      execFileSync('npm', ['pack', folder, '--json', '--ignore-scripts', '--pack-destination', scratch], {
        ...{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
      }),
    ) as [{ filename: string }];
    found[name] = `file:${join(scratch, filename)}`;
    const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    for (const other of Object.keys(dependencies)) collect(other);
  };
  const { dependencies } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) collect(name);
  return found;
}

const env = {
  ...process.env,
  VSSL_CACHE: cache,
  LIBTORCH: libtorch.prefix,
  VSSL_NATIVE_BINDING: '',
  NODE_PATH: '',
};
const install = () =>
  spawnSync('npm', ['install', '--offline', '--no-audit', '--no-fund'], {
    cwd: project,
    encoding: 'utf8',
    env,
  });

/** A program in the project. */
function call(source: string, more: Record<string, string> = {}, kind = 'module') {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [`--input-type=${kind}`, '-e', source],
    {
      ...{ cwd: project, encoding: 'utf8', env: { ...env, ...more } },
    },
  );
  return { end: signal ?? status, text: `${stdout}${stderr}`, out: stdout.trim() };
}

test.before((t) => {
  t.timeout(300_000);
  const out = join(scratch, 'prebuilds');
  prebuild('kernels', { out, built: join(release, 'vssl_kernels.node'), anySystem: true });
  prebuild('engine', { out, built: engineForOthers(), anySystem: true, libtorch });
  made = makePackages({ prebuilds: out, out: join(scratch, 'tarballs') });
  mkdirSync(project);
  const dependencies = {
    ...dependencyTarballs(),
    'vssl-native': `file:${madeOf('vssl-native').file}`,
    [kernelsName]: `file:${madeOf(kernelsName).file}`,
  };
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'app', private: true, dependencies }));
  const installed = install();
  t.is(installed.status, 0, installed.stderr);
});

test('each package holds what it is for, and no more', (t) => {
  const main = madeOf('vssl-native');
  const strange = main.files.filter(
    (name) =>
      /(^|\/)(tests?|fuzz|node_modules|build|demo)\//.test(name) || /\.(tsbuildinfo|node|so|tgz)$/.test(name),
  );
  t.deepEqual(strange, []);
  for (const needed of [
    'dist/esm/index.js',
    'dist/cjs/index.d.ts',
    'docs/errors.md',
    'tools/setup.mjs',
    'LICENSE',
  ])
    t.true(main.files.includes(needed), needed);
  t.deepEqual([...madeOf(kernelsName).files].sort(), [
    'LICENSE',
    'README.md',
    'kernels.node',
    'package.json',
    'vssl-prebuild.json',
  ]);
  t.deepEqual([...madeOf(engineName).files].sort(), [
    'LICENSE',
    'README.md',
    'engine.node',
    'package.json',
    'vssl-prebuild.json',
  ]);
  t.true(main.bytes + madeOf(kernelsName).bytes < 10e6, `${main.bytes} ${madeOf(kernelsName).bytes}`);
  t.true(madeOf(engineName).bytes < 60e6);
  const sums = readFileSync(join(scratch, 'tarballs/SHA256SUMS'), 'utf8');
  for (const { sha256 } of made) t.true(sums.includes(sha256));
});

test('manifests: exact versions, systems, and nothing that runs at installation', (t) => {
  const read = (name: string) =>
    JSON.parse(readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8')) as Record<
      string,
      object
    >;
  const main = read('vssl-native');
  const expected = packages
    .filter(({ kind }) => kind === 'kernels')
    .map((entry) => [nameOf(entry), packageVersion]);
  t.deepEqual(main.optionalDependencies, Object.fromEntries(expected));
  t.is(main.scripts, undefined);
  t.is(main.devDependencies, undefined);
  t.is(main.gypfile as unknown, false);
  const kernels = read(kernelsName);
  t.like(kernels, {
    version: packageVersion,
    os: [process.platform],
    cpu: [process.arch],
    preferUnplugged: true,
  });
  t.is(kernels.scripts, undefined);
  t.false(existsSync(join(project, 'node_modules/vssl-native/build')));
});

const useKernels = (load: string) => `
  ${load}
  console.log(ntXent(Float32Array.from({ length: 32 }, (_, i) => Math.sin(i)), { rows: 8, dim: 4 }).loss > 0);`;

test('the kernels load from their package, as either kind of module, with no libtorch', (t) => {
  const nowhere = { LIBTORCH: '', VSSL_CACHE: join(scratch, 'empty') };
  t.is(call(useKernels("import { ntXent } from 'vssl-native/kernels';"), nowhere).text, 'true\n');
  t.is(
    call(useKernels("const { ntXent } = require('vssl-native/kernels');"), nowhere, 'commonjs').text,
    'true\n',
  );
});

test('a Node.js that is too old, or has not the interface of the addons, is named before anything is loaded', (t) => {
  const on = (versions: object) => `
    Object.defineProperty(process, 'versions', { value: { ...process.versions, ...${JSON.stringify(versions)} } });
    import('vssl-native/kernels')
      .then(({ ntXent }) => ntXent(new Float32Array(16).fill(1), { rows: 4, dim: 4 }))
      .then(({ loss }) => console.log('computed', loss > 0), (error) => console.log(error.code, error.message));`;
  t.is(call(on({ node: '20.17.0' })).out, 'computed true');
  t.regex(
    call(on({ node: '20.16.1' })).out,
    /^ERR_VSSL_ENVIRONMENT expected Node\.js 20\.17 or newer, with Node-API 9, but this is 20\.16\.1, with .*newer Node\.js$/,
  );
  t.regex(call(on({ node: '18.20.8' }), {}, 'commonjs').out, /^ERR_VSSL_ENVIRONMENT .*but this is 18\.20\.8/);
  t.regex(call(on({ napi: '8' })).out, /^ERR_VSSL_ENVIRONMENT .*with Node-API 8; install a newer Node\.js$/);
});

test('the types are those of either kind of module', (t) => {
  const source = `import { ntXent } from 'vssl-native/kernels';
import { type VideoEncoder, VsslError } from 'vssl-native';
export const loss: number = ntXent(new Float32Array(16), { rows: 4, dim: 4 }).loss;
export type Encoder = VideoEncoder;
export const code: 'ERR_VSSL_LIBTORCH' | undefined =
  (new Error() as unknown) instanceof VsslError ? undefined : 'ERR_VSSL_LIBTORCH';
`;
  for (const name of ['consumer.mts', 'consumer.cts']) writeFileSync(join(project, name), source);
  const { status, stdout } = spawnSync(
    process.execPath,
    [
      join(packageRoot, 'node_modules/typescript/bin/tsc'),
      ...[
        '--noEmit',
        '--strict',
        '--module',
        'nodenext',
        '--target',
        'es2022',
        '--lib',
        'es2023,esnext.disposable',
      ],
      ...[
        '--types',
        'node',
        '--typeRoots',
        join(packageRoot, 'node_modules/@types'),
        'consumer.mts',
        'consumer.cts',
      ],
    ],
    { cwd: project, encoding: 'utf8' },
  );
  t.is(status, 0, stdout);
});

const load = `
  import { preload } from 'vssl-native';
  try { await preload('cpu'); console.log('loaded'); }
  catch (error) { console.log(error.code, error.message); }`;

test.serial('without the engine: which command gets it', (t) => {
  t.regex(call(load).text, /^ERR_VSSL_NO_BINARY .*What to do: get it with 'npx vssl-native setup'/s);
});

/** The engine's package, added to the project. */
function addEngine(t: ExecutionContext): string {
  const manifest = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
  manifest.dependencies[engineName] = `file:${madeOf(engineName).file}`;
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
  const { status, stderr } = install();
  t.is(status, 0, stderr);
  return join(project, 'node_modules', engineName);
}

const onEngine = packageFor('engine', platformTag) ? test.serial : test.serial.skip;

onEngine('an engine of a package is tried in a process of its own first, and that is kept', (t) => {
  t.timeout(300_000);
  const folder = addEngine(t);
  const engine = join(folder, 'engine.node');
  t.is(call(load).text, 'loaded\n');
  const kept = join(cache, 'engine-verdicts.json');
  const verdicts = () =>
    JSON.parse(readFileSync(kept, 'utf8')) as Record<string, { facts: string; fault: null }>;
  t.deepEqual(Object.keys(verdicts()), [engine]);
  t.is(verdicts()[engine]!.fault, null);
  // Setup finds all there, and builds nothing; the doctor is content.
  const cli = (...args: string[]) => {
    const main = join(project, 'node_modules/vssl-native/dist/esm/cli/main.js');
    return spawnSync(process.execPath, [main, ...args], { cwd: project, encoding: 'utf8', env });
  };
  const { status, stderr } = cli('setup', '--yes');
  t.is(status, 0, stderr);
  t.regex(stderr, /^libtorch .*\nthe engine loads: .*engine\.node\n$/);
  const report = JSON.parse(cli('doctor', '--json', '--no-self-test').stdout) as {
    checks: { name: string; status: string }[];
  };
  t.deepEqual(
    report.checks.filter((one) => one.status === 'fault'),
    [],
  );
  // What is kept is believed, until the engine is another.
  const { facts } = verdicts()[engine]!;
  writeFileSync(kept, JSON.stringify({ [engine]: { facts, fault: 'it was bad' } }));
  t.regex(call(load).text, /^ERR_VSSL_LOAD .*engine\.node: it was bad\n.*vssl-native setup --build/s);
  copyFileSync(engine, `${engine}.copy`);
  copyFileSync(`${engine}.copy`, engine);
  t.is(call(load).text, 'loaded\n');
  t.not(verdicts()[engine]!.facts, facts);
  // A cache that cannot be written costs a trial each time.
  t.is(call(load, { VSSL_CACHE: join(kept, 'no folder') }).text, 'loaded\n');
});

onEngine('libtorch that is missing, or of another version', (t) => {
  const nowhere = { LIBTORCH: '', VSSL_CACHE: join(scratch, 'empty') };
  t.regex(
    call(load, nowhere).text,
    /^ERR_VSSL_LIBTORCH .*needs libtorch 2\.\d+, which was not found \(LIBTORCH, .*empty\).*'npx vssl-native setup'/s,
  );
  const other = join(scratch, 'other');
  for (const file of [
    'include/torch/csrc/api/include/torch/torch.h',
    'lib/libtorch_cpu.so',
    'lib/libtorch_cpu.dylib',
  ]) {
    mkdirSync(join(other, file, '..'), { recursive: true });
    writeFileSync(join(other, file), '');
  }
  writeFileSync(join(other, 'version.py'), "__version__ = '2.5.1+cpu'\n");
  t.regex(
    call(load, { LIBTORCH: other }).text,
    /^ERR_VSSL_LIBTORCH .*needs libtorch 2\.\d+, and that in .*other \(LIBTORCH\) is 2\.5\.1\+cpu.*unset LIBTORCH/s,
  );
  t.regex(
    call(load, { LIBTORCH: scratch }).text,
    /^ERR_VSSL_LIBTORCH .*LIBTORCH names '.*', which holds no libtorch.*unset that/s,
  );
});

onEngine('an engine that does not fit the machine takes nothing else with it', (t) => {
  t.timeout(300_000);
  const folder = join(project, 'node_modules', engineName);
  const record = join(folder, 'vssl-prebuild.json');
  const [engine, good] = [join(folder, 'engine.node'), readFileSync(record, 'utf8')];
  const change = (fields: object) =>
    writeFileSync(record, JSON.stringify({ ...JSON.parse(good), ...fields }));
  change({ version: '0.0.1' });
  t.regex(
    call(load).text,
    /^ERR_VSSL_VERSION_MISMATCH .*of version 0\.0\.1, and vssl-native is .*in the same version/s,
  );
  if (process.platform === 'linux') {
    change({ glibc: '9.99' });
    t.regex(
      call(load).text,
      /^ERR_VSSL_LOAD .*needs glibc 9\.99 or newer, and this system has \d.*npx vssl-native build/s,
    );
  }
  change({});
  writeFileSync(engine, 'half of a file');
  t.regex(call(load).text, /^ERR_VSSL_LOAD .*engine\.node: it does not load: /s);
  const source = join(scratch, 'trap.cpp');
  writeFileSync(source, '__attribute__((constructor)) static void trap() { __builtin_trap(); }\n');
  rmSync(engine);
  execFileSync('c++', ['-shared', '-fPIC', source, '-o', engine]);
  const { end, text } = call(load);
  t.is(end, 0);
  t.regex(
    text,
    /^ERR_VSSL_LOAD .*the process that loaded it died of SIG(ILL: this processor lacks instructions|TRAP)/s,
  );
});

test('installation by the lock file of the project', (t) => {
  const folder = join(scratch, 'workspace/packages/app');
  mkdirSync(folder, { recursive: true });
  const lock = (name: string) => writeFileSync(join(scratch, 'workspace', name), '');
  t.deepEqual(installCommand(folder, 'a@1'), ['npm', 'install', '--save-exact', 'a@1']);
  lock('yarn.lock');
  t.deepEqual(installCommand(folder, 'a@1'), ['yarn', 'add', '--exact', 'a@1']);
  lock('pnpm-lock.yaml');
  t.deepEqual(installCommand(folder, 'a@1'), ['pnpm', 'add', '--save-exact', 'a@1']);
});

test('a prebuilt addon of another version, or one that is missing from a release, is named', (t) => {
  const prebuilds = join(scratch, 'old');
  const folder = join(prebuilds, platformTag);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'kernels.node'), '');
  writeFileSync(join(folder, 'vssl-prebuild.json'), '{"version":"0.0.1"}');
  const options = { prebuilds, out: join(scratch, 'none') };
  t.throws(() => makePackages(options), {
    message: /was built from version 0\.0\.1, and this is .*: build it again/,
  });
  t.throws(() => makePackages({ ...options, all: true }), {
    message: /lacks .*win32-x64.*engine-cuda-linux-x64/,
  });
});

test('the packages are as package managers, bundlers and compilers want them', (t) => {
  t.timeout(300_000);
  const bin = (name: string) => join(packageRoot, 'node_modules/.bin', name);
  for (const name of ['vssl-native', kernelsName]) {
    const { file } = madeOf(name);
    const linted = spawnSync(bin('publint'), ['run', '--strict', file], { encoding: 'utf8' });
    t.is(linted.status, 0, `${linted.stdout}${linted.stderr}`);
  }
  const typed = spawnSync(bin('attw'), ['--profile', 'node16', madeOf('vssl-native').file], {
    encoding: 'utf8',
  });
  t.is(typed.status, 0, `${typed.stdout}${typed.stderr}`);
});
