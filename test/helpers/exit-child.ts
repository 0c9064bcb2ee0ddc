/**
 * A program that ends while native threads work: started with a JSON argument (Leaving), it begins the work, waits, says
 * so on standard output and leaves in the way asked.
 */
import { writeSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { dctAsync, emaUpdateAsync, MomentumQueue, ntXentAsync, topkDotAsync } from '#src/kernels/index.js';
import { train } from '#src/train/train.js';

export const works = ['embed', 'embedMany', 'forward', 'train', 'kernels'] as const;
export const ways = ['exit', 'throw', 'rejection', 'signal', 'terminate', 'exit beside worker'] as const;

export interface Leaving {
  readonly work: (typeof works)[number];
  readonly way: (typeof ways)[number];
  /** Milliseconds from the beginning of the work. */
  readonly delay: number;
  /** Videos. */
  readonly data: string;
  /** Where a training may write. */
  readonly out: string;
}

/** The exit code of the ways that can choose one. */
export const CODE = 7;

const ignore = () => {};

/** Begins work that takes seconds: a pass of r3d_18 over several clips. */
async function begin({ work, data, out }: Leaving): Promise<void> {
  if (work === 'kernels') return beginKernels();
  if (work === 'train') {
    const run = train(
      {
        method: 'simclr',
        model: { arch: 'r3d_18' },
        data: { clip: { frames: 16, stride: 1, size: 112 } },
        train: { batch: 4, steps: 50, precision: 'fp32', optimizer: { lr: 0.1 } },
      } as never,
      { data, out },
    );
    run.result.catch(ignore);
    for await (const event of run) if (event.type === 'start') return;
    return;
  }
  const encoder = await VideoEncoder.create({ arch: 'r3d_18' });
  if (work === 'forward')
    encoder.forward(new Float32Array(6 * 3 * 16 * 112 * 112), [6, 3, 16, 112, 112]).catch(ignore);
  else if (work === 'embed')
    encoder
      .embed({ frames: new Uint8Array(64 * 112 * 112 * 3), shape: [64, 112, 112, 3] }, { clips: 8 })
      .catch(ignore);
  else
    (async () => {
      const paths = Array.from({ length: 20 }, (_, i) => `${data}/v0${i % 6}.mp4`);
      for await (const result of encoder.embedMany(paths, { clips: 6 })) void result;
    })().catch(ignore);
}

function beginKernels(): void {
  const [rows, dim] = [8192, 512];
  const x = new Float32Array(rows * dim).fill(0.5);
  const queue = new MomentumQueue({ capacity: 65536, dim });
  const shared = new Float32Array(new SharedArrayBuffer(4 * rows * dim));
  for (let i = 0; i < 4; i++) {
    ntXentAsync(x, { rows, dim, threads: 1 }).catch(ignore);
    queue.infoNceAsync(x, x, { rows, threads: 1 }).catch(ignore);
    dctAsync(x, { frames: 64 }).catch(ignore);
    emaUpdateAsync(x.slice(), x, 0.9).catch(ignore);
    topkDotAsync(x, shared, { dim, k: 10, threads: 1 }).catch(ignore);
  }
}

/** The moment is told by the program itself, so that its start does not count. */
const say = () => writeSync(1, `leaving ${Date.now()}\n`);
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function beginInWorker(leaving: Leaving): Promise<Worker> {
  const worker = new Worker(new URL(import.meta.url), { workerData: leaving });
  worker.on('error', (error) => {
    throw error;
  });
  await new Promise((resolve) => worker.once('message', resolve));
  return worker;
}

async function leave(leaving: Leaving): Promise<void> {
  const { way, delay } = leaving;
  const worker = way === 'terminate' || way === 'exit beside worker' ? await beginInWorker(leaving) : null;
  if (!worker) await begin(leaving);
  await wait(delay);
  switch (way) {
    case 'exit':
    case 'exit beside worker':
      say();
      process.exit(CODE);
      break;
    case 'throw':
      setImmediate(() => {
        say();
        throw new Error('thrown on purpose');
      });
      break;
    case 'rejection':
      say();
      void Promise.reject(new Error('rejected on purpose'));
      break;
    case 'signal':
      process.on('SIGTERM', () => {
        say();
        process.exit(CODE);
      });
      process.kill(process.pid, 'SIGTERM');
      break;
    case 'terminate':
      say();
      process.exitCode = CODE;
      await worker?.terminate();
      break;
  }
}

if (!isMainThread && workerData?.work) {
  await begin(workerData as Leaving);
  parentPort?.postMessage('begun');
} else if (process.argv[2]?.startsWith('{')) {
  await leave(JSON.parse(process.argv[2]) as Leaving);
}
