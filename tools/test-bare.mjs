// `npm run test:bare`: from nothing to a trained encoder on a machine that has Debian's smallest system, Node, and nothing
// else: no compiler, no Python, no FFmpeg. Makes the packages as they are published (for this system: its glibc is the floor),
// puts them into a root file system of debootstrap, and does there what the README says. libtorch is not downloaded: the
// cache is handed in. Needs to be root; gets debootstrap through apt-get. The last line counts.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { buildTypeScript } from './build.mjs';
import { have, log, main, platformTag, root, run, ToolError } from './common.mjs';
import { makePackages } from './make-packages.mjs';
import { nameOf, packageFor } from './package-list.mjs';
import { prebuild } from './prebuild.mjs';
import { aptInstall, haveLibtorch, setup } from './setup.mjs';
import { count } from './test-runner.mjs';

const RELEASE = 'bookworm';
const MB = 2 ** 20;
/** What the packages may weigh and take. */
const LIMITS = { mainMegabytes: 10, engineMegabytes: 60, installSeconds: 5, minutes: 8 };

const MOTION = 'synthetic:motion?seed=1&pixels=96&seconds=2';
/** As `npm run demo` has them: about three minutes of training on two cores. */
const COMMANDS = [
  `npx vssl-native synthesize --data '${MOTION}&split=train&count=320' --out videos/train`,
  `npx vssl-native synthesize --data '${MOTION}&split=test&count=160' --out videos/test`,
  'npx vssl-native train --preset cvrl-tiny --data videos/train/manifest.csv --out run --set train.steps=300',
  'npx vssl-native eval knn --run run --train videos/train/manifest.csv --test videos/test/manifest.csv --baseline random',
];
const PROGRAMS = {
  'kernels.mjs': `
    import { ntXent } from 'vssl-native/kernels';
    const { loss } = ntXent(new Float32Array(16).fill(1), { rows: 4, dim: 4 });
    if (Math.abs(loss - Math.log(3)) > 1e-5) throw new Error('expected log 3, got ' + loss);
  `,
  'embed.mjs': `
    import { readdirSync } from 'node:fs';
    import { VideoEncoder } from 'vssl-native';
    const film = readdirSync('videos/test', { recursive: true }).find((name) => name.endsWith('.mp4'));
    const encoder = await VideoEncoder.create({ arch: 'r3d_10', width: 0.25, seed: 1 });
    const vector = await encoder.embed('videos/test/' + film);
    await encoder.dispose();
    if (!vector.every(Number.isFinite)) throw new Error('no vector');
  `,
};

function passed(what, holds, detail) {
  log(`${holds ? 'ok' : 'FAILED'} ${what}: ${detail}`);
  if (holds) count.passed++;
  else {
    count.failed++;
    console.log(`FAILED ${what}: ${detail}`);
  }
}

/** The system, with this machine's Node and npm in it. */
function makeSystem(folder) {
  run('debootstrap', ['--variant=minbase', RELEASE, folder]);
  const node = realpathSync(process.execPath);
  const npm = join(dirname(dirname(node)), 'lib/node_modules/npm');
  if (!existsSync(npm)) throw new ToolError(`npm is not at ${npm}, beside Node`, 3);
  const local = join(folder, 'usr/local');
  copyFileSync(node, join(local, 'bin/node'));
  chmodSync(join(local, 'bin/node'), 0o755);
  cpSync(npm, join(local, 'lib/node_modules/npm'), { recursive: true });
  for (const name of ['npm', 'npx'])
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, 'bin', name));
  // How this machine reaches the registry.
  copyFileSync('/etc/resolv.conf', join(folder, 'etc/resolv.conf'));
  for (const [from, to] of [
    [join(process.env.HOME ?? '/root', '.npmrc'), 'root/.npmrc'],
    [process.env.NODE_EXTRA_CA_CERTS, 'etc/own-certificates.pem'],
  ])
    if (from && existsSync(from)) copyFileSync(from, join(folder, to));
  mkdirSync(join(folder, 'root/app'));
}

/** A shell line inside, in /root/app; its output, and how long it took. */
function inside(folder, libtorch, line) {
  const proxies = Object.entries(process.env).filter(([name]) => /^(https?|no)_proxy$/i.test(name));
  const env = {
    ...Object.fromEntries(proxies),
    ...{
      HOME: '/root',
      PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
      VSSL_CACHE: '/cache',
      LANG: 'C.UTF-8',
    },
    ...(existsSync(join(folder, 'etc/own-certificates.pem')) && {
      NODE_EXTRA_CA_CERTS: '/etc/own-certificates.pem',
    }),
  };
  const place = join(folder, 'cache', basename(libtorch));
  mkdirSync(place, { recursive: true });
  const script = `
    set -e
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    mount --bind "$2" "$3"
    exec chroot "$1" /bin/sh -ec "cd /root/app; $4"`;
  const start = performance.now();
  const done = spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', folder, libtorch, place, line], {
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { status: done.status, out: done.stdout ?? '', seconds: (performance.now() - start) / 1000 };
}

/** What is not there, and what is done without it. */
function tryOut(folder, libtorch, packages) {
  const at = (line) => {
    log(`\n$ ${line}`);
    const done = inside(folder, libtorch, line);
    process.stderr.write(done.out);
    return done;
  };
  const bare = at(
    'for name in cc gcc g++ clang make cmake python3 python pip ffmpeg; do if command -v $name; then exit 1; fi; done; ' +
      'if ldconfig -p | grep -E "libav|libtorch"; then exit 1; fi',
  );
  passed('the machine is bare', bare.status === 0, bare.out.trim() || 'no compiler, no Python, no FFmpeg');

  const files = packages.map(({ file }) => {
    copyFileSync(file, join(folder, 'root', basename(file)));
    return `/root/${basename(file)}`;
  });
  const [kernels, engine] = ['kernels', 'engine'].map((kind) => {
    const name = nameOf(packageFor(kind, platformTag));
    return packages.findIndex((one) => one.name === name);
  });
  const own = packages.length - 1;
  writeFileSync(
    join(folder, 'root/app/package.json'),
    '{ "name": "app", "private": true, "type": "module" }\n',
  );
  for (const [name, source] of Object.entries(PROGRAMS))
    writeFileSync(join(folder, 'root/app', name), source);
  const megabytes = (...which) => which.reduce((sum, i) => sum + packages[i].bytes, 0) / MB;
  const size = megabytes(own, kernels);
  passed('main package with kernels', size < LIMITS.mainMegabytes, `${size.toFixed(2)} MB`);
  const engineSize = megabytes(engine);
  passed('engine package', engineSize < LIMITS.engineMegabytes, `${engineSize.toFixed(2)} MB`);

  let seconds = 0;
  const step = (line, most) => {
    const done = at(line);
    seconds += done.seconds;
    const took = `${done.seconds.toFixed(1)} s`;
    passed(
      line,
      done.status === 0 && (most === undefined || done.seconds < most),
      `${took}, exit code ${done.status}`,
    );
  };
  step(`npm install --no-audit --no-fund ${files[own]} ${files[kernels]}`, LIMITS.installSeconds);
  step('node kernels.mjs');
  step(`npm install --no-audit --no-fund ${files[engine]}`);
  step('npx vssl-native setup --yes');
  for (const line of COMMANDS) step(line);
  step('node embed.mjs');
  passed(
    'from nothing to a trained encoder',
    seconds < 60 * LIMITS.minutes,
    `${(seconds / 60).toFixed(1)} minutes`,
  );
}

await main(async () => {
  if (process.platform !== 'linux' || process.getuid() !== 0)
    throw new ToolError('a root file system is made and entered: be root on Linux', 3);
  if (!have('debootstrap')) aptInstall(['debootstrap']);
  await setup({ yes: true });
  buildTypeScript();
  const { prefix } = await haveLibtorch('cpu', { yes: true });
  const scratch = mkdtempSync(join(tmpdir(), 'vssl-bare-'));
  try {
    const prebuilds = join(root, 'build/bare/prebuilds');
    for (const kind of ['kernels', 'engine']) prebuild(kind, { out: prebuilds, anySystem: true });
    const packages = makePackages({ prebuilds, out: join(scratch, 'packages') });
    const folder = join(scratch, 'system');
    makeSystem(folder);
    tryOut(folder, prefix, packages);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const { passed: good, failed } = count;
  if (failed > 0) process.exitCode = 1;
  console.log(`${good} passed, ${failed} failed`);
});
