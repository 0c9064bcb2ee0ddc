/** From weights, or the description of new ones, to a network in the engine and the decoder that feeds it. */
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { checkCount, checkDevice, checkOneOf, LIMITS } from '../checks.js';
import { codedAsync, VsslError } from '../errors.js';
import type { EngineAddon, NativeEncoder, NativeLoader } from '../native/bindings.js';
import { checkPrecision, chooseDevice } from '../native/device.js';
import { openEngine } from '../native/load.js';
import type { EncoderDescription } from '../weights/encoder-file.js';
import type { EncoderOptions, Precision } from './encoder-options.js';

export interface OpenEncoder {
  readonly precision: Precision;
  readonly engine: EngineAddon;
  readonly native: NativeEncoder;
  readonly loader: NativeLoader;
  /** Of the loader. */
  readonly threads: number;
}

/** A network with weights drawn from `seed`, which others may take the place of. */
export async function openEncoder(
  model: EncoderDescription['model'],
  seed: number,
  options: EncoderOptions,
): Promise<OpenEncoder> {
  const { device: wanted = 'auto' } = options;
  checkDevice('device', wanted);
  if (options.precision !== undefined) checkOneOf('precision', options.precision, ['fp32', 'bf16']);
  if (options.threads !== undefined) checkCount('threads', options.threads, 1, LIMITS.threads);
  const engine = await openEngine(wanted);
  if (options.threads !== undefined) engine.setThreads(options.threads);
  const device = chooseDevice(engine, wanted);
  const fast = device === 'cpu' && engine.info().bf16Fast;
  const { precision = fast ? 'bf16' : 'fp32' } = options;
  checkPrecision(engine, device, precision);
  const spec = { ...model, seed, device, precision, channelsLast: true };
  const native = await codedAsync(() => engine.createEncoder(spec));
  const threads = options.threads ?? availableParallelism();
  const loader = engine.createLoader({ threads, cacheBytes: 0, packs: device !== 'cpu' });
  return { precision, engine, native, loader, threads };
}

/** The weights file behind a path: the file itself, or that of a run folder. Throws ERR_VSSL_FILE. */
export async function weightsFile(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  if (!found?.isDirectory()) return path;
  const inside = join(path, 'weights.safetensors');
  if (await stat(inside).catch(() => null)) return inside;
  throw new VsslError(
    'ERR_VSSL_FILE',
    `${path} holds no weights.safetensors: training writes it with its first checkpoint; give a run folder or a weights file`,
    { details: { path } },
  );
}
