import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { NamedTensor } from '../native/bindings.js';
import type { EncoderDescription } from './encoder-file.js';

/**
 * What vectors of an encoder hang on, as `sha256:` and 64 digits: the network, its weights and its input. Names and
 * counters in the description leave it as it is, so a copy of the file under another name gives the same.
 */
export async function encoderDigest(
  { model, clip, input, mean, std, shrink, modality }: EncoderDescription,
  tensors: readonly NamedTensor[],
): Promise<string> {
  const { frames, stride, size, fps } = clip;
  const hash = createHash('sha256');
  const shown = modality === undefined ? [] : [modality];
  hash.update(
    JSON.stringify([sortedEntries(model), frames, stride, size, fps, input, mean, std, shrink, ...shown]),
  );
  for (const { name, dtype, shape, data } of [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    hash.update(`\n${name} ${dtype} ${shape.join(' ')}\n`).update(data);
    // a large network is read in tens of milliseconds: others have their turn between its tensors
    await nextTurn();
  }
  return `sha256:${hash.digest('hex')}`;
}

function sortedEntries(model: EncoderDescription['model']): [string, unknown][] {
  return Object.entries(model).sort(([a], [b]) => (a < b ? -1 : 1));
}
