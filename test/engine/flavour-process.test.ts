// The engine's builds in processes of their own: what is mapped, what is asked for too late, what is missing.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { packageRoot } from '#src/native/load.js';

/** What a fresh process prints as JSON. */
async function inProcess<T>(program: string, env: Readonly<Record<string, string>> = {}): Promise<T> {
  const load = JSON.stringify(import.meta.resolve('#src/native/load.js'));
  const encoder = JSON.stringify(import.meta.resolve('#src/embed/video-encoder.js'));
  const source = `
    import { readFileSync } from 'node:fs';
    import { Worker } from 'node:worker_threads';
    const { loadEngine, openEngine, preload } = await import(${load});
    const { VideoEncoder } = await import(${encoder});
    const failure = (work) => Promise.resolve().then(work).then(() => null, ({ code, message }) => ({ code, message }));
    const say = (value) => console.log(JSON.stringify(value));
    ${program}`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', source], {
    env: { ...process.env, ...env },
  });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as T;
}

const CPU = { VSSL_ENGINE: 'cpu', VSSL_NATIVE_BINDING: '' };
const record = JSON.parse(readFileSync(join(packageRoot, 'build/Release/vssl-build.json'), 'utf8')) as {
  libtorch: { version: string; cuda: string | null };
};
/** libtorch's part for the CPU needs CUDA's runtime where it was built with CUDA. */
const isCpuLibtorch = !record.libtorch.cuda && !record.libtorch.version.includes('+cu');

test('a process that computes on the CPU maps nothing of CUDA', async (t) => {
  const program = `
    const encoder = await VideoEncoder.create({ arch: 'r3d_10', width: 0.125, clip: { frames: 4, size: 32 }, device: 'cpu' });
    await encoder.forward(new Float32Array(3 * 4 * 32 * 32), [1, 3, 4, 32, 32]);
    await encoder.dispose();
    say(readFileSync('/proc/self/maps', 'utf8').split('\\n').map((line) => line.slice(line.indexOf('/'))));`;
  if (process.platform !== 'linux') return t.pass();
  const mapped = [...new Set(await inProcess<string[]>(program, { ...CPU, VSSL_ENGINE: '' }))];
  t.true(mapped.some((path) => path.endsWith('/build/Release/vssl_engine.node')));
  t.true(mapped.some((path) => path.includes('libtorch_cpu')));
  if (!isCpuLibtorch)
    return t.log(`built against libtorch ${record.libtorch.version}, which brings CUDA's runtime`);
  const names = mapped.map((path) => basename(path));
  t.deepEqual(
    names.filter((name) =>
      /^lib(c10_|torch_)?(cuda|cudart|cudnn|cublas|cufft|curand|cusparse|cusolver|cupti|nccl|nv)/i.test(name),
    ),
    [],
  );
});

test('a process has one engine: the GPU cannot be asked for later', async (t) => {
  const program = `
    loadEngine();
    say([
      await failure(() => preload('cuda')),
      await failure(() => VideoEncoder.create({ arch: 'r3d_10', device: 'cuda:0' })),
      await failure(() => preload('gpu')),
      await failure(() => preload('cpu')),
    ]);`;
  const [late, encoder, wrong, cpu] = await inProcess<({ code: string; message: string } | null)[]>(
    program,
    CPU,
  );
  for (const error of [late, encoder]) {
    t.is(error?.code, 'ERR_VSSL_CUDA_UNAVAILABLE');
    t.regex(error!.message, /was asked for, but .*What to do: .*or use device cpu/);
  }
  t.is(wrong?.code, 'ERR_VSSL_INVALID_ARGUMENT');
  t.is(cpu, null);
});

test('a build for CUDA that is not there is named with the way to it', async (t) => {
  const env = { VSSL_ENGINE: 'cuda', VSSL_NATIVE_BINDING: '/nonexistent' };
  const program = `
    const attempt = await failure(() => loadEngine());
    say(attempt ?? { code: loadEngine().info().cudaBuilt ? 'there' : 'another' });`;
  const { code, message } = await inProcess<{ code: string; message?: string }>(program, env);
  if (code === 'there') return t.pass('there is one here');
  t.is(code, 'ERR_VSSL_NO_BINARY');
  t.regex(message!, /\/nonexistent\/cuda\/vssl_engine\.node.*\n.*build\/Release\/cuda\/vssl_engine\.node/);
  t.regex(message!, /vssl-native setup --cuda/);
});

test('threads of a process share its engine', async (t) => {
  // asked for by its place in build/Release, which VSSL_ENGINE would not have another thread take
  const program = `
    loadEngine();
    process.env.VSSL_ENGINE = 'cuda';
    const source = 'const { parentPort } = require("node:worker_threads");' +
      'import(' + JSON.stringify(${JSON.stringify(import.meta.resolve('#src/native/load.js'))}) + ')' +
      '.then(({ loadEngine }) => parentPort.postMessage(loadEngine().info().cudaBuilt));';
    const worker = new Worker(source, { eval: true, execArgv: [], env: process.env });
    worker.once('message', async (built) => { say(built); await worker.terminate(); });`;
  t.false(await inProcess<boolean>(program, CPU));
});
