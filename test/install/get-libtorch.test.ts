// How libtorch is got: with wheels of a few bytes, from servers and folders of this machine.
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { packageRoot } from '#src/native/package-root.js';
import { type ServerFaults, serveFiles } from '../helpers/file-server.js';
import { zipOf } from '../helpers/zip.js';

interface Wheel {
  readonly name: string;
  readonly version: string;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}
interface Build {
  readonly title: string;
  readonly index: string;
  readonly unpacked: number;
  readonly wheels: Readonly<Record<string, readonly Wheel[]>>;
  place(): string;
}
interface Found {
  readonly prefix: string;
  readonly version: string;
  readonly cuda: string | null;
}
interface Fault extends Error {
  readonly code: string;
  readonly exitCode: number;
}

const pathOf = (name: string) => pathToFileURL(join(packageRoot, 'tools', name)).href;
const { getLibtorch } = (await import(pathOf('get-libtorch.mjs'))) as {
  getLibtorch(flavour: string, options: object): Promise<Found>;
};
const { libtorchBuilds } = (await import(pathOf('libtorch-wheels.mjs'))) as {
  libtorchBuilds: Readonly<Record<'cpu' | 'cuda', Build>>;
};
const { libtorchVersions, locateLibtorch } = (await import(pathOf('locate-libtorch.cjs'))) as {
  libtorchVersions: { cpu: string; cuda: string };
  locateLibtorch(explicit: string | undefined, flavour: string): Found | undefined;
};
const { agree } = (await import(pathOf('terminal.mjs'))) as {
  agree(plan: string, options: object): Promise<void>;
};

// Nothing of the machine's own: no network, and of pip a folder of ours alone.
for (const name of [
  'VSSL_TORCH_WHEEL',
  'VSSL_TORCH_INDEX',
  'HTTP_PROXY',
  'http_proxy',
  'ALL_PROXY',
  'all_proxy',
])
  delete process.env[name];
const scratch = mkdtempSync(join(tmpdir(), 'vssl-wheels-'));
const pipFolder = join(scratch, 'pip');
mkdirSync(pipFolder);
Object.assign(process.env, {
  PIP_CONFIG_FILE: '/dev/null',
  PIP_NO_INDEX: '1',
  PIP_FIND_LINKS: pipFolder,
  PIP_EXTRA_INDEX_URL: '',
});
const hasPip = spawnSync('python3', ['-m', 'pip', '--version']).status === 0;
test.after.always(() => rmSync(scratch, { recursive: true, force: true }));

const platform = `${process.platform}-${process.arch}`;
const tag = {
  'linux-x64': 'manylinux_2_28_x86_64',
  'linux-arm64': 'manylinux_2_28_aarch64',
  'darwin-arm64': 'macosx_14_0_arm64',
}[platform];
/** Where official libtorch is published for. */
const onSupported = tag ? test : test.skip;
const library = process.platform === 'darwin' ? 'libtorch_cpu.dylib' : 'libtorch_cpu.so';

/** What PyTorch's wheel holds, as far as it matters. */
const torchFiles = (version: string, { cuda = '', on = tag ?? '' } = {}) => ({
  'torch/include/torch/csrc/api/include/torch/torch.h': '',
  [`torch/lib/${library}`]: randomBytes(20_000),
  ...(cuda ? { 'torch/lib/libtorch_cuda.so': '' } : {}),
  'torch/lib/libfoo.a': 'not needed',
  'torch/version.py': `__version__ = '${version}'\ncuda: Optional[str] = ${cuda ? `'${cuda}'` : 'None'}\n`,
  'torch/nn/__init__.py': 'not needed',
  [`torch-${version}.dist-info/METADATA`]: `Metadata-Version: 2.1\nName: torch\nVersion: ${version}\n`,
  [`torch-${version}.dist-info/WHEEL`]: `Wheel-Version: 1.0\nTag: cp311-cp311-${on}\n`,
});
const CUDNN = {
  'nvidia/cudnn/lib/libcudnn.so.9': '',
  'nvidia/cudnn/lib/libcudnn_static.a': 'not needed',
  'nvidia_cudnn-1.0.dist-info/METADATA': 'not needed',
};

let made = 0;
/** Wheels with this content as they are published, and a place for what is in them. */
async function publish(
  t: ExecutionContext,
  content: Readonly<Record<string, Buffer>>,
  faults: ServerFaults = {},
) {
  const folder = join(scratch, String(made++));
  const pages: Record<string, Buffer | string> = {};
  const wheels = Object.entries(content).map(([file, bytes]): Wheel => {
    const [name, version] = file.split('-') as [string, string];
    pages[`/${name}/`] = `<a href="/files/${encodeURIComponent(file)}">${file}</a>`;
    pages[`/files/${file}`] = bytes;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { name, version, file, bytes: bytes.length, sha256 };
  });
  const server = await serveFiles(pages, faults);
  t.teardown(server.close);
  const place = join(folder, 'cache', wheels.length > 1 ? 'libtorch/torch' : 'libtorch');
  const build: Build = {
    ...{ title: 'libtorch of the test', index: server.url, unpacked: 1e5 },
    wheels: { [platform]: wheels },
    place: () => place,
  };
  return {
    build,
    server,
    place,
    wheels,
    files: () => readdirSync(join(folder, 'cache'), { recursive: true, encoding: 'utf8' }),
  };
}
const cpuWheel = `torch-2.13.0+cpu-cp311-cp311-${tag}.whl`;
const publishCpu = (t: ExecutionContext, faults: ServerFaults = {}) =>
  publish(t, { [cpuWheel]: zipOf(torchFiles('2.13.0+cpu')) }, faults);

test('the table names each wheel once, with its version and digest', (t) => {
  for (const [flavour, { wheels, index }] of Object.entries(libtorchBuilds)) {
    t.regex(index, /^https:\/\//);
    for (const [first, ...others] of Object.values(wheels)) {
      t.is(first!.name, 'torch');
      t.is(first!.version.split('+')[0], libtorchVersions[flavour as 'cpu' | 'cuda']);
      for (const { name, version, sha256, bytes, file } of [first!, ...others]) {
        t.regex(name, /^(torch|nvidia-[a-z0-9-]+)$/);
        t.regex(version, /^\d+(\.\d+)+(\+cpu)?$/, name);
        t.regex(sha256, /^[0-9a-f]{64}$/, name);
        t.regex(file, /\.whl$/);
        t.true(bytes > 1e5, name);
      }
    }
  }
  const all = Object.values(libtorchBuilds).flatMap(({ wheels }) => Object.values(wheels).flat());
  for (const field of ['file', 'sha256'] as const)
    t.is(new Set(all.map((wheel) => wheel[field])).size, all.length);
  t.true(all.length > 15);
});

test('one file of the sources says where official libtorch is published', (t) => {
  const naming = ['src', 'tools', 'native', 'benchmarks', 'examples'].flatMap((folder) =>
    readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, name))
      .filter((name) => statSync(join(packageRoot, name)).isFile())
      .filter((name) => readFileSync(join(packageRoot, name), 'utf8').includes('download.pytorch.org')),
  );
  t.deepEqual(naming, ['tools/libtorch-wheels.mjs']);
});

onSupported('a wheel is loaded and unpacked; what C++ does not need stays out', async (t) => {
  const { build, place, files, server } = await publishCpu(t);
  t.like(await getLibtorch('cpu', { build, yes: true }), {
    version: '2.13.0+cpu',
    cuda: null,
    prefix: place,
  });
  t.true(files().includes(`libtorch/lib/${library}`));
  t.deepEqual(
    files().filter((file) => /nn|\.a$|dist-info|download|\.part/.test(file)),
    [],
  );
  t.deepEqual(server.requests, ['/torch/', `/files/${cpuWheel}`]);
});

onSupported(
  'wheels are unpacked side by side; a call that was broken off goes on with what it lacks',
  async (t) => {
    const { build, place, files, server, wheels } = await publish(t, {
      [`torch-2.14.1-cp311-cp311-${tag}.whl`]: zipOf(torchFiles('2.14.1+cu130', { cuda: '13.0' })),
      'cudnn-1.0-py3.whl': zipOf(CUDNN),
    });
    const wrong = {
      ...build,
      wheels: { [platform]: [wheels[0]!, { ...wheels[1]!, sha256: 'f'.repeat(64) }] },
    };
    const fault = await t.throwsAsync<Fault>(getLibtorch('cuda', { build: wrong, yes: true }));
    t.regex(
      fault!.message,
      /^cudnn-1\.0-py3\.whl could not be had\. Tried, in this order:\n.*sent a file of SHA-256 .* it was deleted\n {2}pip: /,
    );
    t.is(fault!.code, 'ERR_VSSL_DOWNLOAD');
    t.false(existsSync(place));
    server.requests.length = 0;
    t.like(await getLibtorch('cuda', { build, yes: true }), {
      version: '2.14.1+cu130',
      cuda: '13.0',
      prefix: place,
    });
    t.deepEqual(server.requests, ['/cudnn/', '/files/cudnn-1.0-py3.whl']);
    t.true(files().includes('libtorch/nvidia/cudnn/lib/libcudnn.so.9'));
    t.deepEqual(
      files().filter((file) => /\.a$|dist-info|download|\.part/.test(file)),
      [],
    );
  },
);

onSupported('an index that cannot be reached: pip, with the folder of its configuration', async (t) => {
  if (!hasPip) return t.pass('there is no pip');
  const { build, place, server } = await publishCpu(t);
  server.close();
  writeFileSync(join(pipFolder, cpuWheel), zipOf(torchFiles('2.13.0+cpu')));
  const other = await t.throwsAsync<Fault>(getLibtorch('cpu', { build, yes: true }));
  t.regex(
    other!.message,
    /cannot be reached: .*\n {2}pip: the SHA-256 of .*: another build, or not the file that was published/,
  );
  const { bytes, sha256 } = build.wheels[platform]![0]!;
  const known = createHash('sha256')
    .update(readFileSync(join(pipFolder, cpuWheel)))
    .digest('hex');
  const wheels = { [platform]: [{ name: 'torch', version: '2.13.0', file: cpuWheel, bytes, sha256: known }] };
  t.not(sha256, known);
  const { prefix } = await getLibtorch('cpu', { build: { ...build, wheels }, yes: true });
  t.is(prefix, place);
});

onSupported('offline, without pip: what was tried, in which order, and what to do', async (t) => {
  const { build, server, place } = await publishCpu(t);
  server.close();
  const script = `
    const { getLibtorch } = await import(${JSON.stringify(pathOf('get-libtorch.mjs'))});
    const build = { ...${JSON.stringify(build)}, place: () => ${JSON.stringify(place)} };
    const { main } = await import(${JSON.stringify(pathOf('common.mjs'))});
    await main(() => getLibtorch('cpu', { build, yes: true }));`;
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    ...{ encoding: 'utf8', env: { ...process.env, PATH: scratch } },
  });
  t.is(status, 3);
  t.regex(
    stderr,
    /error: torch-.*\.whl could not be had\. Tried, in this order:\n {2}http:.*cannot be reached: .*ECONNREFUSED.*\n {2}pip: could not start 'python3'/,
  );
  t.regex(stderr, /setup --wheel FILE.*HTTPS_PROXY.*VSSL_TORCH_INDEX.*LIBTORCH/);
  t.true(performance.now() - started < 20_000);
});

onSupported(
  'a wheel, or a folder of wheels, that the user has: nothing else is asked, nor is he',
  async (t) => {
    const { build, server, place } = await publishCpu(t);
    const folder = join(scratch, 'of mine');
    mkdirSync(folder);
    const mine = join(folder, 'a name of my own.whl');
    writeFileSync(mine, zipOf(torchFiles('2.13.0+mine')));
    t.is((await getLibtorch('cpu', { build, wheel: mine })).version, '2.13.0+mine');
    const empty = await t.throwsAsync<Fault>(getLibtorch('cpu', { build, wheel: folder }));
    t.regex(empty!.message, /the folder .*of mine: it is not there/);
    writeFileSync(join(folder, cpuWheel), zipOf(torchFiles('2.13.0+other')));
    const other = await t.throwsAsync<Fault>(getLibtorch('cpu', { build, wheel: folder }));
    t.regex(other!.message, /the SHA-256 of .* is .*, and that of torch 2\.13\.0\+cpu is /);
    const absent = await t.throwsAsync<Fault>(
      getLibtorch('cpu', { build, wheel: join(scratch, 'none.whl') }),
    );
    t.regex(absent!.message, /none\.whl: there is no such file/);
    t.deepEqual(server.requests, []);
    t.is(readFileSync(join(place, 'version.py'), 'utf8').split('\n')[0], "__version__ = '2.13.0+mine'");
  },
);

onSupported('what a wheel is, its content says', async (t) => {
  const { build, place } = await publishCpu(t);
  const contents: readonly (readonly [Buffer, RegExp])[] = [
    [
      zipOf(torchFiles('2.13.0', { cuda: '13.0' })),
      /holds a libtorch for CUDA; expected torch-2\.13\.0\+cpu/,
    ],
    [zipOf(torchFiles('2.12.0+cpu')), /holds libtorch 2\.12\.0\+cpu; .*set LIBTORCH to its folder torch/],
    [zipOf(torchFiles('2.13.0', { on: 'win_amd64' })), /another system \(cp311-cp311-win_amd64\)/],
    [zipOf({ 'numpy/__init__.py': '' }), /holds no libtorch;/],
    [Buffer.from('<html>log in first</html>'), /is no whole wheel \(a zip file\): /],
    [zipOf(torchFiles('2.13.0')).subarray(0, 15_000), /is no whole wheel \(a zip file\): /],
    [zipOf(torchFiles('2.13.0'), { wrongCrc: true }), /is no whole wheel \(a zip file\): the checksum of/],
    [
      zipOf({ ...torchFiles('2.13.0'), '../../torch/lib/out.so': '' }),
      /is no whole wheel .*\.\.\/\.\.\/torch\/lib\/out\.so/,
    ],
    [zipOf({ ...torchFiles('2.13.0'), '/torch/lib/out.so': '' }), /is no whole wheel .*absolute path/],
    [zipOf({ ...torchFiles('2.13.0'), 'nvidia/../../out.so': '' }), /is no whole wheel .*\.\./],
  ];
  for (const [i, [bytes, message]] of contents.entries()) {
    const wheel = join(scratch, `content-${i}.whl`);
    writeFileSync(wheel, bytes);
    const fault = await t.throwsAsync<Fault>(
      getLibtorch('cpu', { build, wheel }),
      undefined,
      String(message),
    );
    t.regex(fault!.message, message);
    t.is(fault!.code, 'ERR_VSSL_LIBTORCH');
    t.is(fault!.exitCode, 3);
    t.false(existsSync(place));
  }
  t.false(
    readdirSync(scratch, { recursive: true, encoding: 'utf8' }).some((name) => name.endsWith('out.so')),
  );
  const cuda = await t.throwsAsync<Fault>(
    getLibtorch('cuda', {
      build: (await publish(t, { [cpuWheel]: zipOf(torchFiles('2.13.0')) })).build,
      yes: true,
    }),
  );
  t.regex(cuda!.message, /holds a libtorch for the CPU alone/);
});

onSupported('Ctrl-C keeps what was loaded, and the same command goes on from there', async (t) => {
  const { build, server, place, files } = await publishCpu(t, { pauseMs: 50 });
  const script = `
    const { getLibtorch } = await import(${JSON.stringify(pathOf('get-libtorch.mjs'))});
    const { main } = await import(${JSON.stringify(pathOf('common.mjs'))});
    const build = { ...${JSON.stringify(build)}, place: () => ${JSON.stringify(place)} };
    await main(() => getLibtorch('cpu', { build, yes: true }));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const part = join(`${place}.part`, 'download', `${cpuWheel}.part`);
  while (!existsSync(part) || statSync(part).size < 3000) await setTimeout(20);
  const second = await t.throwsAsync<Fault>(getLibtorch('cpu', { build, yes: true }));
  t.is(second!.code, 'ERR_VSSL_LOCKED');
  child.kill('SIGINT');
  const [code] = await once(child, 'close');
  t.is(code, 130, said);
  t.regex(said, /stopped; what was loaded is kept/);
  const kept = statSync(part).size;
  server.faults.pauseMs = 0;
  await getLibtorch('cpu', { build, yes: true });
  t.is(server.requests.at(-1), `/files/${cpuWheel} bytes=${kept}-`);
  t.deepEqual(
    files().filter((name) => /\.(part|lock)$/.test(name)),
    [],
  );
});

onSupported(
  'a disk without room, and a cache that cannot be written, are told before anything is loaded',
  async (t) => {
    const { build, server, place } = await publishCpu(t);
    const fault = await t.throwsAsync<Fault>(
      getLibtorch('cpu', { build: { ...build, unpacked: 1e18 }, yes: true }),
    );
    t.regex(
      fault!.message,
      /needs 1000000000\.0 GB in .*cache, where .* are free; VSSL_CACHE names another folder/,
    );
    t.is(fault!.code, 'ERR_VSSL_ENVIRONMENT');
    const file = join(scratch, 'a file');
    writeFileSync(file, '');
    const unwritable = await t.throwsAsync<Fault>(
      getLibtorch('cpu', { build: { ...build, place: () => join(file, 'libtorch') }, yes: true }),
    );
    t.regex(
      unwritable!.message,
      /is kept in .*a file, which cannot be written: .*Name another folder in VSSL_CACHE/,
    );
    t.is(unwritable!.code, 'ERR_VSSL_ENVIRONMENT');
    if (process.getuid?.() !== 0) {
      mkdirSync(dirname(place), { recursive: true });
      chmodSync(dirname(place), 0o500);
      await t.throwsAsync<Fault>(getLibtorch('cpu', { build, yes: true }), { code: 'ERR_VSSL_ENVIRONMENT' });
      chmodSync(dirname(place), 0o700);
    }
    t.deepEqual(server.requests, []);
  },
);

onSupported('a system for which none is published', async (t) => {
  const { build } = await publishCpu(t);
  const fault = await t.throwsAsync<Fault>(
    getLibtorch('cpu', { build: { ...build, wheels: { 'plan9-mips': [] } }, yes: true }),
  );
  t.regex(fault!.message, /no official libtorch of the test for .*, but for plan9-mips; set LIBTORCH/);
});

onSupported(
  'what will be loaded is said before anything is: name, bytes, from where, where to',
  async (t) => {
    const { build, server, place } = await publishCpu(t);
    const fault = await t.throwsAsync<Fault>(getLibtorch('cpu', { build }));
    t.regex(fault!.message, /nobody is at a terminal to agree to that: add --yes/);
    t.is(fault!.exitCode, 2);
    t.deepEqual(server.requests, []);
    t.false(existsSync(place));
  },
);

test('a question at a terminal: Enter and y go on, all else does not', async (t) => {
  const ask = async (answer: string) => {
    const input = Object.assign(new PassThrough(), { isTTY: true });
    const output = Object.assign(new PassThrough(), { isTTY: true });
    const said = output.setEncoding('utf8').toArray();
    const done = agree('to be loaded: 12 MB', { input, output }).then(
      () => 'agreed',
      (error: Fault) => error.code,
    );
    input.end(answer);
    const result = await done;
    output.end();
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what moves the cursor is not of interest
    t.regex((await said).join('').replace(/\x1b\[\d*[GJ]/g, ''), /^to be loaded: 12 MB\nGo on\? \[Y\/n\] /);
    return result;
  };
  for (const yes of ['\n', 'y\n', 'Yes\n']) t.is(await ask(yes), 'agreed');
  for (const no of ['n\n', 'what?\n', '']) t.is(await ask(no), 'ERR_VSSL_ABORTED', JSON.stringify(no));
});

test('a libtorch that is named must be one for CUDA', (t) => {
  const place = (name: string, files: readonly string[]) => {
    for (const file of files) {
      mkdirSync(dirname(join(scratch, name, file)), { recursive: true });
      writeFileSync(join(scratch, name, file), '');
    }
    return join(scratch, name);
  };
  const plain = ['include/torch/csrc/api/include/torch/torch.h', 'lib/libtorch_cpu.so'];
  const cpu = place('cpu', plain);
  const cuda = place('cuda', [...plain, 'lib/libtorch_cuda.so']);
  t.is(locateLibtorch(cuda, 'cuda')?.prefix, cuda);
  t.is(locateLibtorch(cuda, 'cpu')?.prefix, cuda);
  const fault = t.throws<Fault>(() => locateLibtorch(cpu, 'cuda'))!;
  t.regex(
    fault.message,
    /a libtorch for the CPU alone; the CUDA engine needs one that has lib\/libtorch_cuda\.so/,
  );
  t.is(fault.exitCode, 3);
  t.throws(() => locateLibtorch(join(scratch, 'absent'), 'cuda'), { message: /holds no libtorch/ });
});
