// What the package hands out is a copy: nothing that a caller does to it is seen by the next one.
import test from 'ava';
import {
  getPreset,
  listMethods,
  listPresets,
  loadConfig,
  type PresetName,
  resolveConfig,
  VideoEncoder,
} from '#src/index.js';
import { METHODS } from '#src/methods/registry.js';
import { tiny } from '../embed/make-videos.js';

/** Puts nonsense in the place of every value that can be written, however deep. */
function spoil(value: unknown, seen = new Set<unknown>()): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  const it = value as Record<string, unknown>;
  for (const key of Object.keys(it)) {
    if (key === 'configSchema') continue; // zod's own
    spoil(it[key], seen);
    Reflect.set(it, key, 'spoilt');
  }
  Reflect.set(it, 'more', 'spoilt');
  if (Array.isArray(value)) value.length = 0;
}

function staysAsItIs(name: string, get: () => unknown): void {
  test(`${name} gives copies`, (t) => {
    const shown = (value: unknown) =>
      JSON.stringify(value, (key, inner) => (key === 'configSchema' ? undefined : inner));
    const before = shown(get());
    t.true(before.length > 10);
    spoil(get());
    t.is(shown(get()), before);
  });
}

for (const { name } of listPresets()) {
  staysAsItIs(`getPreset('${name}')`, () => getPreset(name));
  staysAsItIs(`loadConfig, preset ${name},`, () => loadConfig({ preset: name }));
  staysAsItIs(`resolveConfig, extends ${name},`, () => resolveConfig({ extends: name as PresetName }));
}
for (const { name } of METHODS)
  staysAsItIs(`resolveConfig, defaults of ${name},`, () => resolveConfig({ method: name }));
staysAsItIs('listPresets', listPresets);
staysAsItIs('listMethods', listMethods);

test('a config is not kept: what is done to it after the call changes nothing', (t) => {
  const config = {
    method: 'cvrl',
    data: { normalize: { mean: [0.1, 0.2, 0.3] as [number, number, number] } },
  } as const;
  const resolved = resolveConfig(config);
  config.data.normalize.mean[0] = 9;
  t.is(resolved.data.normalize.mean[0], 0.1);
});

test('an encoder says what it is in copies', async (t) => {
  const clip = { ...tiny };
  const encoder = await VideoEncoder.create({ arch: 'r3d_10', width: 0.125, clip });
  t.teardown(() => encoder.dispose());
  const frames = {
    frames: new Uint8Array(8 * 32 * 32 * 3).map((_, i) => i % 251),
    shape: [8, 32, 32, 3],
  } as const;
  const [description, inputSize, vector] = [
    encoder.description,
    encoder.inputSize,
    await encoder.embed(frames),
  ];
  spoil(encoder.description);
  spoil(encoder.inputSize);
  spoil(clip);
  t.deepEqual(encoder.description, description);
  t.deepEqual(encoder.inputSize, inputSize);
  t.deepEqual(await encoder.embed(frames), vector);
});
