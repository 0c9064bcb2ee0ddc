// How libtorch for CUDA is got: with wheels of a few bytes in the place of gigabytes.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import test from 'ava';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

interface Wheel {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
}
interface Found {
  readonly prefix: string;
  readonly version: string;
  readonly cuda: string | null;
}
interface Fault {
  readonly message: string;
  readonly exitCode: number;
}

const tool = (name: string) => import(pathToFileURL(join(root, 'tools', `${name}.mjs`)).href);
const { cudaWheels, getCudaLibtorch } = (await tool('cuda-libtorch')) as {
  cudaWheels: readonly Wheel[];
  getCudaLibtorch(options: object): Promise<Found>;
};
const { libtorchVersions, locateLibtorch } = (await tool('locate-libtorch')) as {
  libtorchVersions: { cpu: string; cuda: string };
  locateLibtorch(explicit: string | undefined, flavour: string): Found | undefined;
};
const { findNvcc, requireNvcc } = (await tool('cuda-toolkit')) as {
  findNvcc(places: readonly string[]): object | undefined;
  requireNvcc(cuda: string | null, nvcc: { path: string; version: string } | null): object;
};

delete process.env.VSSL_TORCH_WHEEL;
const scratch = mkdtempSync(join(tmpdir(), 'vssl-wheels-'));
test.after.always(() => rmSync(scratch, { recursive: true, force: true }));

test('the table names each wheel once, with its version and digest', (t) => {
  t.is(cudaWheels[0]!.name, 'torch');
  t.is(cudaWheels[0]!.version, libtorchVersions.cuda);
  for (const { name, version, sha256 } of cudaWheels) {
    t.regex(name, /^(torch|nvidia-[a-z0-9-]+)$/);
    t.regex(version, /^\d+(\.\d+)+(\.post\d+)?$/, name);
    t.regex(sha256, /^[0-9a-f]{64}$/, name);
  }
  for (const field of ['name', 'sha256'] as const)
    t.is(new Set(cudaWheels.map((wheel) => wheel[field])).size, cudaWheels.length);
  t.true(cudaWheels.length > 10);
});

const TORCH = {
  'torch/include/torch/csrc/api/include/torch/torch.h': '',
  'torch/lib/libtorch_cpu.so': '',
  'torch/lib/libtorch_cuda.so': '',
  'torch/version.py': "__version__ = '2.14.1+cu130'\ncuda: Optional[str] = '13.0'\n",
  'torch/nn/__init__.py': 'not needed',
};
const CUDNN = {
  'nvidia/cudnn/lib/libcudnn.so.9': '',
  'nvidia/cudnn/lib/libcudnn_static.a': 'not needed',
  'nvidia_cudnn-1.dist-info/METADATA': 'not needed',
};

/** Wheels with these files, as they would come from pip, and what takes the place of pip. */
function published(name: string, files: Readonly<Record<string, Readonly<Record<string, string>>>>) {
  const folder = join(scratch, name);
  mkdirSync(folder);
  const script = `
import json, sys, zipfile
for name, files in json.loads(sys.argv[2]).items():
    with zipfile.ZipFile(sys.argv[1] + '/' + name + '.whl', 'w') as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)`;
  execFileSync('python3', ['-c', script, folder, JSON.stringify(files)]);
  const wheels = Object.keys(files).map((wheel) => ({
    name: wheel,
    version: wheel === 'torch' ? '2.14.1' : '1.0',
    sha256: createHash('sha256')
      .update(readFileSync(join(folder, `${wheel}.whl`)))
      .digest('hex'),
  }));
  const asked: string[] = [];
  const download = (work: string, wheel: Wheel) => {
    asked.push(wheel.name);
    const file = join(work, `${wheel.name}.whl`);
    writeFileSync(file, readFileSync(join(folder, `${wheel.name}.whl`)));
    return file;
  };
  return { wheels, download, asked, folder: join(folder, 'cache/libtorch'), room: 0 };
}

const isLinux = process.platform === 'linux' && process.arch === 'x64';
const onLinux = isLinux ? test : test.skip;

onLinux('wheels are unpacked side by side; what C++ does not need stays out', async (t) => {
  const from = published('whole', { torch: TORCH, 'nvidia-cudnn': CUDNN });
  t.like(await getCudaLibtorch(from), {
    version: '2.14.1+cu130',
    cuda: '13.0',
    prefix: join(from.folder, 'torch'),
  });
  const files = readdirSync(from.folder, { recursive: true, encoding: 'utf8' });
  t.true(files.includes('nvidia/cudnn/lib/libcudnn.so.9'));
  t.deepEqual(
    files.filter((file) => /nn\/__init__|\.a$|dist-info|download/.test(file)),
    [],
  );
  t.false(existsSync(`${from.folder}.part`));
});

onLinux('a wheel of another digest is refused by name, and nothing is in place', async (t) => {
  const { wheels, ...from } = published('changed', { torch: TORCH, 'nvidia-cudnn': CUDNN });
  const wrong = wheels.map((wheel) =>
    wheel.name === 'torch' ? wheel : { ...wheel, sha256: 'f'.repeat(64) },
  );
  const { message } = (await t.throwsAsync(getCudaLibtorch({ ...from, wheels: wrong })))!;
  t.regex(message, /^nvidia-cudnn 1\.0: the SHA-256 of nvidia-cudnn\.whl is [0-9a-f]{64}, expected f{64}/);
  t.false(existsSync(from.folder));
  t.false(existsSync(join(`${from.folder}.part`, 'nvidia')));
  // the same call goes on with what it lacks
  from.asked.length = 0;
  await getCudaLibtorch({ ...from, wheels });
  t.deepEqual(from.asked, ['nvidia-cudnn']);
});

onLinux('a download that breaks off leaves no half of it', async (t) => {
  const from = published('broken', { torch: TORCH, 'nvidia-cudnn': CUDNN });
  let once = true;
  const download = (work: string, wheel: Wheel) => {
    if (wheel.name !== 'torch' && once) {
      once = false;
      writeFileSync(join(work, 'half.whl'), 'half');
      throw new Error('the network is gone');
    }
    return from.download(work, wheel);
  };
  await t.throwsAsync(getCudaLibtorch({ ...from, download }), { message: 'the network is gone' });
  t.false(existsSync(from.folder));
  t.false(existsSync(join(`${from.folder}.part`, 'download')));
  await getCudaLibtorch({ ...from, download });
  t.deepEqual(from.asked, ['torch', 'nvidia-cudnn']);
});

onLinux('a wheel for the CPU is none for CUDA', async (t) => {
  const { 'torch/lib/libtorch_cuda.so': _, ...plain } = TORCH;
  const from = published('plain', { torch: plain });
  await t.throwsAsync(getCudaLibtorch(from), {
    message: /libtorch 2\.14\.1\+cu130, without CUDA; expected 2\.14\.1 for CUDA/,
  });
  t.false(existsSync(from.folder));
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
  const fault = t.throws(() => locateLibtorch(cpu, 'cuda')) as unknown as Fault;
  t.regex(
    fault.message,
    /a libtorch for the CPU alone; the CUDA engine needs one that has lib\/libtorch_cuda\.so/,
  );
  t.is(fault.exitCode, 3);
  t.throws(() => locateLibtorch(join(scratch, 'absent'), 'cuda'), { message: /holds no libtorch/ });
});

test('without a compiler that fits: what was looked for, and what to install', (t) => {
  const refusal = (cuda: string | null, version?: string) => {
    const nvcc = version === undefined ? null : { path: '/opt/nvcc', version };
    const fault = t.throws(() => requireNvcc(cuda, nvcc)) as unknown as Fault;
    t.is(fault.exitCode, 3);
    return fault.message;
  };
  t.is(findNvcc(['/nonexistent/nvcc', "/none/it's"]), undefined);
  t.regex(
    refusal('13.0'),
    /nvcc, which was not found \(CUDACXX, PATH, .*\); install NVIDIA's CUDA toolkit 13/,
  );
  t.regex(refusal(null, '11.8'), /\/opt\/nvcc is of CUDA 11\.8; expected 12\.1 or newer/);
  t.regex(refusal('13.0', '12.4'), /of CUDA 12\.4, and libtorch is for CUDA 13\.0.*toolkit 13/);
  t.notThrows(() => requireNvcc('13.0', { path: 'nvcc', version: '13.1' }));
});

test('a disk without room is told before anything is fetched', async (t) => {
  const from = { wheels: [], folder: join(scratch, 'full/libtorch'), room: 1e18 };
  const fault = (await t.throwsAsync(getCudaLibtorch(from))) as unknown as Fault;
  if (!isLinux) return t.regex(fault.message, /on Linux x64 alone/);
  t.regex(
    fault.message,
    /needs 1000000000\.0 GB in .*full, where .* GB are free; VSSL_CACHE names another folder/,
  );
  t.is(fault.exitCode, 3);
});
