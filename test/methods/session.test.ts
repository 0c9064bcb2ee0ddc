// What a method's TypeScript half says of the engine's half is so: sessions of every preset for small machines.
import test from 'ava';
import { loadConfig } from '#src/methods/config.js';
import { getMethod, listMethods } from '#src/methods/registry.js';
import { loadEngine } from '#src/native/load.js';
import { checkEncoders } from '#src/train/export-encoders.js';
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

test('encoders are those of the options: MoDist without motion has one', async (t) => {
  const load = (...set: string[]) => loadConfig({ preset: 'modist-tiny', set: ['model.width=0.25', ...set] });
  const open = async (config: ReturnType<typeof load>) => {
    const session = await loadEngine().createSession(
      buildSessionSpec(config, { accumulate: 1, device: 'cpu' }),
    );
    t.teardown(() => session.dispose());
    return session;
  };
  const [both, alone] = [load(), load('modist.lambda=0')];
  const [two, one] = [await open(both), await open(alone)];
  t.deepEqual([two.encoderNames(), one.encoderNames()], [['visual', 'motion'], ['visual']]);
  t.notThrows(() => checkEncoders(both, two));
  t.notThrows(() => checkEncoders(alone, one));
  t.throws(() => checkEncoders(both, one), {
    code: 'ERR_VSSL_METHOD',
    message: /motion, but .* visual with/,
  });
  t.throws(() => checkEncoders(alone, two), { code: 'ERR_VSSL_METHOD', message: /visual, motion with/ });
});
