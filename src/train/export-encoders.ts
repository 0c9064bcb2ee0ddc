/** The encoders of a run as files of their own. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResolvedConfig } from '../config/schema.js';
import { VsslError } from '../errors.js';
import type { ExportedEncoder } from '../methods/method.js';
import { getMethod } from '../methods/registry.js';
import type { NamedTensor, NativeSession } from '../native/bindings.js';
import { packageVersion } from '../native/load.js';
import { type EncoderDescription, writeEncoderFile } from '../weights/encoder-file.js';
import type { RunPaths } from './run-folder.js';
import { runWriteError } from './run-log.js';

/**
 * Throws ERR_VSSL_METHOD when the encoders that a method says it exports are not those that the engine trains under its
 * name.
 */
export function checkEncoders(method: string, session: Pick<NativeSession, 'encoderNames'>): void {
  const named = getMethod(method).encoders.filter(({ inState }) => !inState);
  const said = named.map(({ name }) => name);
  const trained = session.encoderNames();
  if (said.join() === trained.join()) return;
  throw new VsslError(
    'ERR_VSSL_METHOD',
    `the method '${method}' exports the encoders ${said.join(', ')}, but the engine trains ${trained.join(', ')} for it; name these, in this order`,
    { details: { method, said, trained } },
  );
}

/**
 * The encoder that the method's paper evaluates is written last: its step tells that all are of that step. `state` is the
 * session's, of the same step.
 */
export async function exportEncoders(
  session: NativeSession,
  config: ResolvedConfig,
  paths: RunPaths,
  step: number,
  state: readonly NamedTensor[],
): Promise<void> {
  const [evaluated, ...others] = getMethod(config.method).encoders;
  const failed = (path: string) => (error: unknown) => {
    throw runWriteError(paths.folder, error, path);
  };
  const write = async (encoder: ExportedEncoder, path: string) => {
    const found = await weightsIn(session, config, encoder, state);
    if (!found) return;
    const { name, format } = encoder;
    const description = { method: config.method, encoder: name, model: found.model, ...format(config), step };
    await writeEncoderFile(path, description, found.tensors, { package_version: packageVersion }).catch(
      failed(path),
    );
  };
  if (others.length > 0) await mkdir(paths.encoders, { recursive: true }).catch(failed(paths.encoders));
  for (const encoder of others) await write(encoder, encoderPath(paths, encoder.name));
  await write(evaluated!, paths.weights);
}

/** Null where the configuration has no such network. */
async function weightsIn(
  session: NativeSession,
  config: ResolvedConfig,
  { name, inState }: ExportedEncoder,
  state: readonly NamedTensor[],
) {
  if (!inState) {
    const model = session.encoderSpec(name) as EncoderDescription['model'];
    return { model, tensors: await session.exportEncoder(name) };
  }
  const { prefix } = inState;
  const model = inState.model(config);
  const own = state.filter((tensor) => tensor.name.startsWith(prefix));
  return (
    model && { model, tensors: own.map((tensor) => ({ ...tensor, name: tensor.name.slice(prefix.length) })) }
  );
}

/** Path of an exported encoder other than the first. */
export function encoderPath(paths: RunPaths, name: string): string {
  return join(paths.encoders, `${name.replace(/[^\w.-]/g, '_')}.safetensors`);
}
