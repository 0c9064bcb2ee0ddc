/** The encoders of a run as files of their own. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResolvedConfig } from '../config/schema.js';
import { VsslError } from '../errors.js';
import type { ExportedEncoder } from '../methods/method.js';
import { getMethod } from '../methods/registry.js';
import type { NativeSession } from '../native/bindings.js';
import { packageVersion } from '../native/load.js';
import { type EncoderDescription, writeEncoderFile } from '../weights/encoder-file.js';
import type { RunPaths } from './run-folder.js';
import { runWriteError } from './run-log.js';

/** What a configuration exports; first the encoder that the method's paper evaluates. */
function encodersOf(config: ResolvedConfig): readonly ExportedEncoder[] {
  return getMethod(config.method).encoders.filter(({ when }) => when(config));
}

/** Throws ERR_VSSL_METHOD when the encoders that a configuration exports are not those that the engine trains for it. */
export function checkEncoders(config: ResolvedConfig, session: Pick<NativeSession, 'encoderNames'>): void {
  const { method } = config;
  const said = encodersOf(config).map(({ name }) => name);
  const trained = session.encoderNames();
  if (said.join() === trained.join()) return;
  throw new VsslError(
    'ERR_VSSL_METHOD',
    `the method '${method}' exports the encoders ${said.join(', ')}, but the engine trains ${trained.join(', ')} with these options; ` +
      'name these, in this order, and say by `when` which options have them',
    { details: { method, said, trained } },
  );
}

/** The encoder that the method's paper evaluates is written last: its step tells that all are of that step. */
export async function exportEncoders(
  session: NativeSession,
  config: ResolvedConfig,
  paths: RunPaths,
  step: number,
): Promise<void> {
  const [evaluated, ...others] = encodersOf(config);
  const failed = (path: string) => (error: unknown) => {
    throw runWriteError(paths.folder, error, path);
  };
  const write = async ({ name, format }: ExportedEncoder, path: string) => {
    const model = session.encoderSpec(name) as EncoderDescription['model'];
    const description = { method: config.method, encoder: name, model, ...format(config), step };
    const tensors = await session.exportEncoder(name);
    await writeEncoderFile(path, description, tensors, { package_version: packageVersion }).catch(
      failed(path),
    );
  };
  if (others.length > 0) await mkdir(paths.encoders, { recursive: true }).catch(failed(paths.encoders));
  for (const encoder of others) await write(encoder, encoderPath(paths, encoder.name));
  await write(evaluated!, paths.weights);
}

/** Path of an exported encoder other than the first. */
export function encoderPath(paths: RunPaths, name: string): string {
  return join(paths.encoders, `${name.replace(/[^\w.-]/g, '_')}.safetensors`);
}
