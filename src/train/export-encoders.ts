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

/**
 * Throws ERR_VSSL_METHOD when the engine trains an encoder under the method's name that the method does not export, or not
 * the first of those that it does.
 */
export function checkEncoders(method: string, session: Pick<NativeSession, 'encoderNames'>): void {
  const said = getMethod(method).encoders.map(({ name }) => name);
  const trained = session.encoderNames();
  if (trained[0] === said[0] && trained.every((name) => said.includes(name))) return;
  throw new VsslError(
    'ERR_VSSL_METHOD',
    `the method '${method}' exports the encoders ${said.join(', ')}, but the engine trains ${trained.join(', ')} for it; name these, in this order`,
    { details: { method, said, trained } },
  );
}

/**
 * Those that the engine has. The one that the method's paper evaluates is written last: its step tells that all are of that
 * step.
 */
export async function exportEncoders(
  session: NativeSession,
  config: ResolvedConfig,
  paths: RunPaths,
  step: number,
): Promise<void> {
  const trained = session.encoderNames();
  const [evaluated, ...others] = getMethod(config.method).encoders.filter(({ name }) =>
    trained.includes(name),
  );
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
