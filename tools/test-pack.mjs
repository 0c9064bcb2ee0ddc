// npm run test:pack: the package as a stranger meets it. Packs it, installs the tarball in an empty project under a
// path with spaces, quotes and letters of other languages, builds it there and uses it. The last line counts.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildTypeScript } from './build.mjs';
import { log, main, root, run, ToolError } from './common.mjs';
import { locateLibtorch } from './locate-libtorch.cjs';

const scratch = mkdtempSync(join(tmpdir(), "vssl pack's ünï-"));
chmodSync(scratch, 0o755); // another user looks in, see below
const count = { passed: 0, failed: 0 };
/** Where nobody has anything: a user's first day, apart from what setup put into the real cache. */
const home = join(scratch, 'home');
const empty = join(scratch, 'cache');

function check(what, ok, told = '') {
  if (ok) count.passed++;
  else {
    count.failed++;
    console.log(`FAILED ${what}\n${told}`);
  }
}

/** Runs a program in `cwd`; its output comes back. */
function call(cwd, program, args, { env = {}, user } = {}) {
  const done = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 27,
    env: { ...process.env, ...env },
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  if (done.error) throw new ToolError(`could not start '${program}': ${done.error.message}`, 3);
  return { code: done.signal ?? done.status, out: done.stdout, text: `${done.stdout}${done.stderr}` };
}

const json = (text) => {
  try {
    return JSON.parse(text.trim().split('\n').at(-1));
  } catch {
    return undefined;
  }
};

/** A project that has nothing but the package. */
function makeProject(name) {
  const project = join(scratch, name);
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, 'package.json'), '{ "name": "app", "private": true }\n');
  return project;
}

function pack() {
  const { code, out, text } = call(root, 'npm', ['pack', '--json', '--pack-destination', scratch]);
  if (code !== 0) throw new ToolError(`npm pack failed: ${text}`);
  const [{ filename, files }] = JSON.parse(out);
  const names = files.map((file) => file.path);
  const strange = names.filter(
    (name) =>
      /(^|\/)(tests?|fuzz|node_modules|build|demo)\//.test(name) || /\.(tsbuildinfo|node|so)$/.test(name),
  );
  check('the tarball holds no tests and nothing that was built', strange.length === 0, strange.join('\n'));
  for (const needed of [
    'dist/esm/index.js',
    'dist/cjs/index.d.ts',
    'CMakeLists.txt',
    'native/kernels/sources.txt',
    'native/video/video.h',
  ])
    check(`the tarball holds ${needed}`, names.includes(needed));
  return join(scratch, filename);
}

function install(project, tarball) {
  const { code, text } = call(
    project,
    'npm',
    ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball],
    { env: { VSSL_CACHE: empty } },
  );
  if (code !== 0) throw new ToolError(`npm install failed: ${text}`);
  const folder = join(project, 'node_modules/vssl-native');
  check('npm install builds nothing', !existsSync(join(folder, 'build')));
  check('npm install gets no libtorch', !existsSync(empty) || readdirSync(empty).length === 0);
  return folder;
}

/** What the package says of itself while its addons are missing. */
function beforeBuild(project) {
  const env = { VSSL_CACHE: empty, LIBTORCH: '' };
  const doctor = call(project, 'npx', ['vssl-native', 'doctor', '--json'], { env });
  const faults = json(doctor.out)?.checks?.filter((one) => one.status === 'fault') ?? [];
  check('doctor ends with 3 before the build', doctor.code === 3, doctor.text);
  for (const name of ['kernels addon', 'engine addon', 'libtorch'])
    check(
      `doctor says how to get the ${name}`,
      faults.some((fault) => fault.name === name && /npx vssl-native (build|setup)/.test(fault.remedy)),
      doctor.text,
    );
  const used = call(project, process.execPath, ['-e', useKernels('require')], { env });
  check(
    'a call without the addon says how to build it',
    used.code === 1 && /ERR_VSSL_NO_BINARY/.test(used.text) && /npx vssl-native setup/.test(used.text),
    used.text,
  );
  const built = call(project, 'npx', ['vssl-native', 'train', '--help'], { env });
  check('help works without the addons', built.code === 0, built.text);
}

const useKernels = (kind) => `
  ${kind === 'require' ? "const { ntXent } = require('vssl-native/kernels');" : "import { ntXent } from 'vssl-native/kernels';"}
  const { loss } = ntXent(Float32Array.from({ length: 32 }, (_, i) => Math.sin(i)), { rows: 8, dim: 4 });
  if (!(loss > 0)) throw new Error(String(loss));
  console.log(loss);
`;

const useEngine = (kind, video) => `
  ${kind === 'require' ? "const { VideoEncoder } = require('vssl-native');" : "import { VideoEncoder } from 'vssl-native';"}
  (async () => {
    const encoder = await VideoEncoder.create({ arch: 'r3d_10', width: 0.25, seed: 1 });
    const vector = await encoder.embed(${JSON.stringify(video)});
    if (vector.length !== encoder.dim || !vector.every(Number.isFinite)) throw new Error('no embedding');
    console.log(JSON.stringify(Array.from(vector)));
    await encoder.dispose();
  })();
`;

function build(project) {
  // What a user does: setup where libtorch is not there yet, build where it is; both again are cheap.
  const first = locateLibtorch() ? 'build' : 'setup';
  for (const command of [first, first === 'build' ? 'setup' : 'build']) {
    const started = performance.now();
    log(`npx vssl-native ${command}, in an empty project; a first build takes some minutes`);
    const options = command === 'setup' ? ['--build', '--yes'] : [];
    const { code, text } = call(project, 'npx', ['vssl-native', command, ...options]);
    const seconds = (performance.now() - started) / 1000;
    check(`npx vssl-native ${command} ends well`, code === 0, text);
    log(`  ${command}: ${seconds.toFixed(0)} s`);
    if (command !== first) check(`${command} builds nothing twice`, !/building the/.test(text), text);
  }
  const doctor = call(project, 'npx', ['vssl-native', 'doctor', '--json']);
  check(
    'doctor ends with 0 after the build',
    doctor.code === 0 && json(doctor.out)?.ok === true,
    doctor.text,
  );
}

function use(project) {
  const videos = join(project, 'vidéos');
  const made = call(project, 'npx', [
    ...[
      'vssl-native',
      'synthesize',
      '--data',
      'synthetic:motion?count=2&pixels=64&seconds=1',
      '--out',
      videos,
    ],
  ]);
  check('synthesize writes videos', made.code === 0, made.text);
  const video = readdirSync(videos, { recursive: true }).find((name) => /\.(mp4|avi|mkv)$/.test(name));
  const path = join(videos, String(video));
  const kernels = [];
  const vectors = [];
  for (const [kind, flag] of [
    ['require', 'commonjs'],
    ['import', 'module'],
  ]) {
    const run = (source) => call(project, process.execPath, [`--input-type=${flag}`, '-e', source]);
    const loss = run(useKernels(kind));
    check(`the kernels addon loads by ${kind}`, loss.code === 0, loss.text);
    kernels.push(loss.out);
    const vector = run(useEngine(kind, path));
    check(`the engine addon loads by ${kind} and embeds a video`, vector.code === 0, vector.text);
    vectors.push(vector.out);
  }
  check('both kinds of module give the same', kernels[0] === kernels[1] && vectors[0] === vectors[1]);
  const checked = call(project, 'npx', ['vssl-native', 'check', '--data', videos, '--json']);
  check('check reads the videos', checked.code === 0, checked.text);
}

/** The declarations, checked whole (skipLibCheck is off), as both kinds of module see them. */
function types(project) {
  const source = readFileSync(join(root, 'test/types/consumer.mts'), 'utf8');
  writeFileSync(join(project, 'consumer.mts'), source);
  writeFileSync(join(project, 'consumer.cts'), readFileSync(join(root, 'test/types/consumer.cts'), 'utf8'));
  const { code, text } = call(project, process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    ...['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'],
    ...['--module', 'nodenext', '--target', 'es2022', '--lib', 'es2023,esnext.disposable'],
    ...['--types', 'node', '--typeRoots', join(root, 'node_modules/@types'), 'consumer.mts', 'consumer.cts'],
  ]);
  check('a TypeScript project compiles against it', code === 0, text);
}

/** As package managers with a store lay it out: the project has a link, the files are elsewhere. */
function linked(folder) {
  const store = join(scratch, 'store/vssl-native@1/node_modules');
  const project = makeProject('linked project');
  mkdirSync(join(project, 'node_modules'), { recursive: true });
  cpSync(join(folder, '..'), store, { recursive: true, verbatimSymlinks: true });
  symlinkSync(join(store, 'vssl-native'), join(project, 'node_modules/vssl-native'));
  const kernels = call(project, process.execPath, ['-e', useKernels('require')]);
  check('a linked package loads its addon', kernels.code === 0, kernels.text);
  const entry = join(project, 'node_modules/vssl-native/dist/esm/cli/main.js');
  const doctor = call(project, process.execPath, [entry, 'doctor', '--json']);
  check('a linked package finds its parts', doctor.code === 0, doctor.text);
  const tool = join(project, 'node_modules/vssl-native/tools/build-native.mjs');
  const absent = join(scratch, 'absent');
  const started = call(project, process.execPath, [tool, '--libtorch', absent]);
  check(
    'a tool that is started through a link does its work',
    started.code === 3 && started.text.includes(`${absent}', which holds no libtorch`),
    started.text,
  );
}

/** Installed by an administrator, used by somebody else. */
function foreign(folder) {
  const user = process.getuid() === 0 ? 65534 : undefined;
  const env = { HOME: home, VSSL_CACHE: empty };
  const project = makeProject('of an administrator');
  cpSync(join(folder, '..'), join(project, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  const installed = join(project, 'node_modules/vssl-native');
  run('chmod', ['-R', 'a-w', installed]);
  const cli = join(installed, 'dist/esm/cli/main.js');
  const kernels = call(project, process.execPath, ['-e', useKernels('require')], { env, user });
  check('another user can use a built package', kernels.code === 0, kernels.text);
  run('chmod', ['-R', 'u+w', installed]);
  rmSync(join(installed, 'build'), { recursive: true });
  run('chmod', ['-R', 'a-w', installed]);
  const built = call(project, process.execPath, [cli, 'build', '--kernels-only'], { env, user });
  check(
    'another user who builds is told whose the folder is',
    built.code === 3 && built.text.includes(`${installed} is not writable`),
    built.text,
  );
  const doctor = call(project, process.execPath, [cli, 'doctor', '--json'], { env, user });
  const fault = json(doctor.out)?.checks?.find((one) => one.name === 'package folder');
  check('doctor says so too', doctor.code === 3 && /owner/.test(fault?.remedy), doctor.text);
  run('chmod', ['-R', 'u+w', installed]);
}

await main(async () => {
  try {
    buildTypeScript();
    const project = makeProject('empty project');
    const folder = install(project, pack());
    types(project);
    beforeBuild(project);
    build(project);
    use(project);
    linked(folder);
    foreign(folder);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  if (count.failed > 0) process.exitCode = 1;
  console.log(`${count.passed} passed, ${count.failed} failed`);
});
