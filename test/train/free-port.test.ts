import { createServer } from 'node:net';
import test from 'ava';
import { freePort } from '#src/train/free-port.js';

test('a port that can be listened at, which no outgoing connection is given', async (t) => {
  const ports = await Promise.all(Array.from({ length: 20 }, freePort));
  t.true(ports.every((port) => port >= 20_000 && port < 32_000));
  for (const port of new Set(ports)) {
    const server = createServer();
    await t.notThrowsAsync(
      new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, '127.0.0.1', () => server.close(() => resolve()));
      }),
    );
  }
});
