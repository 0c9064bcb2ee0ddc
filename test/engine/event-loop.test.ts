import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';
import { resolveConfig } from '#src/methods/config.js';
import { loadEngine } from '#src/native/load.js';
import { buildSessionSpec } from '#src/train/session-spec.js';
import { longestStall } from '../helpers/stall.js';

/** Milliseconds that a busy machine may keep the event loop from running, without any doing of ours. */
const NOISE = 150;

const shape = [4, 3, 16, 112, 112] as const;
const clips = () => new Float32Array(shape.reduce<number>((a, b) => a * b, 1));

test.serial('stats() and dispose() never wait for a pass that runs', async (t) => {
  const encoder = await loadEngine().createEncoder({ arch: 'r3d_18', width: 0.5, seed: 1, device: 'cpu' });
  const { stall, total } = await longestStall(async () => {
    const pass = encoder.forward(clips(), shape);
    for (let i = 0; i < 5; i++) {
      t.true(encoder.stats().hostBytes > 1e6);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    encoder.dispose();
    t.throws(() => encoder.stats(), { code: 'ERR_VSSL_DISPOSED' });
    t.is((await pass).length, 4 * 256, 'what was under way is finished');
  });
  t.true(total > 2 * NOISE, `the pass was no long one: ${total} ms`);
  t.true(stall < NOISE, `the event loop stood still for ${stall} of ${total} ms`);
});

test.serial('exporting a state of some hundred MB leaves the event loop free', async (t) => {
  const config = resolveConfig({ method: 'simclr', model: { arch: 'r3d_18' } });
  const session = await loadEngine().createSession(
    buildSessionSpec(config, { accumulate: 1, device: 'cpu' }),
  );
  let bytes = 0;
  const { stall } = await longestStall(async () => {
    const pending = session.exportState();
    t.true(session.stats().hostBytes > 2e8);
    for (const { name, data, shape: extents, dtype } of await pending) {
      t.is(
        data.byteLength,
        extents.reduce((a, b) => a * b, dtype === 'I64' ? 8 : 4),
        name,
      );
      bytes += data.byteLength;
    }
  });
  t.true(bytes > 2e8);
  t.true(stall < NOISE, `the event loop stood still for ${stall} ms`);
  session.dispose();
});

/** Prints what longestStall finds in a fresh process. */
const program = (call: string) => `
  import { longestStall } from ${JSON.stringify(new URL('../helpers/stall.js', import.meta.url).href)};
  const { ${call} } = await import(${JSON.stringify(import.meta.resolve('#src/native/load.js'))});
  console.log(JSON.stringify(await longestStall(async () => ${call}())));
`;

test.serial('preload() brings the engine in while the event loop goes on', async (t) => {
  const run = async (call: string) => {
    const args = ['--input-type=module', '--eval', program(call)];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return JSON.parse(stdout) as { stall: number; total: number };
  };
  const blocking = await run('loadEngine');
  const free = await run('preload');
  t.log({ blocking, free });
  t.true(free.stall < Math.max(blocking.stall / 2, 60), `${free.stall} ms against ${blocking.stall}`);
});
