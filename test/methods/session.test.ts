// What a method's TypeScript half says of the engine's half is so: sessions of every preset for small machines.
import test from 'ava';
import { loadConfig } from '#src/methods/config.js';
import { getMethod, listMethods } from '#src/methods/registry.js';
import { loadEngine } from '#src/native/load.js';
import { buildSessionSpec } from '#src/train/session-spec.js';

for (const { name } of listMethods())
  test(`${name}: the engine takes its options and has the encoders that are exported`, async (t) => {
    const config = loadConfig({ preset: `${name}-tiny`, set: ['model.width=0.125'] });
    const session = await loadEngine().createSession(
      buildSessionSpec(config, { accumulate: 1, device: 'cpu' }),
    );
    t.teardown(() => session.dispose());
    const encoders = getMethod(name).encoders;
    t.deepEqual(
      encoders.map((encoder) => encoder.name),
      session.encoderNames(),
    );
    const { clip, input } = encoders[0]!.format(config);
    t.deepEqual([clip, input], [config.data.clip, config.data.input]);
  });
