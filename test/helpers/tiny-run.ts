/** Small real video files and the smallest run that trains on them. */
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadEngine } from '#src/native/load.js';

export interface TinyVideos {
  readonly folder: string;
  /** Cannot even be opened. */
  readonly garbage: string;
  /** Opens, and all of its packets can be read, but only the first ones decode. */
  readonly undecodable: string;
}

/** `count` good files of moving patterns, and two bad ones among them. */
export async function makeTinyVideos(count: number): Promise<TinyVideos> {
  const folder = await mkdtemp(join(tmpdir(), 'vssl-videos-'));
  await mkdir(folder, { recursive: true });
  for (let i = 0; i < count; i++) await writePattern(join(folder, `v${String(i).padStart(2, '0')}.mp4`), i);
  const garbage = join(folder, 'v00-garbage.mp4');
  await writeFile(garbage, Buffer.alloc(4000, 'no video'));
  const undecodable = join(folder, 'v03-undecodable.mp4');
  await writePattern(undecodable, 77);
  await eraseMediaData(undecodable);
  return { folder, garbage, undecodable };
}

const [HEIGHT, WIDTH] = [48, 64];

async function writePattern(path: string, seed: number): Promise<void> {
  const frames = 16 + (seed % 5);
  const data = new Uint8Array(frames * HEIGHT * WIDTH * 3);
  let at = 0;
  for (let t = 0; t < frames; t++)
    for (let y = 0; y < HEIGHT; y++)
      for (let x = 0; x < WIDTH; x++)
        for (let c = 0; c < 3; c++)
          data[at++] =
            128 + 100 * Math.sin((x * (1 + (seed % 3)) + y * (c + 1) + t * (1 + (seed % 4))) / 6 + seed);
  await loadEngine().writeVideo(path, data, [frames, HEIGHT, WIDTH], { fps: 25, codec: 'mpeg4' });
}

/** Zeros in the place of all but the first coded pictures; the tables that say where they are stay. */
export async function eraseMediaData(path: string): Promise<void> {
  const file = await readFile(path);
  for (let at = 0; at + 8 <= file.length; ) {
    const size = file.readUInt32BE(at);
    if (file.toString('latin1', at + 4, at + 8) === 'mdat')
      file.fill(0, at + 8 + Math.floor(size / 8), at + size);
    if (size < 8) break;
    at += size;
  }
  await writeFile(path, file);
}

/** 4 videos a batch, 8 pictures of 32 x 32 a clip, a network of a few thousand weights. */
export function tinyConfig(overrides: { train?: object; data?: object; log?: object; cvrl?: object } = {}) {
  return {
    method: 'cvrl',
    model: { arch: 'r3d_10', width: 0.125 },
    data: { clip: { frames: 4, stride: 2, size: 32 }, workers: 3, ...overrides.data },
    train: {
      batch: 4,
      steps: 8,
      optimizer: { lr: 0.05 },
      schedule: { warmupSteps: 2 },
      precision: 'fp32',
      checkpointEvery: 3,
      threads: 2,
      seed: 3,
      device: 'cpu',
      ...overrides.train,
    },
    log: { every: 1, plans: true, ...overrides.log },
    cvrl: { head: { hiddenDim: 16, hiddenLayers: 1, dim: 8 }, ...overrides.cvrl },
  } as const;
}

export async function readLines(path: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(path, 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
