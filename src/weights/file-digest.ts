import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { environmentError, VsslError } from '../errors.js';

/** What the content of a file is known by: `sha256:` and 64 digits. Throws ERR_VSSL_FILE when it cannot be read. */
export async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (error) {
    const why = (error as Error).message;
    throw (
      environmentError(path, error) ??
      new VsslError('ERR_VSSL_FILE', `${path} cannot be read: ${why}`, { details: { path }, cause: error })
    );
  }
  return `sha256:${hash.digest('hex')}`;
}
