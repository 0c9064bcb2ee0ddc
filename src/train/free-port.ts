/** A port for the ranks of one machine to meet at. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { messageOf, VsslError } from '../errors.js';

/**
 * Below what systems give to outgoing connections (from 32768 on Linux, 49152 elsewhere): one of those may take a port
 * of theirs between this look and the moment at which rank 0 listens.
 */
const [FROM, BELOW] = [20_000, 32_000];
const TRIES = 50;

/** Throws ERR_VSSL_RANKS. */
export async function freePort(): Promise<number> {
  let why: unknown;
  for (let i = 0; i < TRIES; i++) {
    const port = randomInt(FROM, BELOW);
    try {
      await listenOnce(port);
      return port;
    } catch (error) {
      why = error;
    }
  }
  const message = `no port to be had for the ranks to meet at: ${messageOf(why)}`;
  throw new VsslError('ERR_VSSL_RANKS', message, { cause: why });
}

function listenOnce(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()));
  });
}
