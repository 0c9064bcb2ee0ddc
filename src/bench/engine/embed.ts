/** Batches of clips in memory that an encoder turns into features. */
import { loadEngine } from '../../native/load.js';
import type { BenchCase, Check, Workload } from '../case.js';
import { relativeDistance } from '../vectors.js';
import { channelsFirst, clipInput, weightInputs } from './inputs.js';
import { drawClips } from './memory-clips.js';

type EmbedParameters = {
  readonly arch: string;
  readonly width: number;
  readonly precision: 'fp32' | 'bf16';
  readonly clips: number;
  readonly frames: number;
  readonly size: number;
};

const PEERS = ['torch', 'torch BatchNorm folded', 'torch bare convolutions'];
/**
 * How far features may be from those of another way to compute them, relative to their norm. In bf16 every layer rounds:
 * R3D-18 at 2 clips of 32 x 32 is 0.016 from fp32 with libtorch's convolutions, 0.022 with Winograd's; at 112 x 112, 0.005
 * and 0.006.
 * R(2+1)D, with weights at random, makes more of it the smaller its clips are: at 2 clips of 32 x 32 libtorch's bf16 is
 * 0.2 from its fp32, at 112 x 112 0.04. An operation that is left out shows as 1.
 */
function toleranceOf({ arch, precision }: EmbedParameters): number {
  if (precision === 'fp32') return 1e-4;
  return arch.startsWith('r2plus1d') ? 0.3 : 0.03;
}

const full = { width: 1, precision: 'bf16', clips: 8, frames: 16, size: 112 } as const;

export const embedCases: readonly BenchCase[] = [
  embedCase({ arch: 'r3d_18', ...full }),
  embedCase({ arch: 'r2plus1d_18', ...full }),
  embedCase({ arch: 'c3d', ...full }),
  embedCase({ arch: 'r3d_18', ...full, precision: 'fp32' }),
  embedCase({ arch: 'r3d_10', width: 0.25, precision: 'bf16', clips: 16, frames: 8, size: 64 }),
];

function embedCase(parameters: EmbedParameters): BenchCase {
  const { arch, width, precision, clips, frames, size } = parameters;
  const name = `${arch}${width === 1 ? '' : ` x ${width}`}`;
  return {
    name: `embed ${name} ${precision} ${clips} clips ${frames}x${size}x${size}`,
    kernel: 'embed',
    parameters,
    small: { ...parameters, clips: 2, frames: 16, size: 32 },
    prepare: (chosen) => prepare(chosen as EmbedParameters),
    flops: 0,
    bytes: 4 * clips * frames * size * size * 3,
    clips,
    limit: 'bare convolutions',
    verified: 'all features, beside those in fp32',
    peers: PEERS.map((peer) => ({ module: 'embed', name: peer, tolerance: toleranceOf(parameters) })),
  };
}

async function prepare(parameters: EmbedParameters): Promise<Workload> {
  const { arch, width, precision, ...size } = parameters;
  const engine = loadEngine('cpu');
  const encoder = await engine.createEncoder({
    ...{ arch, width, seed: 1, device: 'cpu', precision, channelsLast: true },
  });
  const batch = await drawClips(engine, size);
  await encoder.calibrateBegin();
  await encoder.calibrate(batch, 'clip');
  await encoder.calibrateEnd();
  const clips = clipInput(batch, 'clip');
  const inputs = { clips, ...weightInputs('encoder', await encoder.weights()) };
  let features: Float32Array = new Float32Array();
  let flops = 0;
  const run = async (threads: number) => {
    engine.setThreads(threads);
    features = await encoder.embed(batch, 'clip');
  };
  const limitSeconds = async (threads: number) => {
    engine.setThreads(threads);
    const times = await encoder.timeConvolutions(batch, 'clip');
    flops = times.reduce((sum, one) => sum + one.flops, 0);
    return times.reduce((sum, one) => sum + one.seconds, 0);
  };
  return {
    inputs,
    run,
    outputs: () => ({ features }),
    limitSeconds: (_, threads) => limitSeconds(threads),
    work: () => ({ flops }),
    async verify(threads): Promise<Check[]> {
      await run(threads);
      await limitSeconds(threads);
      const shape = [size.clips, 3, size.frames, size.size, size.size] as const;
      const exact = await encoder.forward(channelsFirst(clips), shape);
      const error = relativeDistance(features, exact);
      return [{ what: 'features', error, tolerance: toleranceOf(parameters) }];
    },
    dispose() {
      batch.dispose();
      encoder.dispose();
    },
  };
}
